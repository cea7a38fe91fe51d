import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { startAuthorizationServer } from '../../../examples/demo/authorization-server.js';

export const api = 'https://api.example';
export const redirectUri = 'http://localhost:4711/cb';

const scopes = 'api:read api:write';

export interface SignInServerOptions {
  /** Where the clients' users come back to. @default one address, and another after a sign-out */
  readonly redirectUris?: readonly string[];
  readonly tokenLifetimeS?: number;
  readonly tokenDelayMs?: number;
  /** APIs beside the first, by their resource indicator; their scopes are those of the first. */
  readonly furtherApis?: readonly string[];
  /** Proofs need the server's nonce (RFC 9449 §8). @default false */
  readonly dpopNonces?: boolean;
}

/**
 * oidc-provider with users: whoever comes is alice, or who `user` or the login hint names, and agrees; `nobody` declines, and `undecided`
 * sees a page with a link until they are. Refresh tokens rotate, and a second use of one ends the grant.
 */
export async function startSignInServer({
  redirectUris = [redirectUri],
  tokenLifetimeS = 60,
  tokenDelayMs = 0,
  furtherApis = [],
  dpopNonces = false,
}: SignInServerOptions = {}) {
  const base = {
    redirect_uris: redirectUris,
    post_logout_redirect_uris: [...redirectUris, 'http://localhost:4711/bye'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  };
  const log: string[] = [];
  const user = { name: 'alice' };
  const page: { headers: Readonly<Record<string, string>> } = { headers: {} };
  const refusals: string[] = [];
  const refreshTokens: string[] = [];
  let answering: () => Promise<void> = () => Promise.resolve();
  let interact: RequestListener = () => undefined;
  const server = await startAuthorizationServer({
    clients: [
      { ...base, client_id: 'spa', token_endpoint_auth_method: 'none' },
      { ...base, client_id: 'web', client_secret: 'secret-of-the-web-app', token_endpoint_auth_method: 'client_secret_basic' },
      { ...base, client_id: 'pushing', token_endpoint_auth_method: 'none', require_pushed_authorization_requests: true },
      { ...base, client_id: 'bound', token_endpoint_auth_method: 'none', dpop_bound_access_tokens: true },
    ],
    resources: Object.fromEntries([api, ...furtherApis].map((each) => [each, { scope: scopes }])),
    tokenLifetimeS,
    tokenDelayMs,
    configuration: {
      pkce: { required: () => true },
      clientBasedCORS: (_context: unknown, origin: string) => redirectUris.some((uri) => new URL(uri).origin === origin),
      ttl: { AccessToken: tokenLifetimeS, AuthorizationCode: 60, Grant: 3600, IdToken: 300, Interaction: 600, RefreshToken: 3600, Session: 3600 },
      scopes: ['openid', 'offline_access', 'email'],
      claims: { openid: ['sub'], email: ['email'] },
      conformIdTokenClaims: false,
      rotateRefreshToken: () => true,
      issueRefreshToken: async (_context: unknown, client: { grantTypeAllowed(type: string): boolean }) => client.grantTypeAllowed('refresh_token'),
      findAccount: async (_context: unknown, accountId: string) => ({ accountId, claims: async () => ({ sub: accountId, email: `${accountId}@example.com` }) }),
      async loadExistingGrant({ oidc }: { oidc: Interaction }) {
        const { Grant } = server.provider;
        const { client, session, params } = oidc;
        const old = session.grantIdFor(client.clientId);
        const grant = (old && (await Grant.find(old))) || new Grant({ clientId: client.clientId, accountId: session.accountId });
        grant.addOIDCScope('openid offline_access email');
        grant.addOIDCClaims(['sub', 'email']);
        for (const resource of [params['resource']].flat()) if (typeof resource === 'string') grant.addResourceScope(resource, scopes);
        await grant.save();
        return grant;
      },
      interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
      features: {
        pushedAuthorizationRequests: { enabled: true },
        dPoP: { enabled: true, ...(dpopNonces && { nonceSecret: randomBytes(32), requireNonce: () => true }) },
        rpInitiatedLogout: { enabled: true, logoutSource },
        revocation: { enabled: true, allowedPolicy: () => true },
        userinfo: { enabled: true },
      },
    },
    createServer: (listener) =>
      createServer((request, response) => {
        log.push(`${request.method} ${request.url?.split('?')[0]}`);
        if (request.method === 'POST' && request.url === '/token') holdAnswer(response, () => answering());
        (request.url?.startsWith('/interaction/') ? interact : listener)(request, response);
      }),
  });
  interact = async (request, response) => {
    const { prompt, params } = await server.provider.interactionDetails(request, response);
    const hint = String(Reflect.get(params, 'login_hint') ?? user.name);
    if (hint === 'undecided' && !request.url?.endsWith('?decided')) {
      const html = `<!doctype html><title>Sign in</title><link rel="icon" href="data:,"><a href="${request.url}?decided">Yes</a>`;
      return void response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...page.headers }).end(html);
    }
    const accountId = hint === 'undecided' ? user.name : hint;
    const declined = { error: 'access_denied', error_description: 'the user said no' };
    const acr = String(Reflect.get(params, 'acr_values') ?? '').split(' ')[0];
    const agreed = prompt.name === 'login' ? { login: { accountId, ...(acr && { acr }) } } : { consent: {} };
    const result = hint === 'nobody' ? declined : agreed;
    await server.provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
  };
  server.provider.on('grant.error', (_context, error) => refusals.push(error.error_detail ?? error.message));
  server.provider.on('grant.success', ({ body }) => {
    if (body?.refresh_token) refreshTokens.push(body.refresh_token);
  });
  return {
    ...server,
    log,
    refusals,
    user,
    page,
    /** All that were ever given. The server is done with a token request when its refresh token is here. */
    refreshTokens,
    /** What the token endpoint waits for when it has done its work and is about to answer. */
    holdAnswers(until: () => Promise<void>) {
      answering = until;
    },
  };
}

function holdAnswer(response: ServerResponse, until: () => Promise<void>): void {
  const { end } = response;
  Reflect.set(response, 'end', (...given: unknown[]) => {
    void until().then(() => Reflect.apply(end, response, given));
    return response;
  });
}

function logoutSource(context: { body: string }, form: string): void {
  context.body = form;
}

interface Interaction {
  readonly client: { readonly clientId: string };
  readonly session: { readonly accountId: string; grantIdFor(clientId: string): string | undefined };
  readonly params: Readonly<Record<string, unknown>>;
}

/** A browser without a window: follows redirects with its cookies, up to the app's own address. */
export function browser() {
  const cookies = new Map<string, string>();
  return {
    cookies,
    async visit(start: string): Promise<string> {
      let url = start;
      for (let hop = 0; hop < 20; hop++) {
        const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
        const response = await fetch(url, { redirect: 'manual', headers: { cookie } });
        for (const line of response.headers.getSetCookie()) {
          const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
          if (value === '') cookies.delete(name);
          else cookies.set(name, value);
        }
        const location = response.headers.get('location');
        if (location === null) return `${response.status} ${await response.text()}`;
        url = new URL(location, url).href;
        if (url.startsWith('http://localhost:4711/')) return url;
      }
      throw new Error('too many redirects');
    },
  };
}
