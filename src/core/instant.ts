import type { Clock } from './clock.js';

/** An instant on both clocks. Elapsed time is the larger of the two differences: either clock may stand still or be set back. */
export interface Instant {
  readonly wall: number;
  readonly mono: number;
}

export function instant(clock: Clock): Instant {
  return { wall: clock.now(), mono: clock.monotonicMs() };
}

/** Milliseconds since an instant, never less than either clock says. (`standards.md` E8) */
export function elapsedMs(since: Instant, wall: number, mono: number): number {
  return Math.max(wall - since.wall, mono - since.mono);
}

/** The same, until now. */
export function ageMs(since: Instant, clock: Clock): number {
  return elapsedMs(since, clock.now(), clock.monotonicMs());
}
