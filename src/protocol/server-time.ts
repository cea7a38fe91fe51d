import type { Clock } from '../core/clock.js';

const longestRoundTripMs = 5_000;
const smallestOffsetMs = 2_000;
const largestOffsetMs = 24 * 3_600_000;

/**
 * What the server's answers say of its clock. It dates what this client signs, never the lifetime of a token.
 * (`standards.md` E13)
 */
export class ServerTime {
  #offsetMs = 0;

  /** Epoch milliseconds as the server counts them, as far as that is known. */
  now(clock: Clock): number {
    return clock.now() + this.#offsetMs;
  }

  /** Learns from the `Date` of an answer (RFC 9110 §6.6.1). True when what was signed before must have looked wrong. */
  learn(headers: Headers, sentAt: number, receivedAt: number): boolean {
    const date = Date.parse(headers.get('date') ?? '');
    if (Number.isNaN(date) || receivedAt - sentAt > longestRoundTripMs) return false;
    const offsetMs = date - (sentAt + receivedAt) / 2;
    const before = this.#offsetMs;
    this.#offsetMs = Math.abs(offsetMs) < smallestOffsetMs ? 0 : Math.max(-largestOffsetMs, Math.min(offsetMs, largestOffsetMs));
    return Math.abs(this.#offsetMs - before) > smallestOffsetMs;
  }
}
