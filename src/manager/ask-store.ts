import type { Clock } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import { unavailable } from '../core/unavailable.js';
import { withTimeLimit } from '../core/waiting.js';
import { limits } from './retry.js';

/**
 * One call to a store, in its time.
 * @throws {TokenError} `store_unavailable`, or the store's own
 */
export async function askStore<T>(clock: Clock, call: () => Promise<T>): Promise<T> {
  try {
    return await withTimeLimit(clock, limits.storeMs, call, () => unavailable(`the store did not answer within ${limits.storeMs} ms`));
  } catch (error) {
    // A store's own error may hold anything, a record too.
    throw error instanceof TokenError ? error : unavailable('the store failed');
  }
}
