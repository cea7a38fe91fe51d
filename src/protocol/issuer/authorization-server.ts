import { checkFunction, checkOptions, checkPort, checkString, invalidOption } from '../../core/check-option.js';
import type { GrantContext } from '../../core/grant.js';
import type { Preset } from '../../core/preset.js';
import { checkInsecureOrigins } from '../../core/secure-url.js';
import { checkPreset } from './check-preset.js';
import { type ClientAuth, none } from '../client-auth/client-auth.js';
import { discoverMetadata } from './discovery.js';
import type { Dpop } from '../dpop/dpop.js';
import { checkIssuer, checkServerMetadata, type EndpointName, type ServerMetadata } from './server-metadata.js';
import { ServerTime } from './server-time.js';

/** What every grant that talks to an authorization server takes. */
export interface AuthorizationServerOptions {
  /** The issuer identifier; endpoints are discovered (RFC 8414, OpenID Connect Discovery). Either this or `server`. */
  readonly issuer?: string | undefined;
  /** The server's metadata, for servers without discovery. */
  readonly server?: ServerMetadata | undefined;
  readonly clientId: string;
  /** @default none() */
  readonly auth?: ClientAuth | undefined;
  /** Binds the tokens to a key (RFC 9449): `dpop(…)`. @default bearer tokens */
  readonly dpop?: Dpop | undefined;
  /** Carries every request to the authorization server. @default the global fetch at the time of the request */
  readonly fetch?: typeof fetch | undefined;
  /** How the server departs from the standards. */
  readonly preset?: Preset | undefined;
  /** Plain http origins beyond loopback that may see secrets. Everyone on the way can read them: only for networks that encrypt below HTTP. */
  readonly allowInsecureHttp?: readonly string[] | undefined;
}

/** An authorization server and a client of it, as the options name them. */
export interface AuthorizationServer {
  readonly issuer: string;
  readonly clientId: string;
  readonly auth: ClientAuth;
  readonly dpop: Dpop | undefined;
  readonly fetch: typeof fetch | undefined;
  readonly preset: Preset;
  readonly time: ServerTime;
  /** The last DPoP nonce of each origin. */
  readonly nonces: Map<string, string>;
  metadata(context: GrantContext): Promise<ServerMetadata>;
}

const known = ['issuer', 'server', 'clientId', 'auth', 'dpop', 'fetch', 'preset', 'allowInsecureHttp'];

/** Checks the options that all grants share; `further` names the grant's own. */
export function checkAuthorizationServer(where: string, options: AuthorizationServerOptions, further: readonly string[]): AuthorizationServer {
  checkOptions(where, options, [...known, ...further]);
  const { issuer, server, auth = none(), dpop } = options;
  const clientId = checkString('clientId', options.clientId);
  const preset = checkPreset(options.preset);
  const insecureOrigins = checkInsecureOrigins(options.allowInsecureHttp);
  checkFunction('fetch', options.fetch);
  checkPort('dpop', dpop, ['prove', 'thumbprint', 'isNew']);
  if (typeof auth?.authenticate !== 'function') throw invalidOption('auth', 'none(), clientSecretBasic(…) or another client authentication', auth);
  // Whatever a page holds, everyone who opens it holds (RFC 10017 §6.3.3).
  if (auth.method !== 'none' && 'window' in globalThis && 'document' in globalThis)
    throw invalidOption('auth', 'none() in a browser, where no secret stays one', auth);
  if ((issuer === undefined) === (server === undefined)) throw invalidOption('issuer', 'either "issuer" or "server", and not both', issuer);
  const fetch = auth.mutualTls?.fetch ?? options.fetch;
  if ((options.fetch ?? fetch) !== fetch) throw invalidOption('fetch', 'none beside that of mutualTls(…)', options.fetch);
  const shared = { clientId, auth, dpop, fetch, preset, time: new ServerTime(), nonces: new Map<string, string>() };
  if (server === undefined) {
    const trust = { issuer: checkIssuer('issuer', issuer, insecureOrigins), preset, insecureOrigins };
    return { ...shared, issuer: trust.issuer, metadata: discoverMetadata({ ...trust, fetch }) };
  }
  const metadata = checkServerMetadata(server, insecureOrigins);
  return { ...shared, issuer: metadata.issuer, metadata: () => Promise.resolve(metadata) };
}

/** Where an endpoint is for this client: clients with a certificate may have an address of their own (RFC 8705 §5). */
export function endpointFor({ auth }: AuthorizationServer, metadata: ServerMetadata, name: EndpointName): string | undefined {
  return (auth.mutualTls && metadata.mtls_endpoint_aliases?.[name]) ?? metadata[name];
}
