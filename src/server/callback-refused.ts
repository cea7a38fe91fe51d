import { TokenError } from '../core/errors.js';

/** What does not belong together; nothing was sent. */
export function callbackRefused(why: string): TokenError {
  return new TokenError('callback_refused', `the callback was refused: ${why}`, { phase: 'authorization' });
}
