import { dpopAlgorithms } from './dpop-proof.js';
import type { ServerKnobs } from './server-knobs.js';
import { type Exchange, respondJson, respondRaw } from './server-context.js';

/** Where the fake server's parts are, below its issuer. */
export interface ServerPaths {
  readonly token: string;
  readonly revocation: string;
  readonly introspection: string;
  readonly device: string;
  readonly authorization: string;
  readonly pushedAuthorization: string;
  readonly jwks: string;
  readonly userInfo: string;
  readonly endSession: string;
  /** RFC 8414 §3.1: the suffix goes between the host and the issuer's path. */
  readonly oauthMetadata: string;
  /** OpenID Connect Discovery 1.0 §4: the suffix goes behind the issuer. */
  readonly oidcMetadata: string;
}

export function serverPaths(issuer: string): ServerPaths {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return {
    token: `${origin}${path}/token`,
    revocation: `${origin}${path}/revoke`,
    introspection: `${origin}${path}/introspect`,
    device: `${origin}${path}/device_authorization`,
    authorization: `${origin}${path}/authorize`,
    pushedAuthorization: `${origin}${path}/par`,
    jwks: `${origin}${path}/jwks`,
    userInfo: `${origin}${path}/userinfo`,
    endSession: `${origin}${path}/logout`,
    oauthMetadata: `${origin}/.well-known/oauth-authorization-server${path}`,
    oidcMetadata: `${origin}${path}/.well-known/openid-configuration`,
  };
}

/** The same part on the host for clients with certificates. */
export function mtlsAlias(url: string): string {
  return url.replace('://', '://mtls.');
}

// RFC 8414 §2.
function serverMetadata({ context, knobs }: Exchange): Readonly<Record<string, unknown>> {
  const paths = serverPaths(context.issuer);
  return {
    issuer: context.issuer,
    token_endpoint: paths.token,
    revocation_endpoint: knobs.revocation ? paths.revocation : undefined,
    introspection_endpoint: knobs.introspection ? paths.introspection : undefined,
    device_authorization_endpoint: knobs.deviceAuthorization ? paths.device : undefined,
    grant_types_supported: Object.keys(context.grants),
    ...signInMetadata(context.issuer, knobs),
    token_endpoint_auth_methods_supported: knobs.authMethods,
    revocation_endpoint_auth_methods_supported: knobs.revocation ? knobs.authMethods : undefined,
    dpop_signing_alg_values_supported: knobs.dpop === 'ignored' ? undefined : dpopAlgorithms,
    mtls_endpoint_aliases: mtlsAliases(context.issuer, knobs),
    ...knobs.metadata,
  };
}

/** What a server with users adds to its metadata. */
export function signInMetadata(issuer: string, knobs: ServerKnobs): Readonly<Record<string, unknown>> {
  const paths = serverPaths(issuer);
  const isPushOffered = knobs.pushedRequests !== 'absent';
  return {
    authorization_endpoint: paths.authorization,
    ...(isPushOffered && { pushed_authorization_request_endpoint: paths.pushedAuthorization }),
    ...(knobs.pushedRequests === 'required' && { require_pushed_authorization_requests: true }),
    jwks_uri: paths.jwks,
    userinfo_endpoint: paths.userInfo,
    end_session_endpoint: paths.endSession,
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'fragment'],
    code_challenge_methods_supported: ['S256'],
    id_token_signing_alg_values_supported: [knobs.idTokenAlgorithm],
    authorization_response_iss_parameter_supported: knobs.issParameter !== 'absent',
  };
}

/** RFC 8705 §5. */
export function mtlsAliases(issuer: string, knobs: Pick<ServerKnobs, 'mtlsEndpoints' | 'revocation'>): Readonly<Record<string, string>> | undefined {
  const { token, revocation } = serverPaths(issuer);
  if (!knobs.mtlsEndpoints) return undefined;
  return { token_endpoint: mtlsAlias(token), ...(knobs.revocation && { revocation_endpoint: mtlsAlias(revocation) }) };
}

export function discoveryEndpoint(form: 'oauth' | 'oidc', exchange: Exchange): Response {
  const { knobs } = exchange;
  if (knobs.discoveryAnswer !== undefined) return respondRaw(exchange, knobs.discoveryAnswer);
  if (knobs.discovery !== 'both' && knobs.discovery !== form) return respondJson(exchange, 404, { error: 'not_found' });
  return respondJson(exchange, 200, serverMetadata(exchange));
}
