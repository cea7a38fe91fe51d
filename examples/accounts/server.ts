// An authorization server on this machine. Everybody who comes is who the login hint says, and agrees; refresh tokens rotate.
import { createServer, type RequestListener } from 'node:http';
import type { Provider } from 'oidc-provider';
import { type AuthorizationServer, startAuthorizationServer } from '../demo/authorization-server.ts';

export const client = { id: 'books-app', secret: 'secret-of-the-books-app', redirectUri: 'http://127.0.0.1:4720/connected' } as const;

export async function startBooks(): Promise<AuthorizationServer> {
  let provider: Provider | undefined;
  const signIn: RequestListener = (request, response) => {
    if (provider) finish(provider, request, response).catch(() => response.writeHead(400).end('Start again.'));
  };
  const server = await startAuthorizationServer({
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        redirect_uris: [client.redirectUri],
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
    createServer: (listener) => createServer((request, response) => (request.url?.startsWith('/interaction/') ? signIn : listener)(request, response)),
  });
  provider = server.provider;
  return server;
}

async function finish(provider: Provider, ...exchange: Parameters<RequestListener>): Promise<void> {
  const { prompt, params } = await provider.interactionDetails(...exchange);
  const accountId = String(params.login_hint);
  const grant = new provider.Grant({ clientId: client.id, accountId });
  grant.addOIDCScope('openid offline_access');
  const result = prompt.name === 'login' ? { login: { accountId } } : { consent: { grantId: await grant.save() } };
  await provider.interactionFinished(...exchange, result, { mergeWithLastSubmission: true });
}

/** A browser without a window: goes where it is sent, up to the application's own address. */
export async function visit(start: string): Promise<string> {
  const cookies = new Map<string, string>();
  let url = start;
  while (!url.startsWith(client.redirectUri)) {
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
