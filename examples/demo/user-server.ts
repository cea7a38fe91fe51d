import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { type AuthorizationServer, startAuthorizationServer } from './authorization-server.ts';
import { signInPages, signOutPage } from './sign-in-page.ts';

/** One request to the token endpoint, whoever sent it. Instants are epoch milliseconds. */
export interface TokenRequest {
  readonly id: number;
  readonly from: number;
  readonly to: number | undefined;
  readonly isGood: boolean;
}

export interface UserServer extends AuthorizationServer {
  /** The requests to the token endpoint, oldest first: the last hundred. */
  readonly requests: readonly TokenRequest[];
}

export interface UserServerOptions {
  /** Where the app's users come back to, after signing in and out. */
  readonly redirectUris: readonly string[];
  readonly resource: string;
  readonly tokenLifetimeS: number;
  readonly tokenDelayMs: number;
  /** What its users may do at the API. @default 'orders:read' */
  readonly scope?: string;
  /** Of an app that is a server. @default none: the app is a page */
  readonly clientSecret?: string;
}

/** The authorization server of an app with users: PKCE, refresh tokens that rotate, and a second use of one ends the grant. */
export async function startUserServer(options: UserServerOptions): Promise<UserServer> {
  const { redirectUris, resource, tokenLifetimeS, tokenDelayMs, scope = 'orders:read', clientSecret } = options;
  const requests: TokenRequest[] = [];
  const isPage = signInPages(() => server.provider);
  const server = await startAuthorizationServer({
    clients: [
      {
        client_id: 'orders-app',
        ...(clientSecret === undefined ? { token_endpoint_auth_method: 'none' } : { client_secret: clientSecret }),
        redirect_uris: redirectUris,
        post_logout_redirect_uris: redirectUris,
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
    ],
    resources: { [resource]: { scope } },
    tokenLifetimeS,
    tokenDelayMs,
    configuration: {
      pkce: { required: () => true },
      clientBasedCORS: (_context: unknown, origin: string) => redirectUris.some((uri) => new URL(uri).origin === origin),
      cookies: { keys: [randomBytes(24).toString('base64url')] },
      ttl: { AccessToken: tokenLifetimeS, AuthorizationCode: 60, Grant: 86_400, IdToken: 300, Interaction: 600, RefreshToken: 86_400, Session: 86_400 },
      scopes: ['openid', 'offline_access'],
      rotateRefreshToken: () => true,
      issueRefreshToken: async () => true,
      findAccount: async (_context: unknown, accountId: string) => ({ accountId, claims: async () => ({ sub: accountId }) }),
      // This app is the server's own: nobody is asked whether it may.
      async loadExistingGrant({ oidc: { client, session } }: Exchange) {
        const { Grant } = server.provider;
        const id = session.grantIdFor(client.clientId);
        const grant = (id && (await Grant.find(id))) || new Grant({ clientId: client.clientId, accountId: session.accountId });
        grant.addOIDCScope('openid offline_access');
        grant.addResourceScope(resource, scope);
        await grant.save();
        return grant;
      },
      interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
      features: { rpInitiatedLogout: { enabled: true, logoutSource: signOutPage }, revocation: { enabled: true, allowedPolicy: () => true } },
    },
    // It cannot revoke tokens that it does not keep, and says 400; to a page's console that is an error.
    prepare: (provider) =>
      provider.use(async (context, next) => {
        await next();
        if (context.path === '/token/revocation' && context.status === 400) context.status = 200;
      }),
    createServer: (listener) =>
      createServer((request, response) => {
        if (isPage(request, response)) return;
        if (request.method === 'POST' && request.url === '/token') note(response);
        listener(request, response);
      }),
  });
  let last = 0;
  function note(response: { readonly statusCode: number; once(event: 'close', listener: () => void): unknown }): void {
    const request = { id: ++last, from: Date.now(), to: undefined, isGood: true };
    requests.push(request);
    if (requests.length > 100) requests.shift();
    response.once('close', () => {
      const index = requests.indexOf(request);
      if (index >= 0) requests[index] = { ...request, to: Date.now(), isGood: response.statusCode === 200 };
    });
  }
  return Object.assign(server, { requests });
}

interface Exchange {
  readonly oidc: {
    readonly client: { readonly clientId: string };
    readonly session: { readonly accountId: string; grantIdFor(clientId: string): string | undefined };
  };
}
