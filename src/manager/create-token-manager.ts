import { checkBoolean, checkCount, checkDuration, checkFunction, checkOptions, checkPort, invalidOption } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import type { JournalEntry } from '../core/events.js';
import type { Grant, ProofRequest } from '../core/grant.js';
import { localLock } from '../core/local-lock.js';
import type { Lock } from '../core/lock.js';
import { digest, randomFraction } from '../core/random.js';
import { checkClock } from '../core/system-clock.js';
import type { TokenStore } from '../core/token-store.js';
import { Journal } from './journal.js';
import { keepTokens } from './keep-tokens.js';
import type { RenewalTools } from './renewal-tools.js';
import { noQueue, type RequestQueue } from './request-queue.js';
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
  const { grant, store, onEvent } = options;
  checkGrant(grant);
  checkPort('store', store, ['get', 'set', 'delete']);
  checkPort('store.lock', store?.lock, ['run']);
  checkFunction('store.subscribe', store?.subscribe);
  checkPort('lock', options.lock, ['run']);
  checkFunction('onEvent', onEvent);
  const clock = checkClock(options.clock);
  const lock = options.lock ?? store?.lock ?? localLock({ clock });
  if (store?.shared === true && lock.shared !== true) {
    throw new TokenError('invalid_option', 'option "lock": a store that other processes share needs a lock that excludes them too', { phase: 'options' });
  }
  const { queue = noQueue, random = randomFraction, digest: hash = digest } = internals;
  const skewMs = checkDuration('skewMs', options.skewMs, 60_000);
  const prove = grant.prove?.bind(grant);
  const oneRecord = grant.renews === 'refreshToken';
  const journal = new Journal(clock, onEvent);
  const tools: RenewalTools = {
    grant,
    oneRecord,
    clock,
    store,
    lock,
    queue,
    windows: {
      // What cannot be renewed is not tried to be before its end.
      skewMs: grant.renews === 'never' ? 0 : skewMs,
      minValidMs: checkDuration('minValidMs', options.minValidMs, 5_000),
      spread: random(),
      prove: prove && ((request: ProofRequest) => prove(request, clock)),
    },
    maxTargets: checkCount('maxTargets', options.maxTargets, 1_000),
    pause: undefined,
    nameOf: async (targetKey) => {
      const name = oneRecord ? '' : targetKey;
      // A lock that only this manager knows needs no name that others could meet.
      return !store && options.lock === undefined ? name : `tokenkeep:1:${await hash(JSON.stringify([grant.id, await grant.identity?.(), name]))}`;
    },
    random,
    digest: hash,
    report: journal.report,
  };
  return keepTokens(tools, journal, checkBoolean('keepFresh', options.keepFresh, false));
}

function checkGrant(grant: unknown): void {
  checkPort('grant', grant ?? null, ['request']);
  const { id, renews, ...methods } = Object(grant);
  for (const name of ['identity', 'revoke', 'prove']) checkFunction(`grant.${name}`, methods[name]);
  if (typeof id !== 'string') throw invalidOption('grant.id', 'a string', id);
  if (!['refreshToken', 'regrant', 'never'].includes(renews)) throw invalidOption('grant.renews', '"refreshToken", "regrant" or "never"', renews);
}
