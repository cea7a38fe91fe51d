import type { AccessToken } from '../core/access-token.js';
import { isolated } from '../core/isolated.js';
import { ageMs } from '../core/instant.js';
import { monotonicMsAt } from '../core/system-clock.js';
import type { GetTokenOptions } from '../core/token-source.js';
import { abortable } from '../core/waiting.js';
import { askGrant } from './ask-grant.js';
import { type Decision, decide, type TokenRequest } from './decide.js';
import { disposedError, firstFailure, sessionChanged } from './failures.js';
import type { Journal } from './journal.js';
import { keepFresh } from './keep-fresh.js';
import { toTokenSets } from './record-token-set.js';
import type { RenewalTools } from './renewal-tools.js';
import { type Renewals, renewalsOf } from './renewals.js';
import { limits } from './retry.js';
import type { HeldToken } from './state.js';
import { type TargetCache, targetCache } from './target-cache.js';
import type { TargetEntry } from './target-entry.js';
import { targetKey } from './target-key.js';
import type { TokenManager, TokenSnapshot } from './token-manager.js';

// Shared, so that the hot path allocates nothing.
const noWish: GetTokenOptions = {};
const facts = ['status', 'expiresAt', 'renewAt', 'lastError'] as const;

/** A manager, and what the rooms above it do more with. */
export interface ManagerParts {
  readonly tokens: TokenManager;
  readonly tools: RenewalTools;
  readonly targets: TargetCache;
  readonly renewals: Renewals;
  /** Whoever waits for what is being forgotten waits no longer. */
  leaveFlights(): void;
  /** Forgets, here and in the store, and with `revoked` asks the server to revoke it, which `revoked` settles with. @throws {TokenError} */
  forget(reason: 'cleared' | 'revoked'): Promise<{ readonly revoked: Promise<void> }>;
  /** Aborts when the manager is disposed. */
  readonly gone: AbortSignal;
}

/** The only mutable state: carries out what `decide` says. */
export function keepTokens(tools: RenewalTools, journal: Journal, isKeptFresh: boolean): ManagerParts {
  const { clock, grant, oneRecord, report } = tools;
  const targets = targetCache(tools);
  const { own } = targets;
  const listeners = new Set<() => void>();
  const renewals = renewalsOf(targets, tools, changed);
  const look = isKeptFresh ? keepFresh(own, renewals, tools) : undefined;
  let snapshot: TokenSnapshot | undefined;
  let seenEpoch = 0;
  let disposed: Promise<void> | undefined;
  const gone = new AbortController();
  queueMicrotask(() => look?.());

  let handedOut: HeldToken | undefined;
  let handOut: Promise<AccessToken> | undefined;

  function ask(entry: TargetEntry, request?: TokenRequest): Decision {
    const wall = clock.now();
    return decide(entry, request, wall, monotonicMsAt(wall, clock));
  }

  const isUsable = (held: HeldToken | undefined): held is HeldToken => held !== undefined && ageMs(held, clock) < held.refuseAgeMs;

  // The hot path: what is served at once is one promise for all who ask for the same token.
  function serve(entry: TargetEntry, { invalidToken, minValidMs, signal }: GetTokenOptions = noWish): Promise<AccessToken> {
    const request = invalidToken || minValidMs !== undefined ? { invalidToken: invalidToken?.value, minValidMs } : undefined;
    const decided = !disposed && !signal?.aborted && ask(entry, request).do;
    const served = decided === 'use' && entry.held;
    if (!served) return decided === 'useAndRenew' ? serveLater(entry, request, signal) : serveAfterWait(entry, request, signal);
    if (!handOut || handedOut !== served) {
      handedOut = served;
      handOut = Promise.resolve(served.token);
    }
    return handOut;
  }

  // Apart from the hot path, which would make room for what a closure holds with every call.
  function serveAfterWait(entry: TargetEntry, request: TokenRequest | undefined, signal: AbortSignal | undefined): Promise<AccessToken> {
    const later = (): Promise<AccessToken> => serveLater(entry, request, signal);
    return tools.wait ? tools.wait(entry, later) : later();
  }

  async function serveLater(entry: TargetEntry, request: TokenRequest | undefined, signal: AbortSignal | undefined): Promise<AccessToken> {
    signal?.throwIfAborted();
    if (disposed) throw disposedError();
    try {
      const decision = ask(entry, request);
      if (decision.do === 'fail') throw decision.error;
      if (decision.do === 'load') await abortable(abortable(renewals.load(entry), gone.signal), signal);
      else if (decision.do === 'join' || decision.do === 'renew') return await renewals.begin(entry, decision.reason, false, request).join(request, signal);
      else {
        const { held } = entry;
        if (decision.do === 'useAndRenew') renewals.begin(entry, 'expiring', true, request);
        if (held) return held.token;
      }
    } catch (error) {
      // A wish for a longer life is best effort: what there is still serves.
      const { held } = entry;
      if (!isUsable(held) || held.token.value === request?.invalidToken || disposed || signal?.aborted) throw error;
      return held.token;
    }
    return serveLater(entry, request, signal);
  }

  function leaveFlights(): void {
    for (const entry of targets.all()) {
      entry.flight?.leave(sessionChanged());
      entry.flight = undefined;
      entry.cooldown = undefined;
    }
  }

  // What is to be revoked is forgotten first, so that nobody gets it any more.
  async function forget(reason: 'cleared' | 'revoked'): Promise<{ readonly revoked: Promise<void> }> {
    if (disposed) throw disposedError();
    const entries = targets.all();
    const keepers = [...new Set(entries.map((entry) => entry.keeper))];
    leaveFlights();
    const written = keepers.map((keeper) => keeper.apply({ type: 'cleared', reason: oneRecord ? reason : undefined }));
    renewals.sync(entries);
    if (oneRecord) report({ type: 'session_ended', reason, elsewhere: false });
    const unsaved = firstFailure(await Promise.allSettled(written));
    for (const entry of targets.all()) entry.loaded = true;
    renewals.sync(targets.all());
    if (unsaved) report({ type: 'storage_error', error: unsaved });
    const forgotten = keepers.flatMap((keeper) => keeper.takeForgotten());
    const requests = (reason === 'revoked' ? toTokenSets(forgotten) : []).map((tokens) =>
      askGrant(tools, {}, 'revocation', limits.revokeMs, (context) => grant.revoke?.(tokens, context)),
    );
    const revoked = Promise.allSettled(requests).then((results) => {
      const failed = firstFailure(results);
      if (failed) throw failed;
    });
    revoked.catch(() => undefined);
    if (unsaved) throw unsaved;
    return { revoked };
  }

  function changed(): void {
    if (!disposed) look?.();
    const before = snapshot;
    const { epoch } = own.keeper.record;
    // Another user's tokens may look the same from here.
    if (current() === before && epoch === seenEpoch) return;
    seenEpoch = epoch;
    const failed = (): void => report({ type: 'warning', code: 'listener_failed', message: 'a subscriber failed' });
    for (const listener of listeners) isolated(listener, undefined, failed);
  }

  function describe(): TokenSnapshot {
    const { held, flight, cooldown, ended } = own;
    const failed = !ended ? 'failed' : 'ended';
    const idle = isUsable(held) ? 'ready' : (cooldown ?? ended) === undefined ? 'empty' : failed;
    const renewAt = !held || held.renewAgeMs === Infinity ? undefined : Math.round(held.wall + held.renewAgeMs);
    const status = disposed ? 'disposed' : flight ? 'renewing' : idle;
    return { status, expiresAt: held?.token.expiresAt, renewAt, lastError: cooldown?.error ?? ended };
  }

  // The same object as long as it says the same.
  function current(): TokenSnapshot {
    const next = describe();
    if (!facts.every((fact) => snapshot?.[fact] === next[fact])) snapshot = Object.freeze(next);
    return snapshot ?? next;
  }

  function dispose(): Promise<void> {
    if (!disposed) {
      disposed = renewals.end();
      gone.abort(disposedError());
      look?.('end');
      changed();
      listeners.clear();
    }
    return disposed;
  }

  const manager: TokenManager = {
    getToken: (wanted) => serve(own, wanted),
    for(target) {
      const key = targetKey(target);
      return { getToken: (wanted) => serve(targets.entry(key), wanted) };
    },
    ready: async (wanted) => void (await serve(own, wanted)),
    peek: () => (!disposed && ask(own).do.startsWith('use') ? own.held?.token : undefined),
    snapshot: current,
    subscribe(listener) {
      // A wrapper of its own, so that one listener may be subscribed twice.
      const each = (): void => listener();
      listeners.add(each);
      return () => listeners.delete(each);
    },
    explain: () => journal.entries,
    revoke: async () => (await forget('revoked')).revoked,
    clear: async () => void (await forget('cleared')),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
  return { tokens: manager, tools, targets, renewals, leaveFlights, forget, gone: gone.signal };
}
