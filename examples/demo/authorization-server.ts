import { randomUUID } from 'node:crypto';
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
  /** To be done to each provider before it serves. */
  readonly prepare?: (provider: Provider) => void;
  readonly createServer?: (listener: RequestListener) => Server;
}

export interface AuthorizationServer {
  readonly issuer: string;
  readonly provider: Provider;
  /** How many requests reached the token endpoint. */
  tokenRequests(): number;
  /** How long the token endpoint takes to answer from now on. */
  setTokenDelay(ms: number): void;
  /** Signs with a new key from now on, and publishes no other. */
  rotateKey(): Promise<void>;
  /** Cuts all connections and refuses new ones, until `start()`. */
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

/** A certified authorization server (oidc-provider) on a free port of this machine. */
export async function startAuthorizationServer(options: AuthorizationServerOptions): Promise<AuthorizationServer> {
  let tokenRequests = 0;
  let tokenDelayMs = options.tokenDelayMs ?? 0;
  const server = (options.createServer ?? createServer)((request, response) => {
    if (request.method !== 'POST' || request.url !== '/token') return handle(request, response);
    tokenRequests++;
    setTimeout(() => {
      if (!response.destroyed) handle(request, response);
    }, tokenDelayMs);
  });
  let handle: RequestListener = () => undefined;
  // The issuer's name holds the port, so the port comes first.
  const port = await listen(server);
  const issuer = `${server instanceof HttpsServer ? 'https' : 'http'}://127.0.0.1:${port}`;
  const adapter = memoryAdapter();
  let provider = createProvider(options, issuer, adapter, await signingKey());
  handle = provider.callback();
  return {
    issuer,
    get provider() {
      return provider;
    },
    tokenRequests: () => tokenRequests,
    setTokenDelay(ms) {
      tokenDelayMs = ms;
    },
    // Keys are part of a provider for good: a new one takes over, with the same memory.
    async rotateKey() {
      provider = createProvider(options, issuer, adapter, await signingKey());
      handle = provider.callback();
    },
    stop: () => close(server),
    async start() {
      await listen(server, port);
    },
    close: () => close(server),
  };
}

function createProvider(options: AuthorizationServerOptions, issuer: string, adapter: ReturnType<typeof memoryAdapter>, key: object): Provider {
  const provider = new Provider(issuer, {
    adapter,
    clients: options.clients,
    clientDefaults: { id_token_signed_response_alg: 'ES256', redirect_uris: [], response_types: [] },
    jwks: { keys: [key] },
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
  options.prepare?.(provider);
  return provider;
}

async function signingKey(): Promise<object> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: randomUUID() };
}

/** Starts a server on this machine, on a free port unless one is given, and gives the port. */
export async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

/** Ends a server and its open connections. */
export function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
