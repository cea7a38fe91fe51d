import { isTokenError, TokenError } from '../core/errors.js';
import type { EndReason } from './state.js';

/** The failure that a dead grant's callers get. */
export function endedError(reason: EndReason): TokenError {
  const [code, what] =
    reason === 'grant_revoked'
      ? ([reason, 'the server refused the refresh token'] as const)
      : reason === 'rotation_lost'
        ? ([reason, 'the refresh token was spent and the answer was lost'] as const)
        : reason === 'key_lost'
          ? ([reason, 'the key of these tokens is gone'] as const)
          : (['login_required', reason === 'storage_cleared' ? 'the stored session is gone' : 'the session was ended here'] as const);
  return new TokenError(code, `${what}; a new sign-in is needed`, { phase: 'token' });
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
