import { dpopAlgorithms } from './dpop-proof.js';
import { type Exchange, respondJson, respondRaw } from './server-context.js';

/** Where the fake server's parts are, below its issuer. */
export interface ServerPaths {
  readonly token: string;
  readonly revocation: string;
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
    oauthMetadata: `${origin}/.well-known/oauth-authorization-server${path}`,
    oidcMetadata: `${origin}${path}/.well-known/openid-configuration`,
  };
}

// RFC 8414 §2.
function serverMetadata({ context, knobs }: Exchange): Readonly<Record<string, unknown>> {
  const paths = serverPaths(context.issuer);
  return {
    issuer: context.issuer,
    token_endpoint: paths.token,
    revocation_endpoint: knobs.revocation ? paths.revocation : undefined,
    grant_types_supported: Object.keys(context.grants),
    response_types_supported: [],
    token_endpoint_auth_methods_supported: knobs.authMethods,
    revocation_endpoint_auth_methods_supported: knobs.revocation ? knobs.authMethods : undefined,
    dpop_signing_alg_values_supported: knobs.dpop === 'ignored' ? undefined : dpopAlgorithms,
    ...knobs.metadata,
  };
}

export function discoveryEndpoint(form: 'oauth' | 'oidc', exchange: Exchange): Response {
  const { knobs } = exchange;
  if (knobs.discoveryAnswer !== undefined) return respondRaw(exchange, knobs.discoveryAnswer);
  if (knobs.discovery !== 'both' && knobs.discovery !== form) return respondJson(exchange, 404, { error: 'not_found' });
  return respondJson(exchange, 200, serverMetadata(exchange));
}
