/// <reference lib="esnext.disposable" preserve="true" />
import type { AccessToken } from '../core/access-token.js';
import { TokenError } from '../core/errors.js';
import type { JournalEntry, RenewalReason } from '../core/events.js';
import type { GetTokenOptions, TokenSource, TokenTarget } from '../core/token-source.js';
import { abortable, withTimeLimit } from '../core/waiting.js';
import { type Decision, decide } from './decide.js';
import { asTokenError, endedError } from './failures.js';
import { Flight } from './flight.js';
import type { Journal } from './journal.js';
import type { RenewalTools } from './renewal-tools.js';
import { renewToken } from './renew-token.js';
import { coolDown, limits } from './retry.js';
import { elapsedMs, type EndReason, type Instant } from './state.js';
import { canonicalTarget, targetLabel } from './target-key.js';
import { TargetCache, type TargetCacheOptions, type TargetEntry } from './target-cache.js';

/** Keeps the access tokens of one grant alive. Safe to call from anywhere, any number of times at once. */
export interface TokenManager extends TokenSource {
  /**
   * Tokens for another API from the same grant. The handle holds only the key: make one per call or keep it, as you like.
   * @throws {TokenError} `invalid_option`
   */
  for(target: TokenTarget): TokenSource;
  /** Waits for a first token, so that a service can fail fast at boot. Rejects as `getToken` does. */
  ready(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** What `getToken` would serve right now, without any I/O; undefined when it would have to wait. */
  peek(): AccessToken | undefined;
  /** The state at a glance; the same object until it changes. */
  snapshot(): TokenSnapshot;
  /** Calls back after each change of `snapshot()`. Starts no timer. Returns its undo. */
  subscribe(listener: () => void): () => void;
  /** The last 200 events, oldest first: what happened and why, without secrets. */
  explain(): readonly JournalEntry[];
  /**
   * Forgets all tokens here, then revokes them at the server where it offers that (RFC 7009).
   * @throws {TokenError} when the server could not be told; the tokens are forgotten all the same.
   */
  revoke(): Promise<void>;
  /** Forgets all tokens, here and in the store. A renewal in flight is dropped and its tokens are revoked. */
  clear(): Promise<void>;
  /**
   * Refuses new calls with `disposed`, ends all waits and timers, and waits (at most 40 s) until a refresh token that
   * was sent has its successor stored. Closes nothing that it was given. May be called twice.
   */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The state of a manager's own target at a glance. Holds no secret. */
export interface TokenSnapshot {
  /** `empty`: no token yet. `failed`: no usable token, and the last request failed. `ended`: only a new sign-in helps. */
  readonly status: 'empty' | 'ready' | 'renewing' | 'failed' | 'ended' | 'disposed';
  /** Epoch milliseconds; undefined without a token or a known lifetime. */
  readonly expiresAt: number | undefined;
  /** From when the token is renewed behind the callers: epoch milliseconds. */
  readonly renewAt: number | undefined;
  /** Why the last renewal failed; undefined once one succeeded. */
  readonly lastError: TokenError | undefined;
}

/** What a manager is made of, checked. */
export interface ManagerParts {
  readonly tools: RenewalTools;
  readonly journal: Journal;
  readonly keepFresh: boolean;
  readonly targets: TargetCacheOptions;
  readonly lockNameOf: (targetKey: string) => Promise<string>;
}

/** The only mutable state: carries out what `decide` says. */
export class KeptTokenManager implements TokenManager {
  readonly #parts: ManagerParts;
  readonly #tools: RenewalTools;
  readonly #targets: TargetCache;
  readonly #own: TargetEntry;
  readonly #listeners = new Set<() => void>();
  readonly #flights = new Set<Flight>();
  #snapshot: TokenSnapshot | undefined;
  #disposed: Promise<void> | undefined;
  #timer: AbortController | undefined;

  constructor(parts: ManagerParts) {
    this.#parts = parts;
    this.#tools = parts.tools;
    this.#targets = new TargetCache(parts.targets);
    this.#own = this.#targets.own;
    if (parts.keepFresh) queueMicrotask(() => this.#keepFresh());
  }

  getToken(options?: GetTokenOptions): Promise<AccessToken> {
    return this.#serve(this.#own, options);
  }

  for(target: TokenTarget): TokenSource {
    const canonical = canonicalTarget(target);
    return { getToken: (options) => this.#serve(this.#targets.entry(canonical), options) };
  }

  async ready(options?: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    await this.getToken(options);
  }

  peek(): AccessToken | undefined {
    if (this.#disposed !== undefined) return undefined;
    const decision = this.#decide(this.#own, undefined);
    return decision.do === 'use' || decision.do === 'useAndRenew' ? this.#own.held?.token : undefined;
  }

  snapshot(): TokenSnapshot {
    this.#snapshot ??= Object.freeze(this.#describe());
    return this.#snapshot;
  }

  subscribe(listener: () => void): () => void {
    // A wrapper of its own, so that one listener may be subscribed twice.
    const entry = () => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  explain(): readonly JournalEntry[] {
    return this.#parts.journal.entries;
  }

  async revoke(): Promise<void> {
    const { grant, clock, report } = this.#tools;
    const known = this.#targets.tokenSets();
    await this.#forget('revoked');
    const limit = () => new TokenError('timeout', 'the revocation endpoint did not answer in time', { phase: 'revocation' });
    const revoked = await Promise.allSettled(
      known.map((tokens) => withTimeLimit(clock, limits.revokeMs, async (signal) => grant.revoke?.(tokens, { target: {}, clock, signal, report }), limit)),
    );
    const failed = revoked.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw asTokenError(failed.reason);
  }

  clear(): Promise<void> {
    return this.#forget('cleared');
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#end();
    return this.#disposed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #serve(entry: TargetEntry, options: GetTokenOptions | undefined): Promise<AccessToken> {
    if (this.#disposed !== undefined || (options !== undefined && isSpecial(options))) return this.#serveSpecial(entry, options);
    const decision = this.#decide(entry, undefined);
    if (decision.do === 'use' && entry.held !== undefined) return Promise.resolve(entry.held.token);
    return this.#carryOut(entry, decision, undefined);
  }

  async #serveSpecial(entry: TargetEntry, options: GetTokenOptions | undefined): Promise<AccessToken> {
    options?.signal?.throwIfAborted();
    if (this.#disposed !== undefined) throw disposedError();
    const request = { invalidToken: options?.invalidToken?.value, minValidMs: options?.minValidMs };
    const short = request.minValidMs !== undefined && request.invalidToken === undefined;
    const token = this.#carryOut(entry, this.#decide(entry, request), request, options?.signal);
    if (!short) return token;
    return token.catch((error: unknown) => {
      // A wish for a longer life is best effort: what there is still serves.
      const held = entry.held;
      if (options?.signal?.aborted !== true && held !== undefined && this.#disposed === undefined && this.#decide(entry, undefined).do !== 'fail' && this.#age(held) < held.refuseAgeMs) return held.token;
      throw error;
    });
  }

  async #carryOut(entry: TargetEntry, decision: Decision, request: { invalidToken?: string | undefined; minValidMs?: number | undefined } | undefined, signal?: AbortSignal): Promise<AccessToken> {
    switch (decision.do) {
      case 'use':
      case 'useAndRenew': {
        if (decision.do === 'useAndRenew') this.#begin(entry, 'expiring', true, request);
        if (entry.held === undefined) throw new TypeError('no token is held');
        return entry.held.token;
      }
      case 'fail':
        throw decision.error;
      case 'load':
        await abortable(this.#load(entry), signal);
        if (this.#disposed !== undefined) throw disposedError();
        return this.#carryOut(entry, this.#decide(entry, request), request, signal);
      case 'join':
      case 'renew': {
        this.#noteUnusable(entry, decision.reason);
        const flight = entry.flight ?? this.#begin(entry, decision.reason, false, request);
        return flight.join(request, signal);
      }
    }
  }

  #decide(entry: TargetEntry, request: { invalidToken?: string | undefined; minValidMs?: number | undefined } | undefined): Decision {
    return decide(entry, request, this.#tools.clock.now(), this.#tools.clock.monotonicMs());
  }

  #age(since: Instant): number {
    return elapsedMs(since, this.#tools.clock.now(), this.#tools.clock.monotonicMs());
  }

  #load(entry: TargetEntry): Promise<void> {
    entry.loading ??= this.#read(entry).finally(() => {
      entry.loading = undefined;
    });
    return entry.loading;
  }

  async #read(entry: TargetEntry): Promise<void> {
    try {
      await entry.keeper.read();
    } catch (error) {
      const failure = asTokenError(error);
      this.#tools.report({ type: 'storage_error', error: failure });
      // Without the record nobody knows which refresh token is the current one.
      if (this.#tools.grant.renews === 'refreshToken') throw failure;
    }
    entry.loaded = true;
    this.#sync(entry);
    const { pending } = entry.keeper.record;
    if (pending !== undefined && this.#age(pending) < interruptedMs) this.#begin(entry, 'missing', true, undefined);
  }

  #begin(entry: TargetEntry, reason: RenewalReason, background: boolean, want: { invalidToken?: string | undefined; minValidMs?: number | undefined } | undefined): Flight {
    if (entry.flight !== undefined) return entry.flight;
    const label = targetLabel(entry.target);
    if (reason === 'expiring' && entry.expiring !== entry.held) {
      entry.expiring = entry.held;
      this.#tools.report({ type: 'expiring', expiresAt: entry.held?.token.expiresAt, target: label });
    }
    const subject = { targetKey: entry.key, target: entry.target, label, keeper: entry.keeper, lockName: () => this.#parts.lockNameOf(entry.key) };
    const flight = new Flight(this.#tools.clock, reason, background, want ?? {}, async (own) => {
      try {
        // Not before the flight is registered: whatever runs in here may ask for a token itself.
        await Promise.resolve();
        return await renewToken(subject, own, this.#tools);
      } catch (error) {
        throw this.#noteFailure(entry, own, error);
      } finally {
        this.#land(entry, own);
      }
    });
    entry.flight = flight;
    this.#flights.add(flight);
    this.#changed();
    return flight;
  }

  #land(entry: TargetEntry, flight: Flight): void {
    this.#flights.delete(flight);
    if (entry.flight === flight) {
      entry.flight = undefined;
      entry.loaded = true;
    }
    this.#sync(entry);
  }

  #noteFailure(entry: TargetEntry, flight: Flight, caught: unknown): unknown {
    if (flight.cancel.signal.aborted || entry.flight !== flight) return caught;
    const error = asTokenError(caught);
    const now = { wall: this.#tools.clock.now(), mono: this.#tools.clock.monotonicMs() };
    const busy = flight.background && error.code === 'lock_timeout';
    if (busy) {
      // Whoever holds the lock is renewing; look again soon.
      entry.cooldown = { error, failures: 0, blockedMs: 0, backgroundMs: busyMs, ...now };
      return error;
    }
    entry.cooldown = coolDown(error, (entry.cooldown?.failures ?? 0) + 1, this.#tools.grant.renews, now, this.#tools.random());
    const { backgroundMs, blockedMs } = entry.cooldown;
    const pauseMs = flight.background ? backgroundMs : blockedMs;
    const retryAt = pauseMs === Infinity ? undefined : now.wall + pauseMs;
    this.#tools.report({ type: 'renewal_failed', error, background: flight.background, retryAt, target: targetLabel(entry.target) });
    return error;
  }

  #noteUnusable(entry: TargetEntry, reason: RenewalReason): void {
    if (entry.flight !== undefined && !entry.flight.background) return;
    const target = targetLabel(entry.target);
    if (reason === 'refused') this.#tools.report({ type: 'refused', target });
    if (reason !== 'expired' || entry.expired === entry.held) return;
    entry.expired = entry.held;
    this.#tools.report({ type: 'expired', expiresAt: entry.held?.token.expiresAt, target });
  }

  // Several targets of one refresh token live in one record.
  #sync(changed: TargetEntry): void {
    const { record } = changed.keeper;
    for (const entry of this.#tools.grant.renews === 'refreshToken' ? this.#targets.all() : [changed]) {
      const held = record.tokens.find((token) => token.targetKey === entry.key);
      if (held !== undefined && held !== entry.held) entry.cooldown = undefined;
      entry.held = held;
      entry.ended = record.ended && endedError(record.ended);
    }
    this.#changed();
  }

  async #forget(reason: EndReason): Promise<void> {
    if (this.#disposed !== undefined) throw disposedError();
    const ends = this.#tools.grant.renews === 'refreshToken';
    if (ends) this.#tools.report({ type: 'session_ended', reason });
    const entries = this.#targets.all();
    for (const entry of entries) {
      entry.flight = undefined;
      entry.cooldown = undefined;
    }
    const forgotten = [...new Set(entries.map((entry) => entry.keeper))].map((keeper) =>
      keeper.apply({ type: 'cleared', reason: ends ? reason : undefined }).catch((error: unknown) => this.#tools.report({ type: 'storage_error', error: asTokenError(error) })),
    );
    for (const entry of entries) this.#sync(entry);
    await Promise.all(forgotten);
    for (const entry of entries) {
      entry.loaded = true;
      this.#sync(entry);
    }
  }

  async #end(): Promise<void> {
    this.#timer?.abort();
    for (const flight of this.#flights) flight.leave(disposedError());
    const spending = [...this.#flights].filter((flight) => flight.spending);
    this.#changed();
    this.#listeners.clear();
    if (spending.length === 0) return;
    const stored = Promise.allSettled(spending.map((flight) => flight.outcome));
    const limit = () => new TokenError('timeout', 'a renewal did not end in time', { phase: 'manager' });
    await withTimeLimit(this.#tools.clock, limits.disposeMs, () => stored, limit).catch(() => undefined);
  }

  #changed(): void {
    this.#snapshot = undefined;
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch {
        this.#tools.report({ type: 'warning', code: 'listener_failed', message: 'a subscriber threw' });
      }
    }
    if (this.#parts.keepFresh) this.#keepFresh();
  }

  #describe(): TokenSnapshot {
    const { held, flight, cooldown, ended } = this.#own;
    const usable = held !== undefined && this.#age(held) < held.refuseAgeMs;
    const status = this.#disposed !== undefined ? 'disposed' : flight !== undefined ? 'renewing' : usable ? 'ready' : ended !== undefined ? 'ended' : cooldown !== undefined ? 'failed' : 'empty';
    const renewAt = held === undefined || held.renewAgeMs === Infinity ? undefined : held.wall + held.renewAgeMs;
    return { status, expiresAt: held?.token.expiresAt, renewAt, lastError: cooldown?.error };
  }

  // One timer for the manager's own target; it only looks again, and every look checks the clocks.
  #keepFresh(): void {
    this.#timer?.abort();
    if (this.#disposed !== undefined) return;
    const entry = this.#own;
    if (entry.ended !== undefined) return;
    const decision = this.#decide(entry, undefined);
    if (decision.do === 'load') {
      this.#load(entry).catch(() => undefined);
      return;
    }
    if (decision.do === 'renew' || decision.do === 'useAndRenew') {
      this.#begin(entry, decision.do === 'renew' ? decision.reason : 'expiring', true, undefined);
      return;
    }
    const dueMs = decision.do === 'join' || entry.flight !== undefined ? undefined : this.#dueMs(entry);
    if (dueMs === undefined || dueMs === Infinity) return;
    this.#timer = new AbortController();
    this.#tools.clock.sleep(Math.max(dueMs, shortestTimerMs), this.#timer.signal, { idle: true }).then(
      () => this.#keepFresh(),
      () => undefined,
    );
  }

  #dueMs({ held, cooldown }: TargetEntry): number {
    const renewMs = held === undefined ? 0 : held.renewAgeMs - this.#age(held);
    return Math.max(renewMs, cooldown === undefined ? 0 : cooldown.backgroundMs - this.#age(cooldown));
  }
}

const interruptedMs = 60_000;
const busyMs = 1_000;
const shortestTimerMs = 10;

function isSpecial(options: GetTokenOptions): boolean {
  return options.invalidToken !== undefined || options.minValidMs !== undefined || options.signal !== undefined;
}

function disposedError(): TokenError {
  return new TokenError('disposed', 'this token manager was disposed', { phase: 'manager' });
}
