import { type AccessToken, createAccessToken } from '../core/access-token.js';
import { isTokenError, TokenError } from '../core/errors.js';
import type { GrantContext } from '../core/grant.js';
import type { TokenSet } from '../core/token-set.js';
import { isTokenValue } from '../core/token-value.js';
import { withTimeLimit } from '../core/waiting.js';
import { decide } from './decide.js';
import { asTokenError, endedError, sessionChanged } from './failures.js';
import type { Flight } from './flight.js';
import { toTokenSet } from './record-token-set.js';
import type { RenewalTools } from './renewal-tools.js';
import { limits, retryDelayMs } from './retry.js';
import { type EndReason, graceMs, type HeldToken, holdToken, type Instant } from './state.js';
import { heldFor, type TargetEntry } from './target-entry.js';
import { targetLabel } from './target-key.js';

const rounds = 3;

/**
 * What happens while the lock is held: adopt what somebody else renewed meanwhile, or journal the intent, send the
 * request, and store the result before anybody is answered.
 * @throws {TokenError}
 */
export async function renewUnderLock(entry: TargetEntry, flight: Flight, tools: RenewalTools, lockHeld: AbortSignal): Promise<AccessToken> {
  const { grant, clock, report, now, ageMs } = tools;
  const { keeper } = entry;
  const { signal: cancelled } = flight.cancel;
  const target = targetLabel(entry.target);
  const rotates = grant.renews === 'refreshToken';
  const began = now();
  const remainingMs = (): number => limits.flightMs - ageMs(began);
  const context = (signal: AbortSignal): GrantContext => ({ target: entry.target, clock, signal, report });
  // The refresh token in use was sent, and nothing came back.
  let unanswered = false;

  for (let round = 1; round <= rounds; round++) {
    await tolerateStore(keeper.read());
    const found = heldFor(entry);
    const { wall, mono } = now();
    const { pending } = keeper.record;
    // Nobody needs another token yet, but the refresh token can only be saved while its grace window is open.
    const urgent = flight.background && pending !== undefined && ageMs(pending) < graceMs;
    if (found !== undefined && !urgent && decide({ ...entry, held: found, flight: undefined, cooldown: undefined }, flight.want, wall, mono).do === 'use')
      return announce('store', found);
    const token = await renew();
    if (token !== undefined) return token;
  }
  throw sessionChanged();

  // Undefined: the record was changed by somebody else meanwhile; look again.
  async function renew(): Promise<AccessToken | undefined> {
    const { epoch, ended, refreshToken: sent } = keeper.record;
    if (ended !== undefined) throw endedError(ended);
    cancelled.throwIfAborted();
    await leaveEndpointAlone();
    flight.spending = rotates;
    if (rotates && grant.keepsRefreshToken !== true) {
      const sentDigest = await tools.digest(sent ?? '');
      unanswered = keeper.record.pending?.sentDigest === sentDigest;
      if ((await tolerateStore(keeper.apply({ type: 'sending', epoch, sent, pending: { sentDigest, ...now() } }))) !== 'write') return undefined;
    }
    try {
      return await store(await request(epoch), epoch, sent);
    } catch (error) {
      if (!isTokenError(error)) throw error;
      if (rotates && error.code === 'grant_revoked') return refused(error, epoch, sent);
      // An attempt before this answer may have rotated all the same.
      if (isAnswer(error) && !unanswered && keeper.record.pending !== undefined) await tolerateStore(keeper.apply({ type: 'answered', epoch, sent }));
      throw error;
    }
  }

  async function request(epoch: number): Promise<{ readonly tokens: TokenSet; readonly sentAt: Instant }> {
    let failed: TokenError | undefined;
    for (let attempt = 1; ; attempt++) {
      if (attempt > 1) await leaveEndpointAlone();
      // Everything was forgotten meanwhile.
      if (keeper.record.epoch !== epoch || entry.flight !== flight) throw sessionChanged();
      if (lockHeld.aborted) throw new TokenError('lock_lost', 'the lock was lost before the request was sent', { phase: 'lock' });
      // Not without time for the answer: a machine may have slept meanwhile, and a refresh token would be spent for nothing.
      if (remainingMs() < limits.leastMs) throw failed ?? new TokenError('timeout', 'the time for this renewal is over', { phase: 'token' });
      const sending = now();
      const limitMs = Math.min(rotates && attempt === 1 ? limits.firstRefreshMs : limits.attemptMs, remainingMs());
      const timeout = (): TokenError => new TokenError('timeout', `no answer from the token endpoint within ${limitMs} ms`, { phase: 'token' });
      try {
        const current = toTokenSet(keeper.record, heldFor(entry));
        const tokens = await withTimeLimit(clock, limitMs, async (signal) => grant.request(current, context(signal)), timeout, cancelled);
        // Not the pause that another target's later request was told.
        if (tools.pause !== undefined && tools.pause.mono <= sending.mono) tools.pause = undefined;
        return { tokens, sentAt: sentInstant(tokens, sending, now()) };
      } catch (caught) {
        cancelled.throwIfAborted();
        const error = asTokenError(caught);
        if (!isAnswer(error)) unanswered = true;
        if (error.kind === 'transient' && error.retryAfterMs !== undefined && error.retryAfterMs > pauseMs())
          tools.pause = { ...now(), ms: Math.min(error.retryAfterMs, limits.retryAfterMs) };
        const retryInMs = retryDelayMs({
          error,
          attempt,
          refreshToken: rotates,
          background: flight.background,
          remainingMs: remainingMs(),
          random: tools.random(),
        });
        failed = error.with({ attempts: attempt });
        if (retryInMs === undefined) throw failed;
        report({ type: 'attempt_failed', error, attempt, retryInMs, target });
        await clock.sleep(retryInMs, cancelled);
      }
    }
  }

  async function store(
    { tokens, sentAt }: { readonly tokens: TokenSet; readonly sentAt: Instant },
    epoch: number,
    sent: string | undefined,
  ): Promise<AccessToken | undefined> {
    if (!isTokenValue(tokens.accessToken))
      throw new TokenError('unacceptable_response', 'the grant gave no access token that fits into a header', { phase: 'token' });
    const repeated = tokens.accessToken === (heldFor(entry)?.token.value ?? flight.want.invalidToken);
    if (repeated && grant.renews === 'never') throw new TokenError('static_token_expired', 'the static token was refused or has expired', { phase: 'token' });
    if (repeated) report({ type: 'warning', code: 'same_token_returned', message: 'the server returned the token that was to be replaced' });
    const held = holdToken(tokens, createAccessToken(tokens, tools.windows.prove), entry.key, sentAt, tools.windows, repeated);
    const { idToken, raw } = tokens;
    // A token that the server already gave is served even if it cannot be stored.
    const done = await keeper
      .apply({ type: 'renewed', epoch, sent, held, refreshToken: rotates ? tokens.refreshToken : undefined, idToken, raw })
      .catch(storeFailed);
    if (done === 'write') return announce('server', held);
    if (done === 'adopt') return undefined;
    const limit = (): TokenError => new TokenError('timeout', 'revocation took too long', { phase: 'revocation' });
    await withTimeLimit(clock, limits.revokeMs, async (signal) => grant.revoke?.(tokens, context(signal)), limit).catch(() => undefined);
    throw sessionChanged();
  }

  // Before the grant is declared dead the store is read again: another context may have rotated the refresh token.
  async function refused(error: TokenError, epoch: number, sent: string | undefined): Promise<undefined> {
    await keeper.read().catch(() => undefined);
    if (keeper.record.epoch === epoch && keeper.record.refreshToken !== sent) return undefined;
    const reason: EndReason = unanswered ? 'rotation_lost' : 'grant_revoked';
    const done = await keeper.apply({ type: 'ended', epoch, sent, reason, refused: flight.want.invalidToken }).catch(storeFailed);
    if (done === 'adopt') return undefined;
    if (done === 'drop') throw sessionChanged();
    report({ type: 'session_ended', reason });
    throw endedError(reason).with({ oauthError: error.oauthError, status: error.status });
  }

  // The endpoint asked to be left alone, perhaps for another target.
  async function leaveEndpointAlone(): Promise<void> {
    // It may ask again meanwhile.
    for (let retryAfterMs = pauseMs(); retryAfterMs > 0; retryAfterMs = pauseMs()) {
      if (flight.background || retryAfterMs >= remainingMs()) {
        throw new TokenError('rate_limited', 'the token endpoint asked to be left alone', { phase: 'token', retryAfterMs, fromCache: true });
      }
      await clock.sleep(Math.ceil(retryAfterMs), cancelled);
    }
  }

  function pauseMs(): number {
    return tools.pause === undefined ? 0 : tools.pause.ms - ageMs(tools.pause);
  }

  // A renewal without a refresh token loses nothing when the store is down. With one, a shared store that cannot take
  // the intent means that nothing is sent: another process could not see that the refresh token is spent.
  function tolerateStore<T>(step: Promise<T>): Promise<T | 'write'> {
    return rotates && tools.sharedStore ? step : step.catch(storeFailed);
  }

  function storeFailed(error: unknown): 'write' {
    report({ type: 'storage_error', error: asTokenError(error) });
    return 'write';
  }

  function announce(source: 'server' | 'store', { token }: HeldToken): AccessToken {
    report({ type: 'token', source, reason: flight.reason, background: flight.background, expiresAt: token.expiresAt, target });
    return token;
  }
}

// The server looked at the request and did not rotate anything.
function isAnswer(error: TokenError): boolean {
  return error.kind !== 'transient' || error.code === 'rate_limited';
}

// Discovery may have taken its time before the token request was sent; never later than the answer.
function sentInstant(tokens: TokenSet, began: Instant, answered: Instant): Instant {
  const laterMs = Math.min(Math.max(tokens.sentAt - began.wall, 0), answered.mono - began.mono);
  return { wall: tokens.sentAt, mono: began.mono + laterMs };
}
