import { createServer, type IncomingMessage, request as httpRequest, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Backend, startBackend, type StartOptions } from '../../examples/bff/start.js';
import { close, listen } from '../../examples/demo/authorization-server.js';
import { api as resource, browser, startSignInServer } from './support/sign-in-server.js';

type Answer = (request: IncomingMessage & { readonly text: string }) => { readonly status: number; readonly headers?: Record<string, string | string[]> };

let as: Awaited<ReturnType<typeof startSignInServer>>;
const servers: { close(): Promise<void> }[] = [];
let api: Server;
let apiUrl: string;
let backend: Backend;
let answer: Answer = () => ({ status: 200 });
const asked: (IncomingMessage & { readonly text: string })[] = [];

beforeAll(async () => {
  api = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const seen = Object.assign(request, { text });
    asked.push(seen);
    const { status, headers } = answer(seen);
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end('{"orders":[]}');
  });
  apiUrl = `http://127.0.0.1:${await listen(api)}`;
  backend = await start();
});

afterAll(async () => {
  await backend.close();
  await Promise.all([...servers, { close: () => close(api) }].map((each) => each.close()));
});

afterEach(() => {
  answer = () => ({ status: 200 });
  asked.length = 0;
});

async function start(options: Partial<StartOptions> = {}): Promise<Backend> {
  return startBackend({
    port: 0,
    file: ':memory:',
    storeKey: Buffer.alloc(32, 7).toString('base64url'),
    async servers(origin) {
      as = await startSignInServer({ redirectUris: [`${origin}/callback`], tokenLifetimeS: 60 });
      servers.push(as);
      return {
        issuer: as.issuer,
        clientId: 'web',
        clientSecret: 'secret-of-the-web-app',
        scope: 'openid offline_access api:read',
        resource,
        apiUrl,
        preset: { idTokenAlgorithms: ['ES256'] },
      };
    },
    ...options,
  });
}

/** Somebody who has signed in, and what their page can ask. */
async function signedIn(at = backend) {
  const { visit, cookies } = browser();
  expect(await visit(`${at.origin}/sign-in`)).toMatch(/^200 /);
  const cookie = `__Host-session=${cookies.get('__Host-session')}`;
  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(at.origin + path, { redirect: 'manual', ...init, headers: { cookie, 'x-orders-page': '1', ...init.headers } });
  return { cookie, ask };
}

describe('the backend of examples/bff', () => {
  it('sends the API the token and nothing of the page’s own headers, and the page nothing of the API’s [S23]', async () => {
    answer = () => ({
      status: 201,
      headers: { 'set-cookie': ['api=1', 'token=2'], 'www-authenticate': 'Bearer realm="x"', 'x-token': 'y', location: '/orders/7' },
    });
    const { ask } = await signedIn();
    const headers = { authorization: 'Bearer of-the-page', 'content-type': 'application/json', 'x-forwarded-for': '1.2.3.4' };
    const response = await ask('/api/orders?page=2', { method: 'POST', body: '{"amount":1}', headers });
    expect([response.status, await response.json()]).toEqual([201, { orders: [] }]);
    expect(response.headers.getSetCookie()).toEqual([]);
    for (const name of ['www-authenticate', 'x-token', 'location']) expect(response.headers.get(name)).toBeNull();
    const [call] = asked;
    expect(call).toMatchObject({ method: 'POST', url: '/orders?page=2', text: '{"amount":1}' });
    expect(call?.headers.authorization).toMatch(/^Bearer (?!of-the-page).{20,}$/);
    for (const name of ['cookie', 'x-orders-page', 'x-forwarded-for']) expect(call?.headers[name]).toBeUndefined();
  });

  it.each([
    ['GET', '/api/customers'],
    ['DELETE', '/api/orders'],
    ['POST', '/api/orders/1'],
    ['GET', '/api/orders/../customers'],
    ['GET', '/api/orders/..%2fcustomers'],
    ['GET', '/api/orders/%2e%2e/customers'],
    ['GET', '/api/orders/1/2'],
    ['GET', '/api//evil.example/orders'],
    ['GET', '//evil.example/api/orders'],
    ['GET', '/api/https://evil.example/orders'],
    ['GET', '/api/orders@evil.example'],
    ['GET', '/api'],
  ])('forwards nothing that is not on its list: %s %s [S23]', async (method, path) => {
    const { ask, cookie } = await signedIn();
    expect((await ask(path, { method })).status).toBe(404);
    // As it is, too: fetch tidies paths up.
    expect(await rawStatus(method, path, { cookie, 'x-orders-page': '1' })).toBe(404);
    expect(asked).toEqual([]);
  });

  it('follows no redirect of the API, and takes its 401 for no reason to sign in again [S23]', async () => {
    const { ask } = await signedIn();
    answer = () => ({ status: 302, headers: { location: 'https://evil.example/' } });
    expect((await ask('/api/orders')).status).toBe(502);
    answer = () => ({ status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } });
    const response = await ask('/api/orders');
    expect([response.status, await response.json()]).toEqual([502, { error: 'api_failed' }]);
    answer = () => ({ status: 200 });
    expect((await ask('/session')).status).toBe(200);
  });

  it('answers nobody without the header, under another name, or with too much to say [S23]', async () => {
    const { ask, cookie } = await signedIn();
    for (const [method, path] of [
      ['GET', '/session'],
      ['GET', '/api/orders'],
      ['POST', '/api/orders'],
      ['POST', '/sign-out'],
    ] as const)
      expect((await fetch(backend.origin + path, { method, headers: { cookie } })).status).toBe(403);
    expect(await rawStatus('GET', '/session', { cookie, 'x-orders-page': '1', host: 'evil.example' })).toBe(421);
    expect((await ask('/api/orders', { method: 'POST', body: 'x'.repeat(65_537) })).status).toBe(413);
    expect(asked).toEqual([]);
    expect(await (await ask('/session')).json()).toEqual({ user: 'alice' });
  });

  it('sends nobody elsewhere after a sign-in, and says when that did not work [A3]', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const at = async (path: string): Promise<string | null> => (await fetch(backend.origin + path, { redirect: 'manual' })).headers.get('location');
    expect(await at('/sign-in?returnTo=https://evil.example/')).toBe('/?problem=invalid_option');
    expect(await at('/sign-in?returnTo=//evil.example/')).toBe('/?problem=invalid_option');
    expect(await at('/sign-in?returnTo=/orders/7')).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/auth\?/);
    expect(await at('/callback?code=x&state=y')).toBe('/?problem=callback_refused');
    vi.restoreAllMocks();
  });

  it('renews once for a page that asks for five things at a time, and ends at sign-out what it had [S23, R3]', async () => {
    const { ask } = await signedIn();
    await ask('/api/orders');
    const old = asked[0]?.headers.authorization;
    answer = ({ headers }) => ({ status: headers.authorization === old ? 401 : 200 });
    as.log.length = 0;
    const answers = await Promise.all([1, 2, 3, 4, 5].map((order) => ask(`/api/orders/${order}`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(as.log.filter((line) => line === 'POST /token')).toHaveLength(1);
    const response = await ask('/sign-out', { method: 'POST' });
    expect(response.headers.getSetCookie()).toEqual(['__Host-session=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict']);
    expect(as.log).toContain('POST /token/revocation');
    expect((await ask('/api/orders')).status).toBe(401);
  });

  it('ends a session that nobody uses, and revokes what it had [S23]', async () => {
    const other = await start({ idleMs: 0 });
    const { ask } = await signedIn(other);
    expect(await (await ask('/session')).json()).toEqual({ signIn: '/sign-in' });
    expect((await ask('/api/orders')).status).toBe(401);
    as.log.length = 0;
    await other.tidy();
    expect(as.log).toContain('POST /token/revocation');
    as.log.length = 0;
    await other.tidy();
    expect(as.log).toEqual([]);
    await other.close();
  });
});

/** A request as it is, whatever `fetch` thinks of its path and host. */
function rawStatus(method: string, path: string, headers: Record<string, string>): Promise<number | undefined> {
  const { port } = new URL(backend.origin);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method, path, headers: { host: `localhost:${port}`, ...headers } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.once('error', reject).end();
  });
}
