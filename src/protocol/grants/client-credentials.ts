import { invalidOption } from '../../core/check-option.js';
import type { Grant } from '../../core/grant.js';
import { checkTokenParameters } from '../../core/token-parameters.js';
import type { TokenTarget } from '../../core/token-source.js';
import { type AuthorizationServerOptions, checkAuthorizationServer } from '../issuer/authorization-server.js';
import { bindingOf } from '../dpop/token-binding.js';
import { revokeTokens } from '../revocation.js';
import { canonicalParameters, toSearchParams } from '../wire/token-parameters.js';
import { tokenRequester } from '../wire/token-request.js';

/** The server, the client, and what its tokens are for unless a target says otherwise. */
export interface ClientCredentialsOptions extends AuthorizationServerOptions, TokenTarget {}

/**
 * A service that acts for itself (RFC 6749 §4.4): the grant is simply made again when a token runs out.
 * @throws {TokenError} `invalid_option`, also for a public client (`none()`).
 */
export function clientCredentials(options: ClientCredentialsOptions): Grant {
  const server = checkAuthorizationServer('clientCredentials', options, ['scope', 'resource', 'audience', 'params']);
  if (server.auth.method === 'none') throw invalidOption('auth', 'a secret: this grant is for confidential clients only', undefined);
  const defaults = checkTokenParameters(options);
  const send = tokenRequester(server);
  return {
    id: JSON.stringify(['client_credentials', server.issuer, server.clientId, canonicalParameters(defaults)]),
    renews: 'regrant',
    ...bindingOf(server),
    request: async (_current, context) => {
      const parameters = checkTokenParameters(context.target, defaults);
      const body = toSearchParams(parameters, parameters.scope);
      return send({ grantType: 'client_credentials', body, requested: parameters.scope, isRenewable: false, secrets: [] }, context);
    },
    revoke: (tokens, context) => revokeTokens(server, { ...tokens, refreshToken: undefined }, context),
  };
}
