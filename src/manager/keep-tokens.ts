import type { AccessToken } from '../core/access-token.js';
import { TokenError } from '../core/errors.js';
import { isolated } from '../core/isolated.js';
import type { GetTokenOptions } from '../core/token-source.js';
import { abortable, withTimeLimit } from '../core/waiting.js';
import { type Decision, decide, type TokenRequest } from './decide.js';
import { asTokenError, disposedError } from './failures.js';
import type { Journal } from './journal.js';
import { keepFresh } from './keep-fresh.js';
import { toTokenSet } from './record-token-set.js';
import type { RenewalTools } from './renewal-tools.js';
import { renewalsOf } from './renewals.js';
import { limits } from './retry.js';
import type { EndReason, GrantRecord } from './state.js';
import type { TargetCache } from './target-cache.js';
import type { TargetEntry } from './target-entry.js';
import { canonicalTarget } from './target-key.js';
import type { TokenManager, TokenSnapshot } from './token-manager.js';

/** The only mutable state: carries out what `decide` says. */
export function keepTokens(targets: TargetCache, tools: RenewalTools, journal: Journal, options: { readonly keepFresh: boolean }): TokenManager {
  const { clock, grant, report, ageMs } = tools;
  const { own } = targets;
  const oneRecord = grant.renews === 'refreshToken';
  const listeners = new Set<() => void>();
  const renewals = renewalsOf(targets, oneRecord, tools, changed);
  const look = options.keepFresh ? keepFresh(own, renewals, tools) : undefined;
  let snapshot: TokenSnapshot | undefined;
  let disposed: Promise<void> | undefined;
  queueMicrotask(() => look?.());

  const ask = (entry: TargetEntry, request?: TokenRequest): Decision => decide(entry, request, clock.now(), clock.monotonicMs());

  function serve(entry: TargetEntry, wanted: GetTokenOptions | undefined): Promise<AccessToken> {
    const plain = wanted === undefined || (wanted.invalidToken === undefined && wanted.minValidMs === undefined && wanted.signal?.aborted !== true);
    if (!plain || disposed !== undefined) return serveWanted(entry, wanted);
    const decision = ask(entry);
    return decision.do === 'use' && entry.held !== undefined ? Promise.resolve(entry.held.token) : carryOut(entry, decision, undefined, wanted?.signal);
  }

  async function serveWanted(entry: TargetEntry, { invalidToken, minValidMs, signal }: GetTokenOptions = {}): Promise<AccessToken> {
    signal?.throwIfAborted();
    if (disposed !== undefined) throw disposedError();
    const request = { invalidToken: invalidToken?.value, minValidMs };
    try {
      return await carryOut(entry, ask(entry, request), request, signal);
    } catch (error) {
      // A wish for a longer life is best effort: what there is still serves.
      const { held } = entry;
      const serves = held !== undefined && held.token.value !== invalidToken?.value && ageMs(held) < held.refuseAgeMs;
      if (!serves || disposed !== undefined || signal?.aborted === true) throw error;
      return held.token;
    }
  }

  async function carryOut(entry: TargetEntry, decision: Decision, request?: TokenRequest, signal?: AbortSignal): Promise<AccessToken> {
    const { held } = entry;
    if (decision.do === 'fail') throw decision.error;
    if (decision.do === 'useAndRenew') renewals.begin(entry, 'expiring', true, request);
    if (decision.do === 'join' || decision.do === 'renew') return renewals.begin(entry, decision.reason, false, request).join(request, signal);
    if (decision.do !== 'load' && held !== undefined) return held.token;
    await abortable(renewals.load(entry), signal);
    if (disposed !== undefined) throw disposedError();
    return carryOut(entry, ask(entry, request), request, signal);
  }

  async function forget(reason: EndReason): Promise<readonly GrantRecord[]> {
    if (disposed !== undefined) throw disposedError();
    const forgotten = targets.keepers().map(({ record }) => record);
    for (const entry of targets.all()) {
      entry.flight = undefined;
      entry.cooldown = undefined;
    }
    const written = targets
      .keepers()
      .map((keeper) =>
        keeper
          .apply({ type: 'cleared', reason: oneRecord ? reason : undefined })
          .catch((error: unknown) => report({ type: 'storage_error', error: asTokenError(error) })),
      );
    for (const entry of targets.all()) renewals.sync(entry);
    if (oneRecord) report({ type: 'session_ended', reason });
    await Promise.all(written);
    for (const entry of targets.all()) {
      entry.loaded = true;
      renewals.sync(entry);
    }
    return forgotten;
  }

  async function revoke(): Promise<void> {
    const known = (await forget('revoked')).flatMap((record) => {
      const [held, ...others] = record.tokens;
      return [toTokenSet(record, held), ...others.map((other) => toTokenSet({ ...record, refreshToken: undefined }, other))];
    });
    const limit = (): TokenError => new TokenError('timeout', 'the revocation endpoint did not answer in time', { phase: 'revocation' });
    const revoked = await Promise.allSettled(
      known.map((tokens) =>
        withTimeLimit(clock, limits.revokeMs, async (signal) => tokens && grant.revoke?.(tokens, { target: {}, clock, signal, report }), limit),
      ),
    );
    const failed = revoked.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw asTokenError(failed.reason);
  }

  function changed(): void {
    snapshot = undefined;
    const failed = (): void => report({ type: 'warning', code: 'listener_failed', message: 'a subscriber failed' });
    for (const listener of listeners) isolated(listener, undefined, failed);
    if (disposed === undefined) look?.();
  }

  function describe(): TokenSnapshot {
    const { held, flight, cooldown, ended } = own;
    const usable = held !== undefined && ageMs(held) < held.refuseAgeMs;
    const dead = ended === undefined ? 'failed' : 'ended';
    const idle = usable ? 'ready' : (cooldown ?? ended) === undefined ? 'empty' : dead;
    const renewAt = held === undefined || held.renewAgeMs === Infinity ? undefined : Math.round(held.wall + held.renewAgeMs);
    const status = disposed !== undefined ? 'disposed' : flight !== undefined ? 'renewing' : idle;
    return Object.freeze({ status, expiresAt: held?.token.expiresAt, renewAt, lastError: cooldown?.error ?? ended });
  }

  function dispose(): Promise<void> {
    if (disposed === undefined) {
      disposed = renewals.end();
      look?.('end');
      changed();
      listeners.clear();
    }
    return disposed;
  }

  return {
    getToken: (wanted) => serve(own, wanted),
    for(target) {
      const canonical = canonicalTarget(target);
      return { getToken: (wanted) => serve(targets.entry(canonical), wanted) };
    },
    ready: async (wanted) => void (await serve(own, wanted)),
    peek: () => (disposed === undefined && ask(own).do.startsWith('use') ? own.held?.token : undefined),
    snapshot() {
      snapshot ??= describe();
      return snapshot;
    },
    subscribe(listener) {
      // A wrapper of its own, so that one listener may be subscribed twice.
      const each = (): void => listener();
      listeners.add(each);
      return () => listeners.delete(each);
    },
    explain: () => journal.entries,
    revoke,
    clear: async () => void (await forget('cleared')),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}
