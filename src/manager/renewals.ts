import type { AccessToken } from '../core/access-token.js';
import type { TokenError } from '../core/errors.js';
import type { RenewalReason } from '../core/events.js';
import { ageMs, instant } from '../core/instant.js';
import { withTimeLimit } from '../core/waiting.js';
import type { TokenRequest } from './decide.js';
import { disposedError } from './failures.js';
import { asTokenError } from './as-token-error.js';
import { Flight } from './flight.js';
import type { RenewalTools } from './renewal-tools.js';
import { coolDown, limits } from './retry.js';
import { graceMs } from './state.js';
import type { TargetCache } from './target-cache.js';
import { isSame, type TargetEntry } from './target-entry.js';
import { targetLabel } from './target-of.js';

/** The renewals of one manager: at most one per target, and what each leaves behind. */
export interface Renewals {
  /** The target's renewal; begins one if there is none. */
  begin(entry: TargetEntry, reason: RenewalReason, background: boolean, want?: TokenRequest): Flight;
  /** Reads the store once, and goes on with a rotation that a crash interrupted. */
  load(entry: TargetEntry): Promise<void>;
  /**
   * The store may have changed: nothing is served before it was read again. `isOnline`: the network is back, and what failed without
   * it may be tried again at once.
   */
  recheck(isOnline?: boolean): Promise<void>;
  /** Takes over what the targets' records say. */
  sync(entries: readonly TargetEntry[]): void;
  /** Ends all waits; a refresh token that was sent is waited for until its successor is stored. */
  end(): Promise<void>;
}

const busyMs = 1_000;

export function renewalsOf(targets: TargetCache, tools: RenewalTools, changed: () => void): Renewals {
  const { clock, grant, report, store, oneRecord } = tools;
  const flights = new Set<Flight>();
  let over = false;
  let knownEpoch = 0;
  let stopListening: (() => void) | undefined;

  function begin(entry: TargetEntry, reason: RenewalReason, background: boolean, want: TokenRequest = {}): Flight {
    if (entry.flight) return entry.flight;
    const flight = new Flight(clock, reason, background, want, (own) => fly(entry, own));
    entry.flight = flight;
    flights.add(flight);
    const { held } = entry;
    const target = targetLabel(entry.target);
    if (reason === 'refused') report({ type: reason, target });
    else if ((reason === 'expiring' || reason === 'expired') && !isSame(held, entry[reason])) {
      entry[reason] = held;
      report({ type: reason, expiresAt: held?.token.expiresAt, target });
    }
    changed();
    return flight;
  }

  async function fly(entry: TargetEntry, own: Flight): Promise<AccessToken> {
    // Not before the flight is registered: whatever runs in here may ask for a token itself.
    await Promise.resolve();
    try {
      const token = await tools.renew(entry, own, tools);
      if (entry.flight === own) entry.cooldown = undefined;
      return token;
    } catch (error) {
      // What the renewal found in the store is no success of it: it comes before the cool-down.
      sync(targets.sharing(entry));
      // Disposed, or forgotten meanwhile: what comes next starts afresh.
      if (own.cancel.signal.aborted || entry.flight !== own) throw error;
      throw noteFailure(entry, own, asTokenError(error));
    } finally {
      flights.delete(own);
      if (entry.flight === own) {
        entry.flight = undefined;
        entry.loaded = true;
      }
      sync(targets.sharing(entry));
    }
  }

  function noteFailure(entry: TargetEntry, { background, gaveWay }: Flight, error: TokenError): TokenError {
    if (error.code === 'session_changed') return error;
    const failedAt = instant(clock);
    const { failures = 0 } = entry.cooldown ?? {};
    // Whoever holds the lock is renewing; look again soon.
    if (gaveWay) entry.cooldown = { ...failedAt, error, failures, blockedMs: 0, backgroundMs: busyMs };
    else {
      const cooldown = coolDown(error, failures + 1, grant.renews, failedAt, tools.random(), background);
      entry.cooldown = cooldown;
      const pauseMs = background ? cooldown.backgroundMs : cooldown.blockedMs;
      const retryAt = pauseMs === Infinity ? undefined : failedAt.wall + pauseMs;
      report({ type: 'renewal_failed', error, background, retryAt, target: targetLabel(entry.target) });
    }
    return error;
  }

  function sync(entries: readonly TargetEntry[]): void {
    const { epoch } = targets.own.keeper.record;
    // Somebody signed in or out: what the session before had failed at says nothing any more. Where there is none, the server failed.
    if (oneRecord && epoch !== knownEpoch) for (const entry of targets.all()) entry.cooldown = undefined;
    knownEpoch = epoch;
    for (const entry of entries) entry.takeOver();
    changed();
  }

  async function read(entry: TargetEntry): Promise<void> {
    try {
      await listen();
      await entry.keeper.read();
    } catch (error) {
      report({ type: 'storage_error', error: asTokenError(error) });
      // Without the record nobody knows which refresh token is the current one.
      if (oneRecord && !entry.held) throw error;
    }
    const sharing = targets.sharing(entry);
    for (const each of sharing) each.loaded = true;
    sync(sharing);
  }

  async function readFirst(entry: TargetEntry): Promise<void> {
    await read(entry);
    const { pending } = entry.keeper.record;
    // A grace window for the refresh token may still be open.
    if (!over && pending && ageMs(pending, clock) < graceMs) begin(entry, 'missing', true);
  }

  function load(entry: TargetEntry): Promise<void> {
    return reading(entry, () => readFirst(entry));
  }

  function reading(entry: TargetEntry, begun: () => Promise<void>): Promise<void> {
    if (entry.loading) return entry.loading;
    const loading = begun().finally(() => {
      if (entry.loading === loading) entry.loading = undefined;
    });
    entry.loading = loading;
    return loading;
  }

  async function recheck(isOnline = false): Promise<void> {
    if (over || !store) return;
    for (const entry of isOnline ? targets.all() : []) {
      const { kind, retryAfterMs } = entry.cooldown?.error ?? {};
      // What a server has asked for stays.
      if (kind === 'transient' && retryAfterMs === undefined) entry.cooldown = undefined;
    }
    const known = targets.all().filter((entry) => entry === targets.own || entry.loaded || entry.loading);
    const reads = known.map((entry) => {
      if (!entry.loaded && !entry.loading) return load(entry);
      entry.loaded = false;
      // A read that is under way may have come too early.
      entry.loading = undefined;
      return reading(entry, () => read(entry));
    });
    await Promise.allSettled(reads);
  }

  // To what others do to the one record.
  async function listen(): Promise<void> {
    if (!oneRecord || stopListening || !store?.subscribe) return;
    stopListening = () => undefined;
    const stop = store.subscribe(await targets.own.keeper.name(), () => void recheck());
    if (over) stop();
    else stopListening = stop;
  }

  async function end(): Promise<void> {
    over = true;
    stopListening?.();
    for (const flight of flights) flight.leave(disposedError());
    const spending = [...flights].filter((flight) => flight.spending).map((flight) => flight.outcome);
    if (spending.length > 0) await withTimeLimit(clock, limits.disposeMs, () => Promise.allSettled(spending), disposedError).catch(() => undefined);
  }

  return { begin, load, recheck, sync, end };
}
