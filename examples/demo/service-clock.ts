import { type Clock, systemClock } from 'tokenkeep';

/** The machine's clock, set wrong by an offset that may change at any time. */
export interface ServiceClock extends Clock {
  readonly offsetMs: number;
  jump(byMs: number): void;
}

/** What a person changes who sets a clock: wall time. Nothing they do turns back the monotonic clock. */
export function createServiceClock(): ServiceClock {
  let offsetMs = 0;
  return {
    ...systemClock,
    now: () => systemClock.now() + offsetMs,
    get offsetMs() {
      return offsetMs;
    },
    jump(byMs) {
      offsetMs += byMs;
    },
  };
}
