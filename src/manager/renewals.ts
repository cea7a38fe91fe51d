import type { AccessToken } from '../core/access-token.js';
import { TokenError } from '../core/errors.js';
import type { RenewalReason } from '../core/events.js';
import { withTimeLimit } from '../core/waiting.js';
import type { TokenRequest } from './decide.js';
import { asTokenError, disposedError, endedError } from './failures.js';
import { Flight } from './flight.js';
import { renewToken } from './renew-token.js';
import type { RenewalTools } from './renewal-tools.js';
import { coolDown, limits } from './retry.js';
import { graceMs, type HeldToken } from './state.js';
import type { TargetCache } from './target-cache.js';
import { heldFor, type TargetEntry } from './target-entry.js';
import { targetLabel } from './target-key.js';

/** The renewals of one manager: at most one per target, and what each leaves behind. */
export interface Renewals {
  /** The target's renewal; begins one if there is none. */
  begin(entry: TargetEntry, reason: RenewalReason, background: boolean, want?: TokenRequest): Flight;
  /** Reads the store once, and goes on with a rotation that a crash interrupted. */
  load(entry: TargetEntry): Promise<void>;
  /** Takes over what a target's record says, for every target that lives in it. */
  sync(changed: TargetEntry): void;
  /** Ends all waits; a refresh token that was sent is waited for until its successor is stored. */
  end(): Promise<void>;
}

const busyMs = 1_000;
const sameInstantMs = 1_000;

export function renewalsOf(targets: TargetCache, oneRecord: boolean, tools: RenewalTools, changed: () => void): Renewals {
  const { clock, report, now, ageMs } = tools;
  const flights = new Set<Flight>();
  let over = false;

  function begin(entry: TargetEntry, reason: RenewalReason, background: boolean, want: TokenRequest = {}): Flight {
    const { held } = entry;
    if (entry.flight !== undefined) return entry.flight;
    const flight = new Flight(clock, reason, background, want, async (own) => {
      // Not before the flight is registered: whatever runs in here may ask for a token itself.
      await Promise.resolve();
      try {
        const token = await renew(entry, own);
        if (entry.flight === own) entry.cooldown = undefined;
        return token;
      } catch (error) {
        // What the renewal found in the store is no success of it: it comes before the cool-down.
        takeOver(entry);
        throw noteFailure(entry, own, error);
      } finally {
        flights.delete(own);
        if (entry.flight === own) {
          entry.flight = undefined;
          entry.loaded = true;
        }
        sync(entry);
      }
    });
    entry.flight = flight;
    flights.add(flight);
    const target = targetLabel(entry.target);
    const expiresAt = held?.token.expiresAt;
    if (reason === 'expiring' && entry.expiring !== held) {
      entry.expiring = held;
      report({ type: 'expiring', expiresAt, target });
    } else if (reason === 'expired' && entry.expired !== held) {
      entry.expired = held;
      report({ type: 'expired', expiresAt, target });
    } else if (reason === 'refused') report({ type: 'refused', target });
    changed();
    return flight;
  }

  // Who came to wait while the renewal was giving way to the lock's holder waits for the lock.
  async function renew(entry: TargetEntry, flight: Flight): Promise<AccessToken> {
    for (;;) {
      try {
        return await renewToken(entry, flight, tools);
      } catch (error) {
        if (!flight.gaveWay || flight.background) throw error;
        flight.gaveWay = false;
      }
    }
  }

  function noteFailure(entry: TargetEntry, flight: Flight, caught: unknown): unknown {
    // Disposed, or forgotten meanwhile: what comes next starts afresh.
    const error = asTokenError(caught);
    if (flight.cancel.signal.aborted || entry.flight !== flight || error.code === 'session_changed') return caught;
    const { background } = flight;
    const failedAt = now();
    if (flight.gaveWay && error.code === 'lock_timeout') {
      // Whoever holds the lock is renewing; look again soon.
      entry.cooldown = { error, failures: entry.cooldown?.failures ?? 0, blockedMs: 0, backgroundMs: busyMs, ...failedAt };
      return error;
    }
    const cooldown = coolDown(error, (entry.cooldown?.failures ?? 0) + 1, tools.grant.renews, failedAt, tools.random());
    entry.cooldown = cooldown;
    const pauseMs = background ? cooldown.backgroundMs : cooldown.blockedMs;
    report({
      type: 'renewal_failed',
      error,
      background,
      retryAt: pauseMs === Infinity ? undefined : failedAt.wall + pauseMs,
      target: targetLabel(entry.target),
    });
    return error;
  }

  function sync(entry: TargetEntry): void {
    takeOver(entry);
    changed();
  }

  function takeOver(entry: TargetEntry): void {
    const { ended } = entry.keeper.record;
    for (const each of oneRecord ? targets.all() : [entry]) {
      const { held: known } = each;
      const held = heldFor(each);
      if (held !== undefined && known !== undefined && isSame(held, known)) {
        if (each.expiring === known) each.expiring = held;
        if (each.expired === known) each.expired = held;
      } else if (held !== undefined) each.cooldown = undefined;
      each.held = held;
      each.ended = ended && endedError(ended);
    }
  }

  async function read(entry: TargetEntry): Promise<void> {
    try {
      await entry.keeper.read();
    } catch (error) {
      report({ type: 'storage_error', error: asTokenError(error) });
      // Without the record nobody knows which refresh token is the current one.
      if (oneRecord) throw error;
    }
    entry.loaded = true;
    sync(entry);
    const { pending } = entry.keeper.record;
    // A grace window for the refresh token may still be open.
    if (!over && pending !== undefined && ageMs(pending) < graceMs) begin(entry, 'missing', true);
  }

  function load(entry: TargetEntry): Promise<void> {
    entry.loading ??= read(entry).finally(() => {
      entry.loading = undefined;
    });
    return entry.loading;
  }

  async function end(): Promise<void> {
    over = true;
    for (const flight of flights) flight.leave(disposedError());
    const spending = [...flights].filter((flight) => flight.spending).map((flight) => flight.outcome);
    const limit = (): TokenError => new TokenError('timeout', 'a renewal did not end in time', { phase: 'manager' });
    if (spending.length > 0) await withTimeLimit(clock, limits.disposeMs, () => Promise.allSettled(spending), limit).catch(() => undefined);
  }

  return { begin, load, sync, end };
}

// A record that was read again holds the tokens it held before as new objects: no news, and nothing to announce.
function isSame(held: HeldToken, known: HeldToken): boolean {
  return held.token.value === known.token.value && held.mono - known.mono < sameInstantMs;
}
