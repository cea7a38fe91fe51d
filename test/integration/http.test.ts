import { setTimeout as sleep } from 'node:timers/promises';
import { clientSecretBasic, type TokenManager } from 'tokenkeep';
import { createAuthFetch, createHttpClient, type ResourceChallenge } from 'tokenkeep/http';
import { createServiceClient, type ServiceClient } from 'tokenkeep/server';
import ky from 'ky';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ProtectedApi, startProtectedApi } from '../../examples/demo/protected-api.js';
import { basicClient, orders, startTestServer, stock, type TestServer } from './support/authorization-server.js';

let server: TestServer;
let api: ProtectedApi;
let client: ServiceClient;
let tokens: TokenManager;
beforeAll(async () => {
  server = await startTestServer();
  api = await startProtectedApi({ issuer: server.issuer, audience: orders, scopes: { read: 'api:read', write: 'api:write' } });
});
afterAll(() => Promise.all([api.close(), server.close()]));
beforeEach(() => {
  client = createServiceClient({
    issuer: server.issuer,
    clientId: basicClient.id,
    auth: clientSecretBasic(basicClient.secret),
    resource: orders,
    scope: 'api:read',
  });
  tokens = client.tokens;
  server.log.length = 0;
  server.delayMs = 0;
});
afterEach(() => client.dispose());

const tokenRequests = (): number => server.log.filter((line) => line === 'POST /token').length;
const refusals = (): number => api.answers.get(401) ?? 0;

describe('an API that verifies tokens', () => {
  it('is the judge here: it refuses no token, a forged one, one for another API, and one without the scope', async () => {
    const status = async (authorization?: string): Promise<[number, string | null]> => {
      const response = await fetch(api.url, { headers: authorization === undefined ? {} : { authorization } });
      await response.arrayBuffer();
      return [response.status, response.headers.get('www-authenticate')];
    };
    const good = await tokens.getToken();
    const foreign = await tokens.for({ resource: stock }).getToken();
    const weak = await tokens.for({ scope: 'api:write' }).getToken();
    expect(await status()).toEqual([401, 'Bearer realm="orders"']);
    expect(await status(`Bearer ${good.value.slice(0, -4)}AAAA`)).toEqual([401, expect.stringContaining('invalid_token')]);
    expect(await status(`Bearer ${foreign.value}`)).toEqual([401, expect.stringContaining('invalid_token')]);
    expect(await status(`Bearer ${weak.value}`)).toEqual([403, expect.stringContaining('insufficient_scope')]);
    expect(await status(`Bearer ${good.value}`)).toEqual([200, null]);
  });
});

describe('a call through the HTTP client', () => {
  it('is authorized, with no word about tokens', async () => {
    const http = client.http({ baseUrl: api.url });
    expect(await http.get('/orders').json()).toMatchObject({ client: basicClient.id, path: '/orders' });
    expect(await http.get('/orders/1').json()).toMatchObject({ path: '/orders/1' });
    expect(tokenRequests()).toBe(1);
  });

  it('goes through a ky instance of the user, with its prefix and hooks', async () => {
    const own = ky.create({ prefix: api.url, headers: { 'x-own': 'yes' } });
    expect(
      await createHttpClient({ tokens, ky: own, allow: [api.url] })
        .get('orders')
        .json(),
    ).toMatchObject({ client: basicClient.id });
    expect(
      await own
        .extend({ fetch: createAuthFetch(tokens, { allow: [api.url] }) })
        .get('orders')
        .json(),
    ).toMatchObject({ client: basicClient.id });
  });

  it('gets another token and is sent again when its token was revoked [H10, gap 1]', async () => {
    const http = client.http({ baseUrl: api.url });
    await http.get('/orders');
    api.revokeLatest();
    const before = refusals();
    expect(await http.get('/orders').json()).toMatchObject({ client: basicClient.id });
    expect(refusals() - before).toBe(1);
    expect(tokenRequests()).toBe(2);
  });

  it('shares the one replacement with all others that were refused, early or late [R4, H25, complaint 6, gap 1, peer P7, peer P8]', async () => {
    server.delayMs = 50;
    const spreadMs = 400;
    const delivered = new Map<number, number>();
    // The answers to one token arrive long before and long after it was replaced.
    const slowly: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      delivered.set(response.status, (delivered.get(response.status) ?? 0) + 1);
      if (response.status === 401) await sleep(Math.random() * spreadMs);
      return response;
    };
    const http = client.http({ baseUrl: api.url, fetch: slowly });
    await http.get('/orders');
    api.revokeLatest();
    const answers = await Promise.all(Array.from({ length: 300 }, (_, each) => http.get(`/orders/${each}`).json()));
    expect(answers).toHaveLength(300);
    for (const [each, answer] of answers.entries()) expect(answer).toMatchObject({ path: `/orders/${each}` });
    expect(tokenRequests()).toBe(2);
    expect(delivered).toEqual(
      new Map([
        [200, 301],
        [401, 300],
      ]),
    );
  });

  it('gets the second 401 as it is, and an API that refuses every token causes no storm [H10, H14, complaint 10]', async () => {
    const http = client.http({ baseUrl: api.url, tokens: tokens.for({ resource: stock }), throwHttpErrors: false });
    const before = refusals();
    const first = await http.get('/orders');
    expect(first.status).toBe(401);
    expect(first.headers.get('www-authenticate')).toContain('invalid_token');
    expect(await first.json()).toEqual({ error: 'invalid token' });
    expect(refusals() - before).toBe(2);
    expect(tokenRequests()).toBe(2);
    for (let call = 0; call < 50; call++) expect((await http.get('/orders')).status).toBe(401);
    expect(refusals() - before).toBe(52);
    expect(tokenRequests()).toBe(2);
  });

  it('keeps its body when it is sent again [H12, H13, gap 16]', async () => {
    await using writer = createServiceClient({
      issuer: server.issuer,
      clientId: basicClient.id,
      auth: clientSecretBasic(basicClient.secret),
      resource: orders,
      scope: 'api:read api:write',
    });
    const http = writer.http({ baseUrl: api.url });
    await http.get('/orders');
    api.revokeLatest();
    const answer = await http.post('/orders', { json: { item: 'chair', note: 'é, ü and 椅子' } }).json<{ body: string }>();
    expect(JSON.parse(answer.body)).toEqual({ item: 'chair', note: 'é, ü and 椅子' });
  });

  it('that lacks a scope is answered with the API’s own 403, and asks for no token [H15]', async () => {
    const challenges: ResourceChallenge[] = [];
    const http = client.http({ baseUrl: api.url, throwHttpErrors: false, onChallenge: (challenge) => challenges.push(challenge) });
    const response = await http.post('/orders', { json: {} });
    expect(response.status).toBe(403);
    expect(await response.json()).toEqual({ error: 'scope' });
    expect(challenges).toMatchObject([{ error: 'insufficient_scope', scopes: ['api:read', 'api:write'] }]);
    expect(tokenRequests()).toBe(1);
  });

  it('that is for another API gets that API’s token', async () => {
    const stockApi = await startProtectedApi({ issuer: server.issuer, audience: stock, scopes: { read: 'api:read', write: 'api:write' } });
    try {
      const http = client.http({ baseUrl: stockApi.url, tokens: tokens.for({ resource: stock }) });
      expect(await http.get('/items').json()).toMatchObject({ client: basicClient.id });
    } finally {
      await stockApi.close();
    }
  });

  it('to another origin carries no token [H1, peer P9]', async () => {
    const http = client.http({ allow: [api.url], throwHttpErrors: false });
    const stockApi = await startProtectedApi({ issuer: server.issuer, audience: orders, scopes: { read: 'api:read', write: 'api:write' } });
    try {
      expect((await http.get(stockApi.url)).status).toBe(401);
      expect(stockApi.answers.get(200)).toBeUndefined();
      expect(tokenRequests()).toBe(0);
    } finally {
      await stockApi.close();
    }
  });

  it('gets the API’s own 401 when no other token can be had, and the next one too [H10, gap 13]', async () => {
    const http = client.http({ baseUrl: api.url, throwHttpErrors: false });
    await http.get('/orders');
    api.revokeLatest();
    server.intercept = (_request, response) => {
      response.writeHead(429, { 'retry-after': '60' }).end();
      return true;
    };
    try {
      for (let call = 0; call < 3; call++) {
        const response = await http.get('/orders');
        expect(response.status).toBe(401);
        expect(await response.json()).toEqual({ error: 'invalid token' });
      }
      expect(tokenRequests()).toBe(2);
    } finally {
      server.intercept = undefined;
    }
  });
});

describe('a generated API client', () => {
  // What generators write: a function per operation over a `fetch` that is handed in.
  interface OrdersClient {
    getOrder(id: number, init?: RequestInit): Promise<{ status: number; data: unknown }>;
    postOrder(body: object, init?: RequestInit): Promise<{ status: number; data: unknown }>;
  }
  function createOrdersClient(config: { baseUrl: string; fetch: (request: Request) => Promise<Response> }): OrdersClient {
    const call = async (method: string, path: string, body: object | undefined, init: RequestInit | undefined): Promise<{ status: number; data: unknown }> => {
      const headers = { accept: 'application/json', ...(body && { 'content-type': 'application/json' }) };
      const request = new Request(config.baseUrl + path, { ...init, method, headers, body: body === undefined ? null : JSON.stringify(body) });
      const response = await config.fetch(request);
      return { status: response.status, data: await response.json() };
    };
    return { getOrder: (id, init) => call('GET', `/orders/${id}`, undefined, init), postOrder: (body, init) => call('POST', '/orders', body, init) };
  }

  it('works with the auth fetch as its fetch, and recovers from a 401 [H10, H13, gap 17]', async () => {
    const scoped = tokens.for({ scope: 'api:read api:write' });
    const generated = createOrdersClient({ baseUrl: api.url, fetch: createAuthFetch(scoped, { allow: [api.url] }) });
    expect(await generated.getOrder(7)).toMatchObject({ status: 200, data: { path: '/orders/7', client: basicClient.id } });
    api.revokeLatest();
    expect(await generated.postOrder({ item: 'desk' })).toMatchObject({ status: 200, data: { method: 'POST', body: '{"item":"desk"}' } });
    expect(tokenRequests()).toBe(2);
  });
});
