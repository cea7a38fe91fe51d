import type { AccessToken } from '../core/access-token.js';
import { monotonicMsAt } from '../core/monotonic-ms-at.js';
import type { GetTokenOptions } from '../core/token-source.js';
import { abortable } from '../core/waiting.js';
import { watched } from '../core/watched.js';
import { askGrant } from './ask-grant.js';
import { type Decision, decide, requestOf, type TokenRequest } from './decide.js';
import { disposedError, sessionChanged } from './failures.js';
import { firstFailure } from './as-token-error.js';
import type { Journal } from './journal.js';
import { keepFresh } from './keep-fresh.js';
import { toTokenSets } from './record-token-set.js';
import type { RenewalTools } from './renewal-tools.js';
import { type Renewals, renewalsOf } from './renewals.js';
import { limits } from './retry.js';
import { type HeldToken, isUsable, renewsAt } from './state.js';
import { type TargetCache, targetCache } from './target-cache.js';
import type { TargetEntry } from './target-entry.js';
import { targetKey } from './target-key.js';
import type { TokenManager, TokenSnapshot } from './token-manager.js';

// Shared, so that the hot path allocates nothing.
const noWish: GetTokenOptions = {};

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
  const state = watched(describe, report);
  const renewals = renewalsOf(targets, tools, changed);
  const look = isKeptFresh ? keepFresh(own, renewals, tools) : undefined;
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

  // The hot path: what is served at once is one promise for all who ask for the same token.
  function serve(entry: TargetEntry, wanted: GetTokenOptions = noWish): Promise<AccessToken> {
    const { signal } = wanted;
    const request = requestOf(wanted);
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
      if (!isUsable(held, clock) || held.token.value === request?.invalidToken || disposed || signal?.aborted) throw error;
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
    const { epoch } = own.keeper.record;
    // Another user's tokens may look the same from here.
    const isNews = epoch !== seenEpoch;
    seenEpoch = epoch;
    state.changed(isNews);
  }

  function describe(): TokenSnapshot {
    const { held, flight, cooldown, ended } = own;
    const failed = !ended ? 'failed' : 'ended';
    const idle = isUsable(held, clock) ? 'ready' : (cooldown ?? ended) === undefined ? 'empty' : failed;
    const status = disposed ? 'disposed' : flight ? 'renewing' : idle;
    return { status, expiresAt: held?.token.expiresAt, renewAt: renewsAt(held), lastError: cooldown?.error ?? ended };
  }

  function dispose(): Promise<void> {
    if (!disposed) {
      disposed = renewals.end();
      gone.abort(disposedError());
      look?.('end');
      changed();
      state.end();
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
    snapshot: state.current,
    subscribe: state.subscribe,
    explain: () => journal.entries,
    revoke: async () => (await forget('revoked')).revoked,
    clear: async () => void (await forget('cleared')),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
  return { tokens: manager, tools, targets, renewals, leaveFlights, forget, gone: gone.signal };
}
