import { TokenError } from '../core/errors.js';

/** For what cannot be read or written now, and is to be left as it is. */
export function unavailable(message: string): TokenError {
  return new TokenError('store_unavailable', message, { phase: 'store' });
}
