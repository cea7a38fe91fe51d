import { checkString } from '../../core/check-option.js';
import type { Grant } from '../../core/grant.js';
import { checkTokenParameters } from '../../core/token-parameters.js';
import type { TokenTarget } from '../../core/token-source.js';
import { type AuthorizationServerOptions, checkAuthorizationServer } from '../issuer/authorization-server.js';
import { bindingOf } from '../dpop/token-binding.js';
import { revokeTokens } from '../revocation.js';
import { refresher } from './refresher.js';
import { canonicalParameters } from '../wire/token-parameters.js';

/** The server, the client, the refresh token to begin with, and what its tokens are for unless a target says otherwise. */
export interface RefreshTokenOptions extends AuthorizationServerOptions, TokenTarget {
  /** Used until the server replaces it; with a store, the stored one goes first. */
  readonly refreshToken: string;
}

/**
 * Renews with an existing refresh token (RFC 6749 §6). The scope is not sent again unless a target asks for one or the
 * preset requires it; then the server decides.
 * @throws {TokenError} `invalid_option`.
 */
export function refreshToken(options: RefreshTokenOptions): Grant {
  const server = checkAuthorizationServer('refreshToken', options, ['refreshToken', 'scope', 'resource', 'audience', 'params']);
  const initial = checkString('refreshToken', options.refreshToken);
  const defaults = checkTokenParameters(options);
  const refresh = refresher(server, defaults);
  return {
    id: JSON.stringify(['refresh_token', server.issuer, server.clientId, canonicalParameters(defaults)]),
    renews: 'refreshToken',
    keepsRefreshToken: server.preset.rotation === 'none',
    ...bindingOf(server, initial),
    request: (current, context) => refresh(current?.refreshToken ?? initial, current, context),
    // A server that does not rotate never gave another one.
    revoke: (tokens, context) => revokeTokens(server, { ...tokens, refreshToken: tokens.refreshToken ?? initial }, context),
  };
}
