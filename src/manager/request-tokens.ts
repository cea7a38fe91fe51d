import { TokenError } from '../core/errors.js';
import { ageMs, type Instant, instant } from '../core/instant.js';
import type { TokenSet } from '../core/token-set.js';
import { askGrant } from './ask-grant.js';
import { sessionChanged } from './failures.js';
import { asTokenError } from './as-token-error.js';
import type { Flight } from './flight.js';
import { toTokenSet } from './record-token-set.js';
import type { RenewalTools } from './renewal-tools.js';
import { limits, retryDelayMs } from './retry.js';
import type { TargetEntry } from './target-entry.js';
import { targetLabel } from './target-of.js';

/**
 * Asks the grant for tokens, again where that may help and the flight has time for it.
 * @returns the tokens, and when they were sent for
 * @throws {TokenError}
 */
export async function requestTokens(
  entry: TargetEntry,
  flight: Flight,
  tools: RenewalTools,
  epoch: number,
  lockHeld: AbortSignal,
): Promise<readonly [TokenSet, Instant]> {
  const { grant, clock, oneRecord: refreshToken } = tools;
  const { keeper } = entry;
  const cancelled = flight.cancel.signal;
  let failed: TokenError | undefined;
  for (let attempt = 1; ; attempt++) {
    if (attempt > 1) await leaveEndpointAlone(flight, tools);
    // Everything was forgotten meanwhile.
    if (keeper.record.epoch !== epoch || entry.flight !== flight) throw sessionChanged();
    if (lockHeld.aborted) throw new TokenError('lock_lost', 'the lock was lost before the request was sent', { phase: 'lock' });
    const sending = instant(clock);
    const remainingMs = remaining(flight, tools);
    // Not without time for the answer: a machine may have slept meanwhile, and a refresh token would be spent for nothing.
    if (remainingMs < limits.leastMs) throw failed ?? new TokenError('timeout', 'the time for this renewal is over', { phase: 'token' });
    const limitMs = Math.min(refreshToken && attempt === 1 ? limits.firstRefreshMs : limits.attemptMs, remainingMs);
    try {
      const current = toTokenSet(keeper.record, entry.stored);
      const tokens = await askGrant(tools, entry.target, 'token', limitMs, (context) => grant.request(current, context), cancelled);
      // Not the pause that another target's later request was told.
      if (tools.pause && tools.pause.mono <= sending.mono) tools.pause = undefined;
      return [tokens, sentInstant(tokens, sending, clock.monotonicMs())];
    } catch (caught) {
      cancelled.throwIfAborted();
      const error = asTokenError(caught);
      flight.unanswered ||= !isAnswer(error);
      const ms = error.retryAfterMs ?? 0;
      if (error.kind === 'transient' && ms > pauseMs(tools)) tools.pause = { ...instant(clock), ms: Math.min(ms, limits.retryAfterMs) };
      const { background } = flight;
      const retryInMs = retryDelayMs({ error, attempt, refreshToken, background, remainingMs: remaining(flight, tools), random: tools.random() });
      failed = error.with({ attempts: attempt });
      if (retryInMs === undefined) throw failed;
      tools.report({ type: 'attempt_failed', error, attempt, retryInMs, target: targetLabel(entry.target) });
      await clock.sleep(retryInMs, cancelled);
    }
  }
}

/**
 * Waits while the endpoint has asked to be left alone, perhaps for another target.
 * @throws {TokenError} `rate_limited` when nobody waits, or the flight has no time for it.
 */
export async function leaveEndpointAlone(flight: Flight, tools: RenewalTools): Promise<void> {
  // It may ask again meanwhile.
  for (let retryAfterMs = pauseMs(tools); retryAfterMs > 0; retryAfterMs = pauseMs(tools)) {
    if (flight.background || retryAfterMs >= remaining(flight, tools))
      throw new TokenError('rate_limited', 'the token endpoint asked to be left alone', { phase: 'token', retryAfterMs, fromCache: true });
    await tools.clock.sleep(Math.ceil(retryAfterMs), flight.cancel.signal);
  }
}

/** The server looked at the request and did not rotate anything. */
export function isAnswer(error: TokenError): boolean {
  return error.kind !== 'transient' || error.code === 'rate_limited';
}

function pauseMs({ pause, clock }: RenewalTools): number {
  return !pause ? 0 : pause.ms - ageMs(pause, clock);
}

function remaining({ began }: Flight, { clock }: RenewalTools): number {
  return limits.flightMs - ageMs(began, clock);
}

// Discovery may have taken its time before the token request was sent; never later than the answer.
function sentInstant({ sentAt }: TokenSet, began: Instant, answeredMono: number): Instant {
  return { wall: sentAt, mono: Math.min(began.mono + Math.max(sentAt - began.wall, 0), answeredMono) };
}
