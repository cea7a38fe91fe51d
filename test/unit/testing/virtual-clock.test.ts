import { describe, expect, it, vi } from 'vitest';
import { virtualClock } from '../../../src/testing/virtual-clock.js';

describe('virtual clock [gap 18]', () => {
  it('stands still until it is moved', async () => {
    const clock = virtualClock({ now: 1_000 });
    await clock.advance(0);
    expect(clock.now()).toBe(1_000);
    const before = clock.monotonicMs();
    await clock.advance(250);
    expect([clock.now(), clock.monotonicMs() - before]).toEqual([1_250, 250]);
  });

  it('ends sleeps in the order of their instants, and equal ones in the order of the calls', async () => {
    const clock = virtualClock({ now: 0 });
    const woke: string[] = [];
    const sleeper = async (name: string, ms: number): Promise<void> => {
      await clock.sleep(ms);
      woke.push(`${name}@${clock.now()}`);
    };
    for (const [name, ms] of [
      ['c', 30],
      ['a', 10],
      ['b1', 20],
      ['b2', 20],
      ['b3', 20],
    ] as const)
      void sleeper(name, ms);
    await clock.advance(25);
    expect(woke).toEqual(['a@10', 'b1@20', 'b2@20', 'b3@20']);
    expect([clock.now(), clock.pending]).toEqual([25, 1]);
    await clock.advance(5);
    expect(woke.at(-1)).toBe('c@30');
  });

  it('runs sleeps that were begun on the way, at their own instants', async () => {
    const clock = virtualClock({ now: 0 });
    const ticks: number[] = [];
    void (async () => {
      for (;;) {
        await clock.sleep(10);
        ticks.push(clock.now());
      }
    })();
    await clock.advance(35);
    expect(ticks).toEqual([10, 20, 30]);
  });

  it('lets work that Web Crypto answers settle before the next sleep', async () => {
    const clock = virtualClock({ now: 0 });
    const seen: number[] = [];
    void (async () => {
      for (let turn = 0; turn < 3; turn++) await crypto.subtle.digest('SHA-256', new Uint8Array(1000));
      await clock.sleep(10);
      await crypto.subtle.digest('SHA-256', new Uint8Array(1000));
      seen.push(clock.now());
    })();
    void clock.sleep(11);
    await clock.advance(20);
    expect(seen).toEqual([10]);
  });

  it('lets one sleeper end another sleep of the same instant', async () => {
    const clock = virtualClock();
    const stop = new AbortController();
    const first = clock.sleep(10).then(() => stop.abort(new Error('stopped')));
    const second = clock.sleep(10, stop.signal);
    second.catch(() => undefined);
    await clock.advance(10);
    await first;
    await expect(second).rejects.toThrow('stopped');
  });

  it('rejects with the reason of the signal, takes its listener away, and forgets the sleep', async () => {
    const clock = virtualClock();
    const stop = new AbortController();
    const remove = vi.spyOn(stop.signal, 'removeEventListener');
    const slept = clock.sleep(5, stop.signal);
    await clock.advance(5);
    await slept;
    expect(remove).toHaveBeenCalledOnce();
    const aborted = clock.sleep(5, stop.signal);
    stop.abort('why');
    await expect(aborted).rejects.toBe('why');
    await expect(clock.sleep(5, stop.signal)).rejects.toBe('why');
    expect(clock.pending).toBe(0);
  });

  it('goes to the next sleep synchronously with step()', async () => {
    const clock = virtualClock({ now: 0 });
    const woke: number[] = [];
    void clock.sleep(20).then(() => woke.push(20));
    void clock.sleep(7).then(() => woke.push(7));
    expect(clock.step()).toBe(true);
    expect(clock.now()).toBe(7);
    await Promise.resolve();
    expect(woke).toEqual([7]);
    expect([clock.step(), clock.step(), clock.now()]).toEqual([true, false, 20]);
  });

  it('moves the wall alone when it jumps or the machine sleeps', async () => {
    const clock = virtualClock({ now: 1_000_000 });
    const origin = clock.monotonicMs();
    let woke = false;
    void clock.sleep(100).then(() => {
      woke = true;
    });
    clock.jumpWall(-500_000);
    clock.suspend(3_600_000);
    await clock.advance(99);
    expect([clock.now(), clock.monotonicMs() - origin, woke]).toEqual([4_100_099, 99, false]);
    await clock.advance(1);
    expect(woke).toBe(true);
  });

  it('counts idle sleeps apart', () => {
    const clock = virtualClock();
    void clock.sleep(10);
    void clock.sleep(10, undefined, { idle: true });
    expect([clock.pending, clock.pendingIdle]).toEqual([2, 1]);
  });

  it('wakes 10,000 sleepers of one instant quickly', async () => {
    const clock = virtualClock();
    const all = Array.from({ length: 10_000 }, () => clock.sleep(50));
    await clock.advance(50);
    await Promise.all(all);
    expect(clock.pending).toBe(0);
  });

  it('works while the test has put fake timers in place', async () => {
    vi.useFakeTimers();
    try {
      const clock = virtualClock();
      const slept = clock.sleep(1);
      await clock.advance(1);
      await slept;
    } finally {
      vi.useRealTimers();
    }
  });

  it('refuses durations and options that make no sense', async () => {
    const clock = virtualClock();
    await expect(clock.advance(-1)).rejects.toThrow('"ms"');
    expect(() => clock.suspend(-1)).toThrow('"ms"');
    expect(() => clock.jumpWall(Number.NaN)).toThrow('"ms"');
    expect(() => virtualClock({ now: Number.NaN })).toThrow('"now"');
  });
});
