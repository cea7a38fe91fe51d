import { checkBoolean, checkCount, checkDuration, checkFunction, checkOptions, checkPort, invalidOption } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import type { JournalEntry } from '../core/events.js';
import type { Grant, ProofRequest } from '../core/grant.js';
import { localLock } from '../core/local-lock.js';
import type { Lock } from '../core/lock.js';
import { digest, randomFraction } from '../core/random.js';
import { systemClock } from '../core/system-clock.js';
import type { TokenStore } from '../core/token-store.js';
import { Journal } from './journal.js';

import { keepTokens } from './keep-tokens.js';
import { RecordKeeper } from './record-keeper.js';
import { noQueue, type RequestQueue } from './request-queue.js';
import { elapsedMs, type Instant } from './state.js';
import { TargetCache } from './target-cache.js';
import type { TokenManager } from './token-manager.js';

export interface TokenManagerOptions {
  /** How tokens are got. */
  readonly grant: Grant;
  /**
   * How long before expiry renewal starts behind the callers, in milliseconds; at most half of the token's lifetime.
   * @default 60_000
   */
  readonly skewMs?: number | undefined;
  /**
   * Nobody is handed a token with less than this left, in milliseconds; at most a quarter of the token's lifetime.
   * @default 5_000
   */
  readonly minValidMs?: number | undefined;
  /** Where tokens are kept beyond this object. Left out: in memory. */
  readonly store?: TokenStore | undefined;
  /** Excludes everyone who uses the same store. Left out: the store's own. */
  readonly lock?: Lock | undefined;
  /** @default the machine's clock */
  readonly clock?: Clock | undefined;
  /**
   * Keeps the manager's own token live without being asked, from construction on: for consumers that hold a token, such
   * as a WebSocket. One timer, which never keeps the process alive.
   * @default false
   */
  readonly keepFresh?: boolean | undefined;
  /** How many targets of {@link TokenManager.for} are remembered. @default 1_000 */
  readonly maxTargets?: number | undefined;
  /** Hears what `explain()` remembers. It runs isolated: what it throws hurts nobody. */
  readonly onEvent?: ((entry: JournalEntry) => void) | undefined;
}

/** What other rooms of this package and its tests hand in beside the options. */
export interface ManagerInternals {
  readonly queue?: RequestQueue | undefined;
  readonly random?: (() => number) | undefined;
  readonly digest?: ((text: string) => Promise<string>) | undefined;
}

export const managerOptionNames: readonly string[] = ['grant', 'skewMs', 'minValidMs', 'store', 'lock', 'clock', 'keepFresh', 'maxTargets', 'onEvent'];

/**
 * Keeps the access tokens of one grant alive: acquired once however many ask, renewed before expiry behind the callers,
 * replaced when a resource server refuses one.
 *
 * @throws {TokenError} `invalid_option`
 */
export function createTokenManager(options: TokenManagerOptions): TokenManager {
  checkOptions('createTokenManager', options, managerOptionNames);
  return createManager(options, {});
}

/** @internal */
export function createManager(options: TokenManagerOptions, internals: ManagerInternals): TokenManager {
  const { grant, store, clock = systemClock } = options;
  checkGrant(grant);
  checkPort('store', store, ['get', 'set', 'delete']);
  checkPort('store.lock', store?.lock, ['run']);
  checkFunction('store.subscribe', store?.subscribe);
  checkPort('lock', options.lock, ['run']);
  checkPort('clock', options.clock, ['now', 'monotonicMs', 'sleep']);
  checkFunction('onEvent', options.onEvent);
  const lock = options.lock ?? store?.lock ?? localLock({ clock });
  if (store?.shared === true && lock.shared !== true) {
    throw new TokenError('invalid_option', 'option "lock": a store that other processes share needs a lock that excludes them too', { phase: 'options' });
  }
  const random = internals.random ?? randomFraction;
  const skewMs = checkDuration('skewMs', options.skewMs, 60_000);
  const prove = grant.prove?.bind(grant);
  const windows = {
    // What cannot be renewed is not tried to be before its end.
    skewMs: grant.renews === 'never' ? 0 : skewMs,
    minValidMs: checkDuration('minValidMs', options.minValidMs, 5_000),
    spread: random(),
    prove: prove && ((request: ProofRequest) => prove(request, clock)),
  };
  const keepFresh = checkBoolean('keepFresh', options.keepFresh, false);
  const maxTargets = checkCount('maxTargets', options.maxTargets, 1_000);
  const journal = new Journal(clock, options.onEvent);
  const report = journal.report.bind(journal);
  const hash = internals.digest ?? digest;
  const now = (): Instant => ({ wall: clock.now(), mono: clock.monotonicMs() });
  const ageMs = (since: Instant): number => elapsedMs(since, clock.now(), clock.monotonicMs());
  const oneRecord = grant.renews === 'refreshToken';
  const nameOf = async (targetKey: string): Promise<string> => {
    const name = oneRecord ? '' : targetKey;
    // A lock that only this manager knows needs no name that others could meet.
    return store === undefined && options.lock === undefined ? name : `tokenkeep:1:${await hash(JSON.stringify([grant.id, await grant.identity?.(), name]))}`;
  };
  const newKeeper = (targetKey: string): RecordKeeper => {
    let name: string | undefined;
    const named = async (): Promise<string> => {
      name ??= await nameOf(targetKey);
      return name;
    };
    return new RecordKeeper(named, { store, clock, windows, report });
  };
  const targets = new TargetCache({ maxTargets, oneRecord, hasStore: store !== undefined, newKeeper, ageMs });
  const queue = internals.queue ?? noQueue;
  const tools = {
    grant,
    clock,
    lock,
    queue,
    windows,
    sharedStore: store?.shared === true,
    pause: undefined,
    lockNameOf: nameOf,
    random,
    digest: hash,
    report,
    now,
    ageMs,
  };
  return keepTokens(targets, tools, journal, { keepFresh });
}

function checkGrant(grant: unknown): void {
  checkPort('grant', grant ?? null, ['request']);
  const { id, renews, ...methods } = Object(grant);
  for (const name of ['identity', 'revoke', 'prove']) checkFunction(`grant.${name}`, methods[name]);
  if (typeof id !== 'string') throw invalidOption('grant.id', 'a string', id);
  if (renews !== 'refreshToken' && renews !== 'regrant' && renews !== 'never')
    throw invalidOption('grant.renews', '"refreshToken", "regrant" or "never"', renews);
}
