import type { Clock } from '../../core/clock.js';
import { isTokenError, TokenError } from '../../core/errors.js';
import { ageMs } from '../../core/instant.js';
import type { TokenSet } from '../../core/token-set.js';
import { withTimeLimit } from '../../core/waiting.js';
import type { DeviceAuthorization } from './device-authorization.js';

const attemptMs = 10_000;
const slowDownMs = 5_000;
const longestWaitMs = 60_000;

/**
 * Asks the token endpoint until the user has decided (RFC 8628 §3.3 to §3.5): every `interval`, 5 s slower for good after each
 * `slow_down`, and twice as slow as before each time that the server cannot be reached.
 * @throws {TokenError} `login_required` when the user declined or the code ran out; the signal's reason.
 */
export async function pollDevice(
  { expiresInMs, prompt }: DeviceAuthorization,
  ask: (signal: AbortSignal) => Promise<TokenSet>,
  clock: Clock,
  signal: AbortSignal,
): Promise<TokenSet> {
  const began = { wall: prompt.expiresAt - expiresInMs, mono: clock.monotonicMs() };
  const leftMs = (): number => expiresInMs - ageMs(began, clock);
  const timeout = (): TokenError => new TokenError('timeout', `no answer from the token endpoint within ${attemptMs} ms`, { phase: 'device' });
  let { intervalMs } = prompt;
  let waitMs = intervalMs;
  for (;;) {
    const untilMs = Math.min(waitMs, Math.max(leftMs(), 0));
    await clock.sleep(untilMs, signal);
    // Never sooner than it may be asked, only because the code runs out.
    if (untilMs < waitMs || leftMs() <= 0) throw signInNeeded('the code ran out before the user had entered it');
    try {
      return await withTimeLimit(clock, attemptMs, ask, timeout, signal);
    } catch (error) {
      if (signal.aborted || !isTokenError(error)) throw error;
      const { oauthError, retryAfterMs = 0 } = error;
      if (oauthError === 'slow_down') waitMs = intervalMs = Math.max(intervalMs + slowDownMs, retryAfterMs);
      else if (oauthError === 'authorization_pending') waitMs = intervalMs;
      else if (oauthError === 'access_denied') throw signInNeeded('the user declined', error);
      else if (oauthError === 'expired_token' || oauthError === 'token_expired') throw signInNeeded('the code ran out before the user had entered it', error);
      else if (error.kind === 'transient') waitMs = Math.max(Math.min(waitMs * 2, Math.max(longestWaitMs, intervalMs)), retryAfterMs);
      else throw error;
    }
  }
}

function signInNeeded(what: string, { oauthError, status }: Partial<TokenError> = {}): TokenError {
  return new TokenError('login_required', `${what}; a new sign-in is needed`, { phase: 'device', oauthError, status });
}
