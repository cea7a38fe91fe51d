import { TokenError } from './errors.js';

/** For what a store cannot read or write now, and is to be left as it is. */
export function unavailable(message: string): TokenError {
  return new TokenError('store_unavailable', message, { phase: 'store' });
}
