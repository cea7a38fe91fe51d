import { clientCredentials, clientSecretBasic, createTokenManager, customGrant, dpop, type HttpEvent, isTokenError, type TokenSource } from 'tokenkeep';
import { type AuthFetchOptions, createAuthFetch } from 'tokenkeep/http';
import { type FakeAuthorizationServer, fakeAuthorizationServer, type RecordedRequest, type ServerKnobs, virtualClock } from 'tokenkeep/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { digest } from '../../../src/core/random.js';
import { type ReadProof, readProof } from '../protocol/proofs.js';
import { adapters, stubFetch } from './support.js';

const api = 'https://api.test/orders';
const other = 'https://other.test';

function setUp(knobs: Partial<ServerKnobs> = {}, options: Partial<AuthFetchOptions> & { mode?: 'preferred' } = {}) {
  const { mode, ...rest } = options;
  const clock = virtualClock();
  const server = fakeAuthorizationServer({ clock, knobs, apiOrigins: ['https://api.test', other] });
  const binding = dpop({ mode });
  const grant = clientCredentials({ issuer: server.issuer, clientId: 'svc', auth: clientSecretBasic('secret'), dpop: binding, fetch: server.fetch });
  const tokens = createTokenManager({ grant, clock });
  const events: HttpEvent[] = [];
  const http = { allow: ['https://api.test', other], fetch: server.fetch, clock, onEvent: (event: HttpEvent) => void events.push(event), ...rest };
  return { clock, server, tokens, events, http, call: createAuthFetch(tokens, http), thumbprint: () => binding.thumbprint() };
}

async function proofsOf(requests: readonly RecordedRequest[]): Promise<ReadProof[]> {
  return Promise.all(requests.map(({ headers }) => readProof(headers.get('dpop'))));
}

const apiProofs = (server: FakeAuthorizationServer): Promise<ReadProof[]> => proofsOf(server.requestsTo('api'));
const once = { apiDpopNonceMs: 0 };
const known = { apiDpopNonceMs: Number.POSITIVE_INFINITY };

afterEach(() => vi.unstubAllGlobals());

describe('a call with a bound token', () => {
  it.each(adapters)('carries a proof for its method, its URL and its token: $name [H19]', async ({ make }) => {
    const { server, tokens, http } = setUp();
    const call = make(tokens, http);
    expect((await call(`${api}?page=2#top`, { method: 'POST', body: 'one' })).status).toBe(200);
    expect((await call(api)).status).toBe(200);
    const sent = server.requestsTo('api');
    const token = await tokens.getToken();
    expect(sent.map(({ headers }) => headers.get('authorization'))).toEqual([`DPoP ${token.value}`, `DPoP ${token.value}`]);
    const [post, get] = await proofsOf(sent);
    expect(post?.claims).toMatchObject({ htm: 'POST', htu: api, ath: await digest(token.value) });
    expect(get?.claims).toMatchObject({ htm: 'GET', htu: api });
    expect(post?.claims.nonce).toBeUndefined();
    expect(get?.claims.jti).not.toBe(post?.claims.jti);
    expect(get?.jwk).toEqual(post?.jwk);
  });

  it.each([
    ['post', 'POST'],
    ['Delete', 'DELETE'],
    ['PATCH', 'PATCH'],
  ])('names the method as it is sent: %s [H19]', async (method, htm) => {
    const { server, call } = setUp();
    expect((await call(api, { method })).status).toBe(200);
    expect((await apiProofs(server))[0]?.claims.htm).toBe(htm);
    expect(server.requestsTo('api')[0]?.method).toBe(htm);
  });

  it('keeps the headers, the body and the init of the call', async () => {
    const { server, call } = setUp();
    const init = { method: 'PUT', body: 'one', headers: { 'x-own': 'yes', 'content-type': 'text/plain' } };
    expect(await (await call('https://api.test/echo', init)).text()).toBe('one');
    expect(server.requestsTo('api')[0]?.headers.get('x-own')).toBe('yes');
    expect(Object.keys(init.headers)).toEqual(['x-own', 'content-type']);
  });

  it('gets another proof for the second send after a 401, and the new token is in it [H10] [H19]', async () => {
    const { server, call, tokens } = setUp();
    await call(api);
    server.revokeAllAccessTokens();
    expect((await call(api, { method: 'POST', body: 'one' })).status).toBe(200);
    const [, refused, accepted] = await apiProofs(server);
    expect(server.tokenRequests).toBe(2);
    expect(accepted?.claims.jti).not.toBe(refused?.claims.jti);
    expect(accepted?.claims.ath).toBe(await digest((await tokens.getToken()).value));
  });

  it('outside the allow-list carries neither token nor proof [H1] [H3]', async () => {
    const { server, call } = setUp();
    await call('https://elsewhere.test/orders');
    const [request] = server.requestsTo('trap');
    expect([request?.headers.has('authorization'), request?.headers.has('dpop')]).toEqual([false, false]);
  });

  it('with an Authorization header of its own, or without one on request, is sent as it is', async () => {
    const { server, call } = setUp();
    await call(api, { headers: { authorization: 'Bearer own' } });
    await call(api, { auth: false });
    expect(server.requestsTo('api').map(({ headers }) => headers.has('dpop'))).toEqual([false, false]);
    expect(server.tokenRequests).toBe(0);
  });

  it('as bearer, where the binding is only preferred and not given, carries no proof [P18]', async () => {
    const { server, call } = setUp({ dpop: 'ignored' }, { mode: 'preferred' });
    expect((await call(api)).status).toBe(200);
    expect(server.requestsTo('api').map(({ headers }) => [headers.get('authorization')?.split(' ')[0], headers.has('dpop')])).toEqual([['Bearer', false]]);
  });

  it('rejects with a TokenError when no proof can be made, and with the reason when it is aborted meanwhile', async () => {
    const { server } = setUp();
    const token = { value: 't', type: 'DPoP' as const, expiresAt: undefined, scope: [], claims: () => undefined };
    const broken = async (headers: () => Promise<Headers>, signal?: AbortSignal): Promise<unknown> => {
      const source: TokenSource = { getToken: async () => ({ ...token, headers }) };
      return createAuthFetch(source, { allow: ['https://api.test'], fetch: server.fetch })(api, { signal: signal ?? null }).catch((error: unknown) => error);
    };
    const foreign = await broken(() => Promise.reject(new TypeError('fetch failed: secret-1')));
    expect(isTokenError(foreign) && foreign).toMatchObject({ code: 'grant_failed', message: expect.not.stringContaining('secret-1') });
    const reason = new Error('changed my mind');
    const controller = new AbortController();
    const pending = broken(() => new Promise(() => undefined), controller.signal);
    await Promise.resolve();
    controller.abort(reason);
    expect(await pending).toBe(reason);
    expect(server.requests).toHaveLength(0);
  });
});

describe("the API's nonce", () => {
  it.each(adapters)('that was missing is sent with the second send, at once and without a renewal: $name [H21] [H20] [H13] [gap 16]', async ({ make }) => {
    const { server, tokens, http, events } = setUp(known);
    const call = make(tokens, http);
    const response = await call('https://api.test/echo', { method: 'POST', body: 'byte for byte' });
    expect([response.status, await response.text()]).toEqual([200, 'byte for byte']);
    expect(server.requestsTo('api').map(({ body }) => body)).toEqual(['byte for byte', 'byte for byte']);
    const [without, resent] = await apiProofs(server);
    expect(without?.claims.nonce).toBeUndefined();
    expect(resent?.claims.nonce).toEqual(expect.any(String));
    expect(resent?.claims.jti).not.toBe(without?.claims.jti);
    await call(api);
    expect((await apiProofs(server))[2]?.claims.nonce).toBe(resent?.claims.nonce);
    expect(server.requestsTo('api')).toHaveLength(3);
    expect(server.tokenRequests).toBe(1);
    expect(events).toEqual([]);
  });

  it('is learned from every answer, also from a success: nonces for one request each cost one resend in all [H20]', async () => {
    const { server, call } = setUp(once);
    for (let count = 0; count < 6; count++) expect((await call(api)).status).toBe(200);
    expect(server.requestsTo('api')).toHaveLength(7);
    expect(new Set((await apiProofs(server)).map(({ claims }) => claims.nonce)).size).toBe(7);
  });

  it('of each answer serves its own call: 50 at once with nonces for one request each all succeed, with one resend each [H20] [H21]', async () => {
    const { server, call } = setUp(once);
    const responses = await Promise.all(Array.from({ length: 50 }, () => call(api)));
    expect(responses.every(({ status }) => status === 200)).toBe(true);
    expect(server.requestsTo('api')).toHaveLength(100);
    expect(server.tokenRequests).toBe(1);
  });

  it('is replaced when it rotates [H20]', async () => {
    const { server, call, clock } = setUp({ apiDpopNonceMs: 60_000 });
    await call(api);
    await clock.advance(600_000);
    expect((await call(api)).status).toBe(200);
    expect(server.requestsTo('api')).toHaveLength(4);
  });

  it("is kept for each origin, and apart from the authorization server's [H20]", async () => {
    const { server, call } = setUp({ ...known, dpopNonceMs: Number.POSITIVE_INFINITY });
    await call(api);
    await call(`${other}/orders`);
    await call(api);
    await call(`${other}/orders`);
    const [token] = (await proofsOf(server.requestsTo('token'))).flatMap(({ claims }) => claims.nonce ?? []);
    const proofs = await apiProofs(server);
    expect(proofs.map(({ claims }) => [new URL(String(claims.htu)).origin, claims.nonce !== undefined])).toEqual([
      ['https://api.test', false],
      ['https://api.test', true],
      [other, false],
      [other, true],
      ['https://api.test', true],
      [other, true],
    ]);
    expect(proofs.every(({ claims }) => claims.nonce !== token)).toBe(true);
  });

  it('of an origin outside the allow-list is not kept, nor one on a bearer call', async () => {
    const fetch = stubFetch(() => new Response(null, { headers: { 'dpop-nonce': 'n' } }));
    const seen: unknown[] = [];
    const token = { value: 't', type: 'DPoP' as const, expiresAt: undefined, scope: [], claims: () => undefined };
    const source: TokenSource = {
      getToken: async () => ({
        ...token,
        headers: async ({ nonce }) => {
          seen.push(nonce);
          return new Headers();
        },
      }),
    };
    const call = createAuthFetch(source, { allow: ['https://api.test'], fetch });
    await call('https://elsewhere.test');
    await call(api, { auth: false });
    await call(api);
    await call(api);
    expect(seen).toEqual([undefined, 'n']);
  });

  it('a refused token behind it, and the success: three sends, one renewal, in whichever order they come [H21] [H10] [gap 16]', async () => {
    const first = setUp();
    await first.tokens.getToken();
    first.server.revokeAllAccessTokens();
    first.server.set(known);
    expect((await first.call(api, { method: 'POST', body: 'one' })).status).toBe(200);
    expect(first.server.requestsTo('api').map(({ body }) => body)).toEqual(['one', 'one', 'one']);
    expect(first.server.tokenRequests).toBe(2);
    expect(first.events).toEqual([{ type: 'retried', origin: 'https://api.test', status: 200 }]);

    const second = setUp(known);
    second.server.forNext(1, { apiRefuses: true, apiDpopNonceMs: undefined }, 'api');
    expect((await second.call(api, { method: 'POST', body: 'two' })).status).toBe(200);
    expect(second.server.requestsTo('api').map(({ body }) => body)).toEqual(['two', 'two', 'two']);
    expect(second.server.tokenRequests).toBe(2);
  });

  it('asked for a second time is the answer of the call: no third send, no renewal, no quarantine [H21]', async () => {
    const answer = { status: 401, headers: { 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': 'n' } };
    const { server, call, events } = setUp({ apiAnswer: answer });
    const response = await call(api);
    expect([response.status, response.headers.get('dpop-nonce')]).toEqual([401, 'n']);
    expect(server.requestsTo('api')).toHaveLength(2);
    for (let count = 0; count < 10; count++) await call(api);
    expect(server.requestsTo('api')).toHaveLength(22);
    expect(server.tokenRequests).toBe(1);
    expect(events).toEqual([]);
    server.set({ apiAnswer: undefined });
    server.revokeAllAccessTokens();
    expect((await call(api)).status).toBe(200);
  });

  it.each([
    ['without a nonce', { 'www-authenticate': 'DPoP error="use_dpop_nonce"' }, 401],
    ['in a challenge of another scheme', { 'www-authenticate': 'Bearer error="use_dpop_nonce"', 'dpop-nonce': 'n' }, 401],
    ['with a status that is none of it', { 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': 'n' }, 403],
  ])('asked for %s is the answer of the call at once [H21]', async (_how, headers, status) => {
    const { server, call } = setUp({ apiAnswer: { status, headers } });
    expect((await call(api)).status).toBe(status);
    expect(server.requestsTo('api')).toHaveLength(1);
    expect(server.tokenRequests).toBe(1);
  });

  it('beside a challenge for another scheme is found [H21]', async () => {
    const { server, call } = setUp();
    const headers = { 'www-authenticate': 'Bearer realm="api", DPoP algs="ES256", error="use_dpop_nonce"', 'dpop-nonce': 'n' };
    server.forNext(1, { apiAnswer: { status: 401, headers } }, 'api');
    expect((await call(api)).status).toBe(200);
    expect((await apiProofs(server))[1]?.claims.nonce).toBe('n');
  });

  it('is not sent again for a body that is a stream: the 401 and an event, and the next call knows the nonce [H21] [H13] [gap 16]', async () => {
    const { server, call, events } = setUp(known);
    const body = new Blob(['one']).stream();
    const response = await call(api, { method: 'POST', body, duplex: 'half' } as RequestInit);
    expect(response.status).toBe(401);
    expect(server.requestsTo('api')).toHaveLength(1);
    expect(events).toEqual([{ type: 'not_replayable', origin: 'https://api.test' }]);
    expect(server.tokenRequests).toBe(1);
    expect((await call(api)).status).toBe(200);
    expect(server.requestsTo('api')).toHaveLength(2);
  });

  it('is not sent again with retryOn401: false, which leaves every 401 to the caller', async () => {
    const { server, call } = setUp(known);
    expect((await call(api, { retryOn401: false })).status).toBe(401);
    expect(server.requestsTo('api')).toHaveLength(1);
    expect((await call(api, { retryOn401: false })).status).toBe(200);
  });

  it('does not end, begin or lengthen a quarantine: a storming resource stays one renewal [H21] [H14]', async () => {
    const { server, call, events } = setUp({ ...once, apiRefuses: true });
    for (let count = 0; count < 10; count++) expect((await call(api)).status).toBe(401);
    expect(server.tokenRequests).toBe(2);
    expect(events.filter(({ type }) => type === 'quarantined')).toHaveLength(1);
    server.set({ apiRefuses: false });
    expect((await call(api)).status).toBe(200);
  });

  it('frees the connection of the refused send', async () => {
    const cancelled = vi.fn();
    const { server, tokens } = setUp();
    let count = 0;
    const fetch: typeof globalThis.fetch = async (input, init) => {
      if (count++ > 0) return server.fetch(input, init);
      const headers = { 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': 'n' };
      return new Response(new ReadableStream({ cancel: cancelled }), { status: 401, headers });
    };
    expect((await createAuthFetch(tokens, { allow: ['https://api.test'], fetch })(api)).status).toBe(200);
    expect(cancelled).toHaveBeenCalledOnce();
  });
});

describe('a redirect of a call with a bound token', () => {
  const redirect = (to: string, status = 307): string => `https://api.test/redirect?status=${status}&to=${encodeURIComponent(to)}`;

  it('is followed by hand, with a proof of its own for each hop [H5] [H19]', async () => {
    const { server, call, thumbprint } = setUp();
    const response = await call(redirect(`${other}/orders?page=3`), { method: 'POST', body: 'one' });
    expect([response.status, response.redirected]).toEqual([200, true]);
    const [first, second] = await apiProofs(server);
    expect([first?.claims.htu, second?.claims.htu]).toEqual(['https://api.test/redirect', `${other}/orders`]);
    expect([first?.claims.htm, second?.claims.htm]).toEqual(['POST', 'POST']);
    expect(second?.claims.jti).not.toBe(first?.claims.jti);
    expect(await thumbprint()).toEqual(expect.any(String));
  });

  it('that turns POST into GET gets a proof for GET [H5]', async () => {
    const { server, call } = setUp();
    expect((await call(redirect('/orders', 303), { method: 'POST', body: 'one' })).status).toBe(200);
    expect((await apiProofs(server)).map(({ claims }) => claims.htm)).toEqual(['POST', 'GET']);
  });

  it('that leaves the allow-list takes neither token nor proof along [H5]', async () => {
    const { server, call } = setUp();
    await call(redirect('https://trap.test/steal'));
    const [trapped] = server.requestsTo('trap');
    expect(trapped?.url).toBe('https://trap.test/steal');
    expect([trapped?.headers.has('authorization'), trapped?.headers.has('dpop')]).toEqual([false, false]);
  });

  it('to an origin with a nonce of its own costs one more resend there [H5] [H20] [H21]', async () => {
    const { server, call } = setUp(known);
    await call(api);
    expect((await call(redirect(`${other}/orders`))).status).toBe(200);
    expect((await apiProofs(server)).slice(2).map(({ claims }) => [claims.htu, claims.nonce !== undefined])).toEqual([
      ['https://api.test/redirect', true],
      [`${other}/orders`, false],
      [`${other}/orders`, true],
    ]);
  });

  it.each([
    ['a page', { document: { baseURI: 'https://app.test/' } }],
    ['a worker', { importScripts: () => undefined }],
  ])('is never left to fetch itself, which could not prove anything on the way: %s refuses it [H5]', async (_where, globals) => {
    const { server, call, tokens } = setUp();
    await tokens.getToken();
    for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
    await expect(call(redirect('/orders'))).rejects.toBeInstanceOf(TypeError);
    expect(server.requestsTo('api').map(({ request }) => request.redirect)).toEqual(['error']);
  });
});

describe('a token source that switches', () => {
  it('from a bearer token to a bound one within a call gets its proof with the second send', async () => {
    const { server, call } = setUp({ dpop: 'ignored' }, { mode: 'preferred' });
    await call(api);
    server.set({ dpop: 'supported' });
    server.revokeAllAccessTokens();
    expect((await call(api)).status).toBe(200);
    expect(server.requestsTo('api').map(({ headers }) => headers.has('dpop'))).toEqual([false, false, true]);
  });

  it('to a grant that cannot prove sends the token alone', async () => {
    const { server } = setUp();
    const tokens = createTokenManager({ grant: customGrant(async () => ({ accessToken: 'at', tokenType: 'DPoP' })) });
    expect((await createAuthFetch(tokens, { allow: ['https://api.test'], fetch: server.fetch })(api)).status).toBe(401);
    expect(server.requestsTo('api')[0]?.headers.has('dpop')).toBe(false);
  });
});
