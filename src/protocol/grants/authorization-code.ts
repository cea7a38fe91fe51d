import { checkString } from '../../core/check-option.js';
import type { Grant, GrantContext } from '../../core/grant.js';
import { checkInsecureOrigins } from '../../core/secure-url.js';
import { checkTokenParameters } from '../../core/token-parameters.js';
import type { TokenSet } from '../../core/token-set.js';
import type { TokenTarget } from '../../core/token-source.js';
import { type AuthorizationServerOptions, checkAuthorizationServer } from '../issuer/authorization-server.js';
import { redeemCode } from '../authorization/redeem-code.js';
import { checkRedirectUri } from '../authorization/redirect-uri.js';
import { signedInGrant } from '../authorization/signed-in-grant.js';
import { bindingOf } from '../dpop/token-binding.js';

/** The server, the client, the code and what belongs to it, and what the tokens are for unless a target says otherwise. */
export interface AuthorizationCodeOptions extends AuthorizationServerOptions, TokenTarget {
  readonly code: string;
  /** As it stood in the authorization request. */
  readonly redirectUri: string;
  /** The PKCE secret of the authorization request (RFC 7636 §4.1). */
  readonly codeVerifier?: string | undefined;
  /** The `nonce` of the authorization request; required with the scope `openid`. */
  readonly nonce?: string | undefined;
}

const optionNames = ['code', 'redirectUri', 'codeVerifier', 'nonce', 'scope', 'resource', 'audience', 'params'];

/**
 * Redeems an authorization code that was fetched by other means (RFC 6749 §4.1.3), once, and renews with the refresh token
 * that it gives.
 * @throws {TokenError} `invalid_option`.
 */
export function authorizationCode(options: AuthorizationCodeOptions): Grant {
  const server = checkAuthorizationServer('authorizationCode', options, optionNames);
  const code = checkString('code', options.code);
  const redirectUri = checkRedirectUri(options.redirectUri, checkInsecureOrigins(options.allowInsecureHttp));
  const codeVerifier = options.codeVerifier === undefined ? undefined : checkString('codeVerifier', options.codeVerifier);
  const defaults = checkTokenParameters(options);
  const nonce = defaults.scope?.includes('openid') ? checkString('nonce', options.nonce) : undefined;
  const { issuer, clientId } = server;
  const { scope, resource } = defaults;
  const transaction = { issuer, clientId, redirectUri, codeVerifier, nonce, scope, resource, maxAgeMs: undefined };
  const redeem = async (context: GrantContext): Promise<TokenSet> => (await redeemCode(server, transaction, { code }, context)).tokens;
  // Two codes may be two users: their tokens must not meet in one record.
  return { ...signedInGrant(server, defaults, redeem), ...bindingOf(server, code) };
}
