import { checkOptions } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import type { JournalEntry } from '../core/events.js';
import type { Grant } from '../core/grant.js';
import type { Lock } from '../core/lock.js';
import type { TokenStore } from '../core/token-store.js';
import { managerParts } from './build-manager.js';
import { renew } from './renew.js';
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

export const managerOptionNames: readonly string[] = ['grant', 'skewMs', 'minValidMs', 'store', 'lock', 'clock', 'keepFresh', 'maxTargets', 'onEvent'];

/**
 * Keeps the access tokens of one grant alive: acquired once however many ask, renewed before expiry behind the callers,
 * replaced when a resource server refuses one.
 *
 * @throws {TokenError} `invalid_option`
 */
export function createTokenManager(options: TokenManagerOptions): TokenManager {
  checkOptions('createTokenManager', options, managerOptionNames);
  return managerParts(options, { renew }).tokens;
}
