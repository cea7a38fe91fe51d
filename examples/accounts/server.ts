// An authorization server on this machine. Everybody who comes is who the login hint says, and agrees; refresh tokens rotate.
import { createServer, type RequestListener } from 'node:http';
import type { Provider } from 'oidc-provider';
import { type AuthorizationServer, startAuthorizationServer } from '../demo/authorization-server.ts';

export const client = { id: 'books-app', secret: 'secret-of-the-books-app' } as const;
export const redirectUri = `http://127.0.0.1:${process.env['PORT'] ?? 4720}/connected`;

export interface Books extends AuthorizationServer {
  /** What this user has agreed to holds no more: their refresh token is refused from now on. */
  endGrant(user: string): Promise<void>;
}

export async function startBooks(): Promise<Books> {
  const grants = new Map<string, string>();
  let provider: Provider | undefined;
  const signIn: RequestListener = (request, response) => {
    if (provider) finish(provider, grants, request, response).catch(() => response.writeHead(400).end('Start again.'));
  };
  const server = await startAuthorizationServer({
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
    ],
    resources: {},
    tokenLifetimeS: 4,
    configuration: {
      ttl: { AccessToken: 4, AuthorizationCode: 60, RefreshToken: 3600, Grant: 3600, IdToken: 300, Session: 600, Interaction: 600 },
      conformIdTokenClaims: false,
      rotateRefreshToken: () => true,
      issueRefreshToken: async () => true,
      findAccount: async (_context: unknown, accountId: string) => ({ accountId, claims: async () => ({ sub: accountId }) }),
      interactions: { url: (_context: unknown, { uid }: { readonly uid: string }) => `/interaction/${uid}` },
      features: { revocation: { enabled: true, allowedPolicy: () => true } },
    },
    createServer: (listener) =>
      createServer((request, response) => {
        // One browser may play all customers: nobody stays signed in here.
        request.headers.cookie = request.headers.cookie?.replace(/_session[^;]*/g, '');
        (request.url?.startsWith('/interaction/') ? signIn : listener)(request, response);
      }),
  });
  provider = server.provider;
  return Object.assign(server, {
    async endGrant(user: string) {
      const grant = await server.provider.Grant.find(grants.get(user) ?? '');
      await grant?.destroy();
    },
  });
}

async function finish(provider: Provider, grants: Map<string, string>, ...exchange: Parameters<RequestListener>): Promise<void> {
  const { params } = await provider.interactionDetails(...exchange);
  const accountId = String(params.login_hint);
  const grant = new provider.Grant({ clientId: client.id, accountId });
  grant.addOIDCScope('openid offline_access');
  const grantId = await grant.save();
  grants.set(accountId, grantId);
  await provider.interactionFinished(...exchange, { login: { accountId }, consent: { grantId } }, { mergeWithLastSubmission: false });
}

/** A browser without a window: goes where it is sent, up to the application's own address. */
export async function visit(start: string): Promise<string> {
  const cookies = new Map<string, string>();
  let url = start;
  while (!url.startsWith(redirectUri)) {
    const headers = { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
    const response = await fetch(url, { redirect: 'manual', headers });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (location === null) throw new Error(`${response.status} at ${new URL(url).pathname}`);
    url = new URL(location, url).href;
  }
  return url;
}
