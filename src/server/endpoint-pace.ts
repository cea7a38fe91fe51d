import type { Clock } from '../core/clock.js';
import { isTokenError, TokenError } from '../core/errors.js';
import type { Grant } from '../core/grant.js';

const windowMs = 1_000;
const longestRetryAfterMs = 3_600_000;
// Below what the server has just taken, so that others who share the limit have room, and back up by a hundredth a second.
const share = 0.8;
const growth = 0.01;
const slowest = 0.2;
const fastest = 200;

/** How fast one token endpoint may be asked, as its own answers tell: nothing is assumed until it says that it was too much. (`standards.md` R22, R23) */
export class EndpointPace {
  readonly #clock: Clock;
  /** Instants of the requests that were taken within the last second. */
  #accepted: readonly number[] = [];
  #perSecond: number | undefined;
  #limitedAt = -Infinity;
  #pausedUntil = -Infinity;
  #nextAt = -Infinity;
  /** Called when the endpoint asked to be left alone. */
  onPaused: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** For how much longer nothing may be sent. */
  pausedMs(): number {
    return Math.max(this.#pausedUntil - this.#clock.monotonicMs(), 0);
  }

  /** For how much longer the next renewal should not begin. */
  waitMs(): number {
    return Math.max(this.pausedMs(), this.#nextAt - this.#clock.monotonicMs(), 0);
  }

  began(): void {
    if (this.#perSecond !== undefined) this.#nextAt = Math.max(this.#clock.monotonicMs(), this.#nextAt) + 1_000 / this.#perSecond;
  }

  accepted(): void {
    const now = this.#clock.monotonicMs();
    this.#accepted = [...this.#accepted.filter((at) => now - at < windowMs), now].slice(-fastest);
    if (this.#perSecond === undefined) return;
    this.#perSecond += growth;
    if (this.#perSecond > fastest) this.#perSecond = undefined;
  }

  /** The endpoint said that it was too much. What it had taken in the second before is what it takes. */
  limited(retryAfterMs: number | undefined): void {
    const now = this.#clock.monotonicMs();
    // Requests that were under way together say the same thing once.
    if (now - this.#limitedAt >= windowMs) {
      const taken = this.#accepted.filter((at) => now - at < windowMs).length;
      this.#perSecond = Math.max(taken > 0 ? taken * share : (this.#perSecond ?? 2) / 2, slowest);
      this.#limitedAt = now;
    }
    this.#pausedUntil = Math.max(this.#pausedUntil, now + Math.min(retryAfterMs ?? windowMs, longestRetryAfterMs));
    this.onPaused?.();
  }
}

/** What those get who come while the endpoint wants to be left alone. */
export function leftAlone(retryAfterMs: number): TokenError {
  return new TokenError('rate_limited', 'the token endpoint asked to be left alone', {
    phase: 'token',
    retryAfterMs: Math.ceil(retryAfterMs),
    fromCache: true,
  });
}

/** The grant, whose answers set the pace; nothing is sent while the endpoint wants to be left alone. */
export function pacedGrant(grant: Grant, pace: EndpointPace): Grant {
  return {
    ...grant,
    async request(current, context) {
      const pausedMs = pace.pausedMs();
      if (pausedMs > 0) throw leftAlone(pausedMs);
      try {
        const tokens = await grant.request(current, context);
        pace.accepted();
        return tokens;
      } catch (error) {
        if (isTokenError(error) && (error.code === 'rate_limited' || (error.status === 503 && error.retryAfterMs !== undefined)))
          pace.limited(error.retryAfterMs);
        throw error;
      }
    },
  };
}
