import { getEventListeners } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { abortable, withTimeLimit } from '../../../src/core/waiting.js';

const value = Symbol('value');
const failure = new Error('planned');
const aborted = new Error('aborted by the caller');
const late = new Error('late');

/** How often and with what a promise was settled. */
function settlements(promise: Promise<unknown>): unknown[] {
  const seen: unknown[] = [];
  promise.then(
    (each) => seen.push(['value', each]),
    (error: unknown) => seen.push(['error', error]),
  );
  return seen;
}

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;
const permutation = <T>(...events: readonly T[]) => fc.shuffledSubarray([...events], { minLength: 1, maxLength: events.length });

describe('a promise that a signal may cut short', () => {
  it('settles once, by whatever comes first, and leaves no listener behind [R25]', async () => {
    const expected = { resolve: ['value', value], reject: ['error', failure], abort: ['error', aborted] };
    await fc.assert(
      fc.asyncProperty(permutation('resolve' as const, 'reject' as const, 'abort' as const), async (events) => {
        const source = Promise.withResolvers<unknown>();
        const controller = new AbortController();
        const act = { resolve: () => source.resolve(value), reject: () => source.reject(failure), abort: () => controller.abort(aborted) };
        const seen = settlements(abortable(source.promise, controller.signal));
        expect(listeners(controller.signal)).toBe(1);
        for (const event of events) {
          act[event]();
          await turn();
          expect(seen).toEqual([expected[events[0] ?? event]]);
          expect(listeners(controller.signal)).toBe(0);
        }
      }),
    );
  });

  it('rejects with the reason of a signal that was aborted before, though the promise is settled [R25]', async () => {
    await fc.assert(
      fc.asyncProperty(fc.anything(), fc.boolean(), async (reason, fails) => {
        const signal = AbortSignal.abort(reason);
        const seen = settlements(abortable(fails ? Promise.reject(failure) : Promise.resolve(value), signal));
        await turn();
        expect(seen).toEqual([['error', signal.reason]]);
        expect(listeners(signal)).toBe(0);
      }),
    );
  });

  it('is the promise itself where there is no signal', () => {
    const promise = Promise.resolve(value);
    expect(abortable(promise, undefined)).toBe(promise);
  });

  it('leaves no listener of many waiters on one signal [R25]', async () => {
    const controller = new AbortController();
    const source = Promise.withResolvers<unknown>();
    const waiters = Array.from({ length: 100 }, () => abortable(source.promise, controller.signal));
    source.resolve(value);
    expect(new Set(await Promise.all(waiters))).toEqual(new Set([value]));
    expect(listeners(controller.signal)).toBe(0);
  });
});

describe('a task under a time limit', () => {
  type Event = 'resolve' | 'reject' | 'limit' | 'outer';
  const outcome: Record<Event, readonly [string, unknown]> = {
    resolve: ['value', value],
    reject: ['error', failure],
    limit: ['error', late],
    outer: ['error', aborted],
  };

  it('settles once, by whatever comes first, and leaves neither a sleep nor a listener behind [R20]', async () => {
    await fc.assert(
      fc.asyncProperty(permutation<Event>('resolve', 'reject', 'limit', 'outer'), fc.nat(60_000), fc.boolean(), async (events, limitMs, hasOuter) => {
        const clock = virtualClock();
        const outer = new AbortController();
        const source = Promise.withResolvers<unknown>();
        const signals: AbortSignal[] = [];
        const act: Record<Event, () => unknown> = {
          resolve: () => source.resolve(value),
          reject: () => source.reject(failure),
          limit: () => clock.step(),
          outer: () => outer.abort(aborted),
        };
        const task = (signal: AbortSignal): Promise<unknown> => {
          signals.push(signal);
          return source.promise;
        };
        const seen = settlements(withTimeLimit(clock, limitMs + 1, task, () => late, hasOuter ? outer.signal : undefined));
        const first = events.find((event) => hasOuter || event !== 'outer');
        for (const event of events) {
          act[event]();
          await turn();
        }
        expect(signals).toHaveLength(1);
        expect(listeners(outer.signal)).toBe(0);
        if (first === undefined) return;
        expect(seen).toEqual([outcome[first]]);
        expect(clock.pending).toBe(0);
        const cut = first === 'limit' || first === 'outer';
        expect([signals[0]?.aborted, signals[0]?.reason]).toEqual([cut, cut ? outcome[first][1] : undefined]);
        for (const signal of signals) expect(listeners(signal)).toBe(0);
      }),
    );
  });

  it('is never begun when the outer signal was aborted before [R25]', async () => {
    await fc.assert(
      fc.asyncProperty(fc.anything(), fc.nat(60_000), async (reason, limitMs) => {
        const clock = virtualClock();
        const outer = AbortSignal.abort(reason);
        let begun = false;
        const task = async (): Promise<void> => {
          begun = true;
        };
        const seen = settlements(withTimeLimit(clock, limitMs, task, () => late, outer));
        await turn();
        expect([seen, begun, clock.pending, listeners(outer)]).toEqual([[['error', outer.reason]], false, 0, 0]);
      }),
    );
  });

  it('ends at its limit to the millisecond, not before [R20]', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60_000 }), async (limitMs) => {
        const clock = virtualClock();
        const began = clock.monotonicMs();
        const seen = settlements(
          withTimeLimit(
            clock,
            limitMs,
            () => new Promise(() => undefined),
            () => late,
          ),
        );
        await turn();
        expect([seen, clock.pending]).toEqual([[], 1]);
        clock.step();
        await turn();
        expect([seen, clock.monotonicMs() - began]).toEqual([[['error', late]], limitMs]);
      }),
    );
  });

  it('asks for its reason only when the limit is reached', async () => {
    const clock = virtualClock();
    let asked = 0;
    await withTimeLimit(
      clock,
      1_000,
      () => Promise.resolve(value),
      () => asked++,
    );
    while (clock.step());
    await turn();
    expect(asked).toBe(0);
  });

  it('passes on what a task throws before it has a promise, and cleans up', async () => {
    const clock = virtualClock();
    const { signal } = new AbortController();
    const task = (): Promise<never> => {
      throw failure;
    };
    await expect(withTimeLimit(clock, 1_000, task, () => late, signal)).rejects.toBe(failure);
    await turn();
    expect([clock.pending, listeners(signal)]).toEqual([0, 0]);
  });

  it('fails by the failure of a clock that cannot sleep', async () => {
    const clock = { ...virtualClock(), sleep: () => Promise.reject(failure) };
    await expect(
      withTimeLimit(
        clock,
        1_000,
        () => new Promise(() => undefined),
        () => late,
      ),
    ).rejects.toBe(failure);
  });
});
