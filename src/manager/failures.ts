import { isTokenError, TokenError } from '../core/errors.js';
import type { EndReason } from './state.js';

/** The failure that a dead grant's callers get. */
export function endedError(reason: EndReason): TokenError {
  if (reason === 'grant_revoked') return new TokenError('grant_revoked', 'the server refused the refresh token; a new sign-in is needed', { phase: 'token' });
  if (reason === 'rotation_lost')
    return new TokenError('rotation_lost', 'the refresh token was spent and the answer was lost; a new sign-in is needed', { phase: 'token' });
  return new TokenError('login_required', 'the session was ended here; a new sign-in is needed', { phase: 'token' });
}

/** Anything that a grant throws, as a failure of ours. Foreign errors may hold secrets and are not kept. */
export function asTokenError(error: unknown): TokenError {
  return isTokenError(error) ? error : new TokenError('grant_failed', 'the grant threw an error that is no TokenError', { phase: 'token' });
}

export function sessionChanged(): TokenError {
  return new TokenError('session_changed', 'the session ended or changed while its token was renewed', { phase: 'token' });
}

export function disposedError(): TokenError {
  return new TokenError('disposed', 'this token manager was disposed', { phase: 'manager' });
}

/** The first of several failures, if there is one. */
export function firstFailure(results: readonly PromiseSettledResult<unknown>[]): TokenError | undefined {
  const failed = results.find((result) => result.status === 'rejected');
  return failed && asTokenError(failed.reason);
}
