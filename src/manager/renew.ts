import { type AccessToken, createAccessToken } from '../core/access-token.js';
import { isTokenError, TokenError } from '../core/errors.js';
import { ageMs, type Instant, instant } from '../core/instant.js';
import type { TokenSet } from '../core/token-set.js';
import { isTokenValue } from '../core/token-value.js';
import { adopt, announce } from './adopt.js';
import { askGrant } from './ask-grant.js';
import type { Commit, Outcome } from './commit.js';
import { endedError, sessionChanged } from './failures.js';
import { asTokenError } from './as-token-error.js';
import type { Flight } from './flight.js';
import type { RenewalTools } from './renewal-tools.js';
import { isAnswer, leaveEndpointAlone, requestTokens } from './request-tokens.js';
import { limits } from './retry.js';
import { type EndReason, graceMs, holdToken, type PendingRotation } from './state.js';
import type { TargetEntry } from './target-entry.js';

const rounds = 3;
// Callers wait meanwhile.
const offeringMs = 3_000;
const offerMs = 250;
const secondLookMs = 2_000;
// Marks of requests that failed here: no answer to them is on its way to the store.
const failedHere = new WeakSet<PendingRotation>();

/**
 * One renewal from the queue to the stored result: a slot at the token endpoint, then the lock, then a second look at
 * the store, and only then the intent, a request, and the result in the store before anybody is answered.
 * @throws {TokenError}
 */
export function renew(entry: TargetEntry, flight: Flight, tools: RenewalTools): Promise<AccessToken> {
  const { grant, oneRecord: rotates, clock, store, report } = tools;
  const journals = rotates && grant.keepsRefreshToken !== true;
  // Processes that outlive one another; a page is gone with its store, or waits for neither.
  const isFleet = journals && store?.shared === true && !tools.endsWithStore;
  const { keeper } = entry;
  const cancelled = flight.cancel.signal;
  return tools.queue.run(takeLock, flight);

  async function takeLock(): Promise<AccessToken> {
    const name = await keeper.name();
    for (;;) {
      cancelled.throwIfAborted();
      // Nobody waits in the background: whoever holds the lock is renewing already.
      const { background } = flight;
      let running: Promise<AccessToken> | undefined;
      const task = (held: AbortSignal): Promise<AccessToken> => {
        running = renewUnderLock(held);
        return running;
      };
      try {
        return await tools.lock.run(name, task, { waitMs: background ? 0 : limits.lockMs, signal: cancelled });
      } catch (error) {
        // A lock that fails afterwards takes nothing back.
        if (running) return await running;
        if (cancelled.aborted) throw error;
        if (!isTokenError(error)) {
          // The lock itself failed. Without a refresh token nothing can be spent twice.
          if (!journals) return task(new AbortController().signal);
          throw new TokenError('lock_timeout', 'the lock failed', { phase: 'lock' });
        }
        // The holder may have stored its result by now. Who waits takes any usable token, who does not only a fresh one.
        await keeper.read().catch(() => undefined);
        const token = adopt(entry, flight, tools, !flight.background);
        if (token) return token;
        // Who came to wait meanwhile waits for the lock.
        if (background && !flight.background) continue;
        flight.gaveWay = background;
        throw error;
      }
    }
  }

  async function renewUnderLock(lockHeld: AbortSignal): Promise<AccessToken> {
    flight.began = instant(clock);
    for (let round = 1; round <= rounds; round++) {
      await tolerateStore(keeper.read());
      // Whoever sent it may be alive without the lock, with the answer, and on the way to store it.
      const mark = keeper.record.pending;
      if (isFleet && round === 1 && mark && !failedHere.has(mark) && ageMs(mark, clock) < graceMs) {
        await clock.sleep(secondLookMs, cancelled);
        await tolerateStore(keeper.read());
      }
      const { pending } = keeper.record;
      // Nobody needs another token yet, but the refresh token can only be saved while its grace window is open.
      const urgent = flight.background && pending && ageMs(pending, clock) < graceMs;
      const token = (urgent ? undefined : adopt(entry, flight, tools, false)) ?? (await renewOnce(lockHeld));
      if (token) return token;
    }
    throw sessionChanged();
  }

  // Undefined: the record was changed by somebody else meanwhile; look again.
  async function renewOnce(lockHeld: AbortSignal): Promise<AccessToken | undefined> {
    const { epoch, ended, refreshToken: sent } = keeper.record;
    if (ended) throw endedError(ended);
    cancelled.throwIfAborted();
    await leaveEndpointAlone(flight, tools);
    flight.spending = rotates;
    let mark: PendingRotation | undefined;
    if (journals) {
      const sentDigest = await tools.digest(sent ?? '');
      flight.unanswered = keeper.record.pending?.sentDigest === sentDigest;
      mark = { sentDigest, ...instant(clock) };
      if ((await tolerateStore(keeper.apply({ type: 'sending', epoch, sent, pending: mark }))) !== 'write') return undefined;
    }
    try {
      return await keep(await requestTokens(entry, flight, tools, epoch, lockHeld), epoch, sent);
    } catch (caught) {
      const error = asTokenError(caught);
      if (mark) failedHere.add(mark);
      if (rotates && (error.code === 'grant_revoked' || error.code === 'key_lost')) return refused(error, error.code, epoch, sent);
      // An attempt before this answer may have rotated all the same.
      if (isAnswer(error) && !flight.unanswered && keeper.record.pending !== undefined) await tolerateStore(keeper.apply({ type: 'answered', epoch, sent }));
      throw error;
    }
  }

  async function keep([tokens, sentAt]: readonly [TokenSet, Instant], epoch: number, sent: string | undefined): Promise<AccessToken | undefined> {
    if (!isTokenValue(tokens.accessToken))
      throw new TokenError('unacceptable_response', 'the grant gave no access token that fits into a header', { phase: 'token' });
    const repeated = tokens.accessToken === (entry.stored?.token.value ?? flight.want.invalidToken);
    if (repeated && grant.renews === 'never') throw new TokenError('static_token_expired', 'the static token was refused or has expired', { phase: 'token' });
    if (repeated) report({ type: 'warning', code: 'same_token_returned', message: 'the server returned the token that was to be replaced' });
    const held = holdToken(tokens, createAccessToken(tokens, tools.windows.prove), entry.key, sentAt, tools.windows, repeated);
    const { idToken, raw } = tokens;
    const refreshToken = rotates ? tokens.refreshToken : undefined;
    // A token that the server already gave is served even if it cannot be stored.
    if (!(await isCurrent(save({ type: 'renewed', epoch, sent, held, refreshToken, idToken, raw }), tokens))) return undefined;
    return announce('server', held, entry, flight, tools);
  }

  // Others would send the refresh token that was just spent: as long as the lock keeps them away, a store that takes nothing is asked again.
  async function save(outcome: Outcome): Promise<Commit['do']> {
    const began = instant(clock);
    for (;;) {
      try {
        return await keeper.apply(outcome);
      } catch (error) {
        if (!isFleet || ageMs(began, clock) >= offeringMs) throw error;
        await clock.sleep(offerMs);
      }
    }
  }

  // Before the grant is declared dead the store is read again: another context may have rotated the refresh token.
  async function refused(error: TokenError, code: EndReason, epoch: number, sent: string | undefined): Promise<undefined> {
    await keeper.read().catch(() => undefined);
    const reason: EndReason = flight.unanswered && code === 'grant_revoked' ? 'rotation_lost' : code;
    if (!(await isCurrent(keeper.apply({ type: 'ended', epoch, sent, reason, refused: flight.want.invalidToken })))) return undefined;
    report({ type: 'session_ended', reason, elsewhere: false });
    throw endedError(reason).with({ oauthError: error.oauthError, status: error.status });
  }

  // False: the stored record is newer. Where the session is another one by now, what was got for the old one is revoked.
  async function isCurrent(applied: Promise<Commit['do']>, tokens?: TokenSet): Promise<boolean> {
    const done = await applied.catch(storeFailed);
    if (done !== 'drop') return done === 'write';
    // A sign-in that came meanwhile may live on the same grant at the server, which a revocation could end.
    if (tokens && keeper.record.ended)
      await askGrant(tools, entry.target, 'revocation', limits.revokeMs, (context) => grant.revoke?.(tokens, context)).catch(() => undefined);
    throw sessionChanged();
  }

  // A renewal without a refresh token loses nothing when the store is down. With one, a shared store that cannot take
  // the intent means that nothing is sent: another process could not see that the refresh token is spent.
  function tolerateStore<T>(step: Promise<T>): Promise<T | 'write'> {
    return rotates && store?.shared === true ? step : step.catch(storeFailed);
  }

  function storeFailed(error: unknown): 'write' {
    report({ type: 'storage_error', error: asTokenError(error) });
    return 'write';
  }
}
