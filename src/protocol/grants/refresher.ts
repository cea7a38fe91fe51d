import type { GrantContext } from '../../core/grant.js';
import { checkTokenParameters, type TokenParameters } from '../../core/token-parameters.js';
import type { TokenSet } from '../../core/token-set.js';
import type { AuthorizationServer } from '../issuer/authorization-server.js';
import { watchEnd } from '../wire/refresh-token-end.js';
import { toSearchParams } from '../wire/token-parameters.js';
import { tokenRequester } from '../wire/token-request.js';

/** Spends a refresh token. `current`: the token set that is renewed, if there is one. */
export type Refresh = (refreshToken: string, current: TokenSet | undefined, context: GrantContext) => Promise<TokenSet>;

/**
 * Renews by refresh token (RFC 6749 §6). The scope is not sent again unless a target asks for one or the preset requires
 * it; then the server decides.
 */
export function refresher(server: AuthorizationServer, defaults: TokenParameters): Refresh {
  const send = tokenRequester(server);
  return async (refreshToken, current, context) => {
    const { target } = context;
    const parameters = checkTokenParameters(target, defaults);
    const isScopeSent = target.scope !== undefined || server.preset.scopeOnRefresh === 'required';
    const body = toSearchParams(parameters, isScopeSent ? parameters.scope : undefined);
    body.set('refresh_token', refreshToken);
    const requested = parameters.scope ?? current?.scope;
    const tokens = await send({ grantType: 'refresh_token', body, requested, isRenewable: true, secrets: [refreshToken] }, context);
    return watchEnd(tokens, current, server.preset, context);
  };
}
