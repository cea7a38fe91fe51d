import type { Clock } from './clock.js';
import { systemClock } from './system-clock.js';

let readAtMs = -1;
let monotonicMs = 0;

/**
 * A clock's monotonic time, for somebody who has just read its wall time. That of the machine is repeated while its wall time
 * stays on the same millisecond: reading clocks is most of what a cached token costs.
 */
export function monotonicMsAt(wallMs: number, clock: Clock): number {
  if (clock !== systemClock) return clock.monotonicMs();
  if (wallMs !== readAtMs) {
    readAtMs = wallMs;
    monotonicMs = clock.monotonicMs();
  }
  return monotonicMs;
}
