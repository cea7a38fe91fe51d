import { type Clock, systemClock } from 'tokenkeep';

/** The machine's clock, moved on by what `advance` adds up to: expiry comes without waiting for it. */
export function shiftedClock(): Clock & { advance(ms: number): void } {
  let shiftMs = 0;
  return {
    now: () => systemClock.now() + shiftMs,
    monotonicMs: () => systemClock.monotonicMs() + shiftMs,
    sleep: (ms, signal, options) => systemClock.sleep(ms, signal, options),
    advance(ms) {
      shiftMs += ms;
    },
  };
}
