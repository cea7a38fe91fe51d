import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/core/system-clock.js';

const dayMs = 24 * 3_600_000;

describe('system clock', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('sleeps 30 days without a timer beyond 2^31-1 ms, and without spinning [E10]', async () => {
    const timers = vi.spyOn(globalThis, 'setTimeout');
    let awake = false;
    const slept = systemClock.sleep(30 * dayMs).then(() => {
      awake = true;
    });
    await vi.advanceTimersByTimeAsync(30 * dayMs - 1);
    expect(awake).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await slept;
    const delays = timers.mock.calls.map(([, delay]) => delay ?? 0);
    expect([delays.length, Math.max(...delays), delays.reduce((sum, delay) => sum + delay, 0)]).toEqual([2, 2_147_483_647, 30 * dayMs]);
  });

  it('ends a sleep of 30 days at once when its signal aborts, in the first timer or a later one [E10]', async () => {
    for (const passedMs of [dayMs, 29 * dayMs]) {
      const stop = new AbortController();
      const slept = systemClock.sleep(30 * dayMs, stop.signal);
      const rejected = expect(slept).rejects.toBe('enough');
      await vi.advanceTimersByTimeAsync(passedMs);
      stop.abort('enough');
      await rejected;
      expect(vi.getTimerCount()).toBe(0);
    }
  });

  it('leaves no listener behind on a signal that outlives the sleep [E10]', async () => {
    const stop = new AbortController();
    const added = vi.spyOn(stop.signal, 'addEventListener');
    const removed = vi.spyOn(stop.signal, 'removeEventListener');
    const slept = systemClock.sleep(30 * dayMs, stop.signal);
    await vi.advanceTimersByTimeAsync(30 * dayMs);
    await slept;
    expect([added.mock.calls.length, removed.mock.calls.length]).toEqual([2, 2]);
  });

  it('lets the process go when nobody waits for the sleep [E10]', async () => {
    const unref = vi.fn();
    const real = globalThis.setTimeout;
    vi.spyOn(globalThis, 'setTimeout').mockImplementation((callback, delay) => Object.assign(real(callback, delay), { unref }));
    const both = [systemClock.sleep(5, undefined, { idle: true }), systemClock.sleep(5)];
    await vi.advanceTimersByTimeAsync(5);
    await Promise.all(both);
    expect(unref).toHaveBeenCalledOnce();
    vi.restoreAllMocks();
  });

  it('does not sleep at all for 0 ms or less, and rejects at once when the signal has aborted [E10]', async () => {
    await systemClock.sleep(0);
    await systemClock.sleep(-1);
    await expect(systemClock.sleep(1_000, AbortSignal.abort('why'))).rejects.toBe('why');
    await expect(systemClock.sleep(0, AbortSignal.abort('why'))).rejects.toBe('why');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tells wall time and time that only grows [E10]', () => {
    vi.setSystemTime(1_000);
    expect(systemClock.now()).toBe(1_000);
    const before = systemClock.monotonicMs();
    vi.advanceTimersByTime(50);
    expect(systemClock.monotonicMs() - before).toBe(50);
  });
});
