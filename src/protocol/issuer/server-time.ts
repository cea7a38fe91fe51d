import type { Clock } from '../../core/clock.js';

const longestRoundTripMs = 5_000;
const smallestOffsetMs = 2_000;
const largestOffsetMs = 24 * 3_600_000;

/**
 * What the server's answers say of its clock. It dates what this client signs, never the lifetime of a token.
 * (`standards.md` E13)
 */
export class ServerTime {
  #offsetMs = 0;
  #since: { readonly wall: number; readonly mono: number } | undefined;
  #isTold = false;

  /** Whether an answer has told its date. In browsers it rarely may: `Date` is hidden from other origins. */
  get isTold(): boolean {
    return this.#isTold;
  }

  /** Epoch milliseconds as the server counts them, as far as that is known. */
  now(clock: Clock): number {
    const wall = clock.now();
    const mono = clock.monotonicMs();
    this.#since ??= { wall, mono };
    // Either clock may stand still or be set back between two answers.
    return this.#offsetMs + Math.max(wall, this.#since.wall + mono - this.#since.mono);
  }

  /** Learns from the `Date` of an answer (RFC 9110 §6.6.1). True when what was signed before must have looked wrong. */
  learn(headers: Headers, sentAt: number, clock: Clock): boolean {
    const date = Date.parse(headers.get('date') ?? '');
    if (Number.isNaN(date) || Math.abs(clock.now() - sentAt) > longestRoundTripMs) return false;
    this.#isTold = true;
    return this.set(date, sentAt, clock);
  }

  /** Learns from an instant that the server named in its answer to a request. */
  set(date: number, sentAt: number, clock: Clock): boolean {
    const wall = clock.now();
    const before = this.now(clock);
    const offsetMs = date - (sentAt + wall) / 2;
    this.#offsetMs = Math.abs(offsetMs) < smallestOffsetMs ? 0 : Math.max(-largestOffsetMs, Math.min(offsetMs, largestOffsetMs));
    this.#since = { wall, mono: clock.monotonicMs() };
    return Math.abs(this.now(clock) - before) > smallestOffsetMs;
  }
}
