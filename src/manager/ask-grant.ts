import { TokenError } from '../core/errors.js';
import type { GrantContext } from '../core/grant.js';
import type { TokenTarget } from '../core/token-source.js';
import { withTimeLimit } from '../core/waiting.js';
import type { RenewalTools } from './renewal-tools.js';

/**
 * Calls the grant under a time limit, and ends the call when `cancelled` aborts.
 * @throws {TokenError} `timeout`
 */
export function askGrant<T>(
  { clock, report }: RenewalTools,
  target: TokenTarget,
  phase: 'token' | 'revocation',
  limitMs: number,
  call: (context: GrantContext) => T | PromiseLike<T>,
  cancelled?: AbortSignal,
): Promise<T> {
  const timeout = (): TokenError => new TokenError('timeout', `no answer from the ${phase} endpoint within ${limitMs} ms`, { phase });
  return withTimeLimit(clock, limitMs, async (signal): Promise<T> => call({ target, clock, signal, report }), timeout, cancelled);
}
