import { TokenError } from '../core/errors.js';
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

export function sessionChanged(): TokenError {
  return new TokenError('session_changed', 'the session ended or changed while its token was renewed', { phase: 'token' });
}

export function disposedError(): TokenError {
  return new TokenError('disposed', 'this token manager was disposed', { phase: 'manager' });
}
