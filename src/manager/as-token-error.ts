import { isTokenError, TokenError } from '../core/errors.js';

/** Anything that a grant throws, as a failure of ours. Foreign errors may hold secrets and are not kept. */
export function asTokenError(error: unknown): TokenError {
  return isTokenError(error) ? error : new TokenError('grant_failed', 'the grant threw an error that is no TokenError', { phase: 'token' });
}

/** The first of several failures, if there is one. */
export function firstFailure(results: readonly PromiseSettledResult<unknown>[]): TokenError | undefined {
  const failed = results.find((result) => result.status === 'rejected');
  return failed && asTokenError(failed.reason);
}
