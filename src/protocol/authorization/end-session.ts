import type { GrantContext } from '../../core/grant.js';
import type { AuthorizationServer } from '../issuer/authorization-server.js';
import { setParameters, withParameters } from './with-parameters.js';

/** What the provider is told when a user signs out there too. */
export interface EndSessionOptions {
  /** Whose session it is about: the last ID token. */
  readonly idTokenHint?: string | undefined;
  /** Where the provider sends the user afterwards: one of the registered URIs. */
  readonly postLogoutRedirectUri?: string | undefined;
  /** Comes back with the redirect. */
  readonly state?: string | undefined;
}

/**
 * Where to send a user who signs out at the provider too (OpenID Connect RP-Initiated Logout §2), or in the preset's own
 * form; undefined where the provider offers neither. Whoever uses it has forgotten the tokens before. (`standards.md` A29)
 * @throws {TokenError} what discovery may end with.
 */
export async function endSessionUrl(server: AuthorizationServer, options: EndSessionOptions, context: GrantContext): Promise<string | undefined> {
  const { preset, clientId } = server;
  const { idTokenHint, postLogoutRedirectUri, state } = options;
  const { logout = 'oidc' } = preset;
  if (logout === 'none') return undefined;
  const urlOf = (endpoint: string, own: Readonly<Record<string, string | undefined>>) => withParameters(endpoint, setParameters(new URLSearchParams(), own));
  if (logout !== 'oidc') return urlOf(logout.url, { [logout.clientIdParam]: clientId, [logout.redirectParam]: postLogoutRedirectUri });
  const endpoint = (await server.metadata(context)).end_session_endpoint;
  const parameters = { client_id: clientId, id_token_hint: idTokenHint, post_logout_redirect_uri: postLogoutRedirectUri, state };
  return endpoint === undefined ? undefined : urlOf(endpoint, parameters);
}
