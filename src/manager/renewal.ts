import { createAccessToken, type AccessToken } from '../core/access-token.js';
import { isTokenError, TokenError } from '../core/errors.js';
import type { TokenEvent } from '../core/events.js';
import type { GrantContext } from '../core/grant.js';
import type { TokenSet } from '../core/token-set.js';
import { withTimeLimit } from '../core/waiting.js';
import { decide } from './decide.js';
import { asTokenError, endedError } from './failures.js';
import type { Flight } from './flight.js';
import { heldOf, type RenewalSubject, type RenewalTools } from './renewal-tools.js';
import { limits, retryDelayMs } from './retry.js';
import { elapsedMs, type EndReason, type HeldToken, holdToken, type Instant } from './state.js';

const rounds = 3;

/** What happens while the lock is held. */
export class Renewal {
  readonly #subject: RenewalSubject;
  readonly #flight: Flight;
  readonly #tools: RenewalTools;
  readonly #lockHeld: AbortSignal;
  readonly #began: Instant;
  /** The refresh token in use was sent and nothing came back. */
  #unanswered = false;

  constructor(subject: RenewalSubject, flight: Flight, tools: RenewalTools, lockHeld: AbortSignal) {
    this.#subject = subject;
    this.#flight = flight;
    this.#tools = tools;
    this.#lockHeld = lockHeld;
    this.#began = this.#now();
  }

  async run(): Promise<AccessToken> {
    for (let round = 1; ; round++) {
      await this.#tolerateStore(this.#subject.keeper.read());
      const held = this.#freshInRecord();
      if (held !== undefined) {
        this.#reportToken('store', held);
        return held.token;
      }
      const token = await this.#renew();
      if (token !== undefined) return token;
      if (round === rounds) throw new TokenError('session_changed', 'the session changed while its token was renewed', { phase: 'token' });
    }
  }

  // Somebody else may have renewed it while this flight waited for the lock.
  #freshInRecord(): HeldToken | undefined {
    const held = heldOf(this.#subject);
    const { wall, mono } = this.#now();
    const decision = decide({ loaded: true, ended: undefined, held, flight: undefined, cooldown: undefined }, this.#flight.want, wall, mono);
    return decision.do === 'use' ? held : undefined;
  }

  // Undefined: the record was changed by somebody else meanwhile; look again.
  async #renew(): Promise<AccessToken | undefined> {
    const { keeper } = this.#subject;
    const { grant } = this.#tools;
    const { epoch, ended, refreshToken: sent } = keeper.record;
    if (ended !== undefined) throw endedError(ended);
    await this.#awaitEndpoint();
    this.#unanswered = false;
    this.#flight.spending = grant.renews === 'refreshToken';
    if (grant.renews === 'refreshToken' && grant.keepsRefreshToken !== true) {
      const sentDigest = await this.#tools.digest(sent ?? '');
      this.#unanswered = keeper.record.pending?.sentDigest === sentDigest;
      const intent = keeper.apply({ type: 'sending', epoch, sent, pending: { sentDigest, ...this.#now() } });
      if ((await this.#tolerateStore(intent)) !== 'write') return undefined;
    }
    try {
      const { tokens, sentAt } = await this.#request();
      return await this.#store(tokens, sentAt, epoch, sent);
    } catch (error) {
      if (!isTokenError(error)) throw error;
      if (error.code === 'grant_revoked' && grant.renews === 'refreshToken') return this.#refused(error, epoch, sent);
      if (isAnswer(error) && keeper.record.pending !== undefined) await this.#tolerateStore(keeper.apply({ type: 'answered', epoch, sent }));
      throw error;
    }
  }

  async #request(): Promise<{ tokens: TokenSet; sentAt: Instant }> {
    const { grant, clock, random, endpoint } = this.#tools;
    const refreshToken = grant.renews === 'refreshToken';
    for (let attempt = 1; ; attempt++) {
      if (this.#lockHeld.aborted) throw new TokenError('lock_lost', 'the lock was lost before the request was sent', { phase: 'lock' });
      const began = this.#now();
      const limitMs = Math.min(refreshToken && attempt === 1 ? limits.firstRefreshMs : limits.attemptMs, this.#remainingMs());
      try {
        const tokens = await withTimeLimit(
          clock,
          limitMs,
          (signal) => grant.request(this.#current(), this.#context(signal)),
          () => new TokenError('timeout', `no answer from the token endpoint within ${limitMs} ms`, { phase: 'token' }),
          this.#flight.cancel.signal,
        );
        endpoint.until = undefined;
        return { tokens, sentAt: sentInstant(tokens, began, this.#now()) };
      } catch (caught) {
        if (this.#flight.cancel.signal.aborted) throw caught;
        const error = asTokenError(caught);
        if (!isAnswer(error)) this.#unanswered = true;
        if (error.retryAfterMs !== undefined && error.kind === 'transient') endpoint.until = { ...this.#now(), ms: error.retryAfterMs };
        const delayMs = retryDelayMs({ error, attempt, refreshToken, background: this.#flight.background, remainingMs: this.#remainingMs(), random: random() });
        if (delayMs === undefined) throw error.with({ attempts: attempt });
        this.#report({ type: 'attempt_failed', error, attempt, retryInMs: delayMs, target: this.#subject.label });
        await clock.sleep(delayMs, this.#flight.cancel.signal);
      }
    }
  }

  async #store(tokens: TokenSet, sentAt: Instant, epoch: number, sent: string | undefined): Promise<AccessToken | undefined> {
    const { grant, windows } = this.#tools;
    const { keeper, targetKey } = this.#subject;
    const before = heldOf(this.#subject)?.token.value;
    const repeated = tokens.accessToken === (before ?? this.#flight.want.invalidToken);
    if (repeated) this.#noteRepeated();
    const held = holdToken(tokens, createAccessToken(tokens), targetKey, sentAt, windows, repeated);
    const keeps = grant.renews === 'refreshToken';
    const outcome = { type: 'renewed', epoch, sent, held, refreshToken: keeps ? tokens.refreshToken : undefined, idToken: tokens.idToken, raw: tokens.raw } as const;
    // A token that the server already gave is served even if it cannot be stored.
    const done = await keeper.apply(outcome).catch((error: unknown) => this.#storeFailed(error));
    if (done === 'adopt') return undefined;
    if (done === 'drop') {
      await this.#revoke(tokens);
      throw new TokenError('session_changed', 'the session ended or changed while its token was renewed', { phase: 'token' });
    }
    this.#reportToken('server', held);
    return held.token;
  }

  #noteRepeated(): void {
    if (this.#tools.grant.renews === 'never') throw new TokenError('static_token_expired', 'the static token was refused or has expired', { phase: 'token' });
    this.#report({ type: 'warning', code: 'same_token_returned', message: 'the server returned the token that was to be replaced' });
  }

  // Before the grant is declared dead the store is read again: another context may have rotated the refresh token.
  async #refused(error: TokenError, epoch: number, sent: string | undefined): Promise<undefined> {
    const { keeper } = this.#subject;
    await keeper.read().catch(() => undefined);
    if (keeper.record.epoch === epoch && keeper.record.refreshToken !== sent) return undefined;
    const reason: EndReason = this.#unanswered ? 'rotation_lost' : 'grant_revoked';
    const done = await keeper.apply({ type: 'ended', epoch, sent, reason, refused: this.#flight.want.invalidToken }).catch((failure: unknown) => this.#storeFailed(failure));
    if (done === 'adopt') return undefined;
    if (done === 'drop') throw new TokenError('session_changed', 'the session ended or changed while its token was renewed', { phase: 'token' });
    this.#report({ type: 'session_ended', reason });
    if (reason === 'grant_revoked') throw error;
    throw endedError(reason).with({ oauthError: error.oauthError, status: error.status });
  }

  async #revoke(tokens: TokenSet): Promise<void> {
    const { grant, clock } = this.#tools;
    const limit = () => new TokenError('timeout', 'revocation took too long', { phase: 'revocation' });
    await withTimeLimit(clock, limits.revokeMs, async (signal) => grant.revoke?.(tokens, this.#context(signal)), limit).catch(() => undefined);
  }

  // The endpoint asked to be left alone, perhaps for another target.
  async #awaitEndpoint(): Promise<void> {
    const { endpoint, clock } = this.#tools;
    if (endpoint.until === undefined) return;
    const { wall, mono } = this.#now();
    const pauseMs = endpoint.until.ms - elapsedMs(endpoint.until, wall, mono);
    if (pauseMs <= 0) return;
    if (this.#flight.background || pauseMs >= this.#remainingMs()) {
      throw new TokenError('rate_limited', 'the token endpoint asked to be left alone', { phase: 'token', retryAfterMs: pauseMs, fromCache: true });
    }
    await clock.sleep(pauseMs, this.#flight.cancel.signal);
  }

  // A renewal without a refresh token loses nothing when the store is down. With one, a shared store that cannot take
  // the intent means that nothing is sent: another process could not see that the refresh token is spent.
  async #tolerateStore<T>(step: Promise<T>): Promise<T | 'write'> {
    try {
      return await step;
    } catch (error) {
      if (this.#tools.grant.renews === 'refreshToken' && this.#tools.sharedStore) throw error;
      return this.#storeFailed(error);
    }
  }

  #storeFailed(error: unknown): 'write' {
    this.#report({ type: 'storage_error', error: asTokenError(error) });
    return 'write';
  }

  #current(): TokenSet | undefined {
    const { record } = this.#subject.keeper;
    const held = heldOf(this.#subject);
    if (held === undefined && record.refreshToken === undefined) return undefined;
    return {
      accessToken: held?.token.value ?? '',
      tokenType: held?.token.type ?? 'Bearer',
      sentAt: held?.wall ?? this.#tools.clock.now(),
      lifetimeMs: held?.lifetimeMs,
      scope: held?.token.scope ?? [],
      refreshToken: record.refreshToken,
      idToken: record.idToken,
      raw: record.raw,
    };
  }

  #context(signal: AbortSignal): GrantContext {
    return { target: this.#subject.target, clock: this.#tools.clock, signal, report: this.#tools.report };
  }

  #reportToken(source: 'server' | 'store', held: HeldToken): void {
    const { reason, background } = this.#flight;
    this.#report({ type: 'token', source, reason, background, expiresAt: held.token.expiresAt, target: this.#subject.label });
  }

  #report(event: TokenEvent): void {
    this.#tools.report(event);
  }

  #now(): Instant {
    return { wall: this.#tools.clock.now(), mono: this.#tools.clock.monotonicMs() };
  }

  #remainingMs(): number {
    const { wall, mono } = this.#now();
    return limits.flightMs - elapsedMs(this.#began, wall, mono);
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
