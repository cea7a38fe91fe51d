import { createServer, type RequestListener, type Server } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import { errors, Provider } from 'oidc-provider';
import { memoryAdapter } from './memory-adapter.ts';

/** An API that the server gives access tokens for. */
export interface Resource {
  readonly scope: string;
  /** @default 'jwt' */
  readonly format?: 'jwt' | 'opaque';
}

export interface AuthorizationServerOptions {
  /** Client metadata (RFC 7591). */
  readonly clients: readonly object[];
  /** APIs by their resource indicator (RFC 8707). */
  readonly resources: Readonly<Record<string, Resource>>;
  readonly tokenLifetimeS: number;
  /** How long the token endpoint takes to answer. @default 0 */
  readonly tokenDelayMs?: number;
  /** Further configuration of oidc-provider. */
  readonly configuration?: { readonly features?: object; readonly [name: string]: unknown };
  readonly createServer?: (listener: RequestListener) => Server;
}

export interface AuthorizationServer {
  readonly issuer: string;
  readonly provider: Provider;
  /** How many requests reached the token endpoint. */
  tokenRequests(): number;
  close(): Promise<void>;
}

/** A certified authorization server (oidc-provider) on a free port of this machine. */
export async function startAuthorizationServer(options: AuthorizationServerOptions): Promise<AuthorizationServer> {
  let handle: RequestListener = () => undefined;
  let tokenRequests = 0;
  const server = (options.createServer ?? createServer)((request, response) => {
    if (request.method !== 'POST' || request.url !== '/token') return handle(request, response);
    tokenRequests++;
    setTimeout(() => handle(request, response), options.tokenDelayMs ?? 0);
  });
  // The issuer's name holds the port, so the port comes first.
  const issuer = `${server instanceof HttpsServer ? 'https' : 'http'}://127.0.0.1:${await listen(server)}`;
  const provider = new Provider(issuer, {
    adapter: memoryAdapter(),
    clients: options.clients,
    clientDefaults: { id_token_signed_response_alg: 'ES256', redirect_uris: [], response_types: [] },
    jwks: { keys: [await signingKey()] },
    cookies: { keys: ['no cookie is set here'] },
    ttl: { ClientCredentials: options.tokenLifetimeS, AccessToken: options.tokenLifetimeS, RefreshToken: 3600, Grant: 3600 },
    ...options.configuration,
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context: unknown, name: string) => {
          const resource = options.resources[name];
          if (!resource) throw new errors.InvalidTarget();
          return {
            scope: resource.scope,
            audience: name,
            accessTokenFormat: resource.format ?? 'jwt',
            accessTokenTTL: options.tokenLifetimeS,
            jwt: { sign: { alg: 'ES256' } },
          };
        },
      },
      ...options.configuration?.features,
    },
  });
  handle = provider.callback();
  return { issuer, provider, tokenRequests: () => tokenRequests, close: () => close(server) };
}

async function signingKey(): Promise<object> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: 'demo' };
}

/** Starts a server on a free port of this machine and gives the port. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** Ends a server and its open connections. */
export function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
