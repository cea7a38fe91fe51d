import type { AccessToken } from '../core/access-token.js';
import type { Clock } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import type { RenewalReason } from '../core/events.js';
import { type Instant, instant } from '../core/instant.js';
import { abortable, withTimeLimit } from '../core/waiting.js';
import type { TokenRequest } from './decide.js';
import { limits } from './retry.js';

const shareWaitMs = 1_000;

/** One shared renewal, and those who wait for it. It goes on when they leave. */
export class Flight {
  readonly reason: RenewalReason;
  /** Nobody waits for it (yet). */
  background: boolean;
  /** What all who joined ask for together. */
  want: TokenRequest;
  /** When it got the lock: its time runs from there. */
  began: Instant;
  /** A refresh token was sent: the renewal must go on until its successor is stored. */
  spending = false;
  /** The refresh token in use was sent, and nothing came back. */
  unanswered = false;
  /** It ended because somebody else holds the lock, and nobody waited for it. */
  gaveWay = false;
  /** Where its token came from. */
  source: 'server' | 'store' | undefined = undefined;
  /** Called when somebody begins to wait for what ran in the background. */
  onWanted: (() => void) | undefined = undefined;
  /** Ends the renewal: when the manager is disposed or forgets its tokens. */
  readonly cancel: AbortController = new AbortController();
  /** Settles with the renewal; never an unhandled rejection. */
  readonly outcome: Promise<AccessToken>;
  readonly #clock: Clock;
  readonly #left: AbortController = new AbortController();
  // Callers that come within a second share one promise and one timer, however many they are.
  #wait: { readonly since: number; readonly token: Promise<AccessToken> } | undefined;

  constructor(clock: Clock, reason: RenewalReason, background: boolean, want: TokenRequest, renew: (flight: Flight) => Promise<AccessToken>) {
    this.#clock = clock;
    this.reason = reason;
    this.background = background;
    this.want = want;
    this.began = instant(clock);
    this.outcome = renew(this);
    this.outcome.catch(() => undefined);
  }

  /** Waits for the outcome, for 35 s at most; an abort ends this wait alone. */
  join(request: TokenRequest | undefined, signal: AbortSignal | undefined): Promise<AccessToken> {
    if (request)
      this.want = { invalidToken: request.invalidToken ?? this.want.invalidToken, minValidMs: Math.max(request.minValidMs ?? 0, this.want.minValidMs ?? 0) };
    if (this.background) {
      this.background = false;
      this.onWanted?.();
    }
    const now = this.#clock.monotonicMs();
    if (!this.#wait || now - this.#wait.since >= shareWaitMs) {
      const timeout = () => new TokenError('wait_timeout', `no token within ${limits.callerMs} ms; the renewal goes on`, { phase: 'wait' });
      this.#wait = { since: now, token: withTimeLimit(this.#clock, limits.callerMs, () => this.outcome, timeout, this.#left.signal) };
    }
    return abortable(this.#wait.token, signal);
  }

  /** Ends all waits, and the renewal itself unless a refresh token is under way. */
  leave(reason: TokenError): void {
    this.#left.abort(reason);
    if (!this.spending) this.cancel.abort(reason);
  }
}
