import type { Clock } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import { localLock } from '../core/local-lock.js';
import type { Lock } from '../core/lock.js';
import type { TokenStore } from '../core/token-store.js';

/**
 * The lock that goes with a store: the given one, the store's own, or one of this process.
 * @throws {TokenError} `invalid_option` when the store is shared and the lock is not.
 */
export function lockOf(store: TokenStore | undefined, given: Lock | undefined, clock: Clock): Lock {
  const lock = given ?? store?.lock ?? localLock({ clock });
  if (store?.shared === true && lock.shared !== true)
    throw new TokenError('invalid_option', 'option "lock": a store that other processes share needs a lock that excludes them too', { phase: 'options' });
  return lock;
}
