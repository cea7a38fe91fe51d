import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { TokenSource } from 'tokenkeep';
import { type AuthorizationServer, type Resource, startAuthorizationServer } from '../../../examples/demo/authorization-server.js';

export const orders = 'https://orders.example';
export const stock = 'https://stock.example';
/** Its tokens are opaque. */
export const ledger = 'https://ledger.example';

export interface TestClient {
  readonly id: string;
  readonly secret: string;
}

/** One client per way to authenticate. */
export const basicClient: TestClient = { id: 'basic-client', secret: 'secret-of-the-basic-client' };
export const postClient: TestClient = { id: 'post-client', secret: 'a+b%2F c=&?:/~' };
/** Every character that an encoding could lose. */
export const oddClient: TestClient = { id: 'odd: +%/&=?~*-._ id', secret: 'odd: +%2F/&=?~*-._%25 "\\ secret' };
/** A plus sign means a space to a server that decodes. */
export const plusClient: TestClient = { id: 'plus-client', secret: 'one+one' };
export const publicClient = { id: 'public-client' } as const;
/** Its users sign in on another device. */
export const deviceClient = { id: 'device-client' } as const;

export interface TestServerOptions {
  readonly tokenLifetimeS?: number;
  readonly resources?: Readonly<Record<string, Resource>>;
  readonly tls?: { readonly key: string; readonly cert: string };
}

export interface TestServer extends AuthorizationServer, AsyncDisposable {
  /** Everything that was asked for, as `POST /token`. */
  readonly log: string[];
  /** What the server said about refused grants: "refresh token already used" for a replay. */
  readonly refusals: string[];
  /** When set, answers in the server's place; false lets the server answer. */
  intercept: ((...exchange: Parameters<RequestListener>) => boolean) | undefined;
  /** Before each answer of the token endpoint. */
  delayMs: number;
  introspect(token: string): Promise<boolean>;
  /** A refresh token as a sign-in would have given it; it is replaced at each use, and a replay ends the grant. */
  issueRefreshToken(clientId: string, resources?: readonly string[]): Promise<{ readonly refreshToken: string; readonly grantId: string }>;
}

const scopes = 'api:read api:write';

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const log: string[] = [];
  const refusals: string[] = [];
  const knobs: Pick<TestServer, 'intercept' | 'delayMs'> = { intercept: undefined, delayMs: 0 };
  const observed =
    (listener: RequestListener): RequestListener =>
    (request, response) => {
      const path = request.url?.split('?')[0];
      log.push(`${request.method} ${path}`);
      if (knobs.intercept?.(request, response) === true) return;
      setTimeout(() => listener(request, response), path === '/token' ? knobs.delayMs : 0);
    };
  const { tls } = options;
  const server = await startAuthorizationServer({
    clients: [
      { client_id: basicClient.id, client_secret: basicClient.secret, grant_types: ['client_credentials', 'refresh_token'] },
      { client_id: plusClient.id, client_secret: plusClient.secret, grant_types: ['client_credentials'] },
      { client_id: postClient.id, client_secret: postClient.secret, grant_types: ['client_credentials'], token_endpoint_auth_method: 'client_secret_post' },
      { client_id: oddClient.id, client_secret: oddClient.secret, grant_types: ['client_credentials', 'refresh_token'] },
      { client_id: publicClient.id, grant_types: ['refresh_token'], token_endpoint_auth_method: 'none' },
      {
        client_id: deviceClient.id,
        grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
        token_endpoint_auth_method: 'none',
      },
    ],
    resources: options.resources ?? { [orders]: { scope: scopes }, [stock]: { scope: scopes }, [ledger]: { scope: scopes, format: 'opaque' } },
    tokenLifetimeS: options.tokenLifetimeS ?? 60,
    configuration: {
      rotateRefreshToken: () => true,
      findAccount: async (_context: unknown, accountId: string) => ({ accountId, claims: async () => ({ sub: accountId }) }),
      features: {
        introspection: { enabled: true, allowedPolicy: () => true },
        revocation: { enabled: true, allowedPolicy: () => true },
        deviceFlow: { enabled: true },
      },
    },
    createServer: (listener): Server => (tls ? createHttpsServer(tls, observed(listener)) : createServer(observed(listener))),
  });
  server.provider.on('grant.error', (_context, error) => refusals.push(error.error_detail ?? error.message));

  return Object.assign(knobs, server, {
    log,
    refusals,

    async introspect(token: string) {
      const authorization = `Basic ${btoa(`${basicClient.id}:${basicClient.secret}`)}`;
      const response = await fetch(`${server.issuer}/token/introspection`, {
        method: 'POST',
        headers: { authorization },
        body: new URLSearchParams({ token }),
      });
      const answer: unknown = await response.json();
      return typeof answer === 'object' && answer !== null && 'active' in answer && answer.active === true;
    },

    async issueRefreshToken(clientId: string, resources: readonly string[] = []) {
      const { Client, Grant, RefreshToken } = server.provider;
      const client = await Client.find(clientId);
      if (client === undefined) throw new Error(`no client ${clientId}`);
      const grant = new Grant({ clientId, accountId: 'alice' });
      grant.addOIDCScope('offline_access');
      for (const resource of resources) grant.addResourceScope(resource, scopes);
      const grantId = await grant.save();
      const fields = { client, accountId: 'alice', grantId, gty: 'authorization_code', scope: `offline_access ${scopes}`, resource: [...resources] };
      return { refreshToken: await new RefreshToken(fields).save(), grantId };
    },

    [Symbol.asyncDispose]: () => server.close(),
  });
}

/** As many concurrent calls as asked for; gives the distinct token values. */
export async function callersOf(tokens: TokenSource, count: number): Promise<Set<string>> {
  const got = await Promise.all(Array.from({ length: count }, () => tokens.getToken()));
  return new Set(got.map((token) => token.value));
}
