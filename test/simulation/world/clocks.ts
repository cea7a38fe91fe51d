import type { Clock } from 'tokenkeep';

/** A moment by both clocks. */
export interface Moment {
  readonly wall: number;
  readonly mono: number;
}

export function momentOf(clock: Clock): Moment {
  return { wall: clock.now(), mono: clock.monotonicMs() };
}

/** Milliseconds since a moment, by the clock that says more. */
export function elapsedSince(since: Moment, now: Moment): number {
  return Math.max(now.wall - since.wall, now.mono - since.mono);
}

/** A clock that knows how many of its own sleeps are open. */
export interface CountedClock extends Clock {
  readonly open: number;
}

export function countedClock(clock: Clock): CountedClock {
  let open = 0;
  return {
    get open() {
      return open;
    },
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    async sleep(ms, signal, options) {
      open++;
      try {
        await clock.sleep(ms, signal, options);
      } finally {
        open--;
      }
    },
  };
}
