import { describe, expect, it } from 'vitest';
import { fakeAuthorizationServer, type FakeAuthorizationServer, type ServerKnobs, virtualClock } from '../../../src/testing/index.js';

const tokenUrl = 'https://as.test/token';
const basic = (id: string, secret: string): string => `Basic ${btoa(`${id}:${secret}`)}`;

function ask(server: FakeAuthorizationServer, params: Record<string, string> = {}, init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: basic('client', 'secret') };
  return server.fetch(tokenUrl, { method: 'POST', headers, body: new URLSearchParams({ grant_type: 'client_credentials', ...params }), ...init });
}

async function members(response: Response): Promise<Record<string, unknown>> {
  const body: unknown = await response.json();
  return typeof body === 'object' && body !== null ? { ...body } : {};
}

async function accessToken(server: FakeAuthorizationServer, params: Record<string, string> = {}): Promise<string> {
  return String((await members(await ask(server, params)))['access_token']);
}

function callApi(server: FakeAuthorizationServer, token: string, path = '/', init: RequestInit = {}): Promise<Response> {
  return server.fetch(`https://api.test${path}`, { ...init, headers: { authorization: `Bearer ${token}`, 'content-type': 'text/x-test' } });
}

describe('fake authorization server [gap 18]', () => {
  it('serves both well-known documents, and places the RFC 8414 one before the path of the issuer', async () => {
    const server = fakeAuthorizationServer({ issuer: 'https://as.test/tenant/1' });
    for (const url of ['https://as.test/.well-known/oauth-authorization-server/tenant/1', 'https://as.test/tenant/1/.well-known/openid-configuration']) {
      const document = await members(await server.fetch(url));
      expect([document['issuer'], document['token_endpoint'], document['revocation_endpoint']]).toEqual([
        'https://as.test/tenant/1',
        'https://as.test/tenant/1/token',
        'https://as.test/tenant/1/revoke',
      ]);
    }
    server.set({ discovery: 'oidc', metadata: { issuer: 'https://evil.test', revocation_endpoint: undefined } });
    expect((await server.fetch('https://as.test/.well-known/oauth-authorization-server/tenant/1')).status).toBe(404);
    const odd = await members(await server.fetch('https://as.test/tenant/1/.well-known/openid-configuration'));
    expect([odd['issuer'], 'revocation_endpoint' in odd]).toEqual(['https://evil.test', false]);
  });

  it('issues distinct tokens that its API takes until they expire or are revoked', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, knobs: { expiresIn: 60 } });
    const [first, second] = [await accessToken(server, { scope: 'a b', resource: 'https://api.test' }), await accessToken(server)];
    expect(first).not.toBe(second);
    const seen = await members(await callApi(server, first, '/things'));
    expect(seen).toEqual({ method: 'GET', path: '/things', clientId: 'client', scope: ['a', 'b'], resource: ['https://api.test'] });
    server.revokeAccessToken(second);
    expect((await callApi(server, second)).status).toBe(401);
    await clock.advance(59_999);
    expect((await callApi(server, first)).status).toBe(200);
    await clock.advance(1);
    const refused = await callApi(server, first);
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, expect.stringContaining('error="invalid_token"')]);
  });

  it('keeps the time of other machines when the wall clock jumps, and goes on while the machine sleeps', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, knobs: { expiresIn: 60 } });
    const token = await accessToken(server);
    clock.jumpWall(3_600_000);
    expect((await callApi(server, token)).status).toBe(200);
    clock.suspend(60_000);
    expect((await callApi(server, token)).status).toBe(401);
  });

  it('records every request with its time, headers, body and parameters', async () => {
    const clock = virtualClock({ now: 1_000 });
    const server = fakeAuthorizationServer({ clock });
    await ask(server, { scope: 'x' }, { redirect: 'manual' });
    await server.fetch('https://elsewhere.test/?q=1');
    const [request, other] = server.requests;
    expect(request).toMatchObject({ endpoint: 'token', at: 1_000, url: tokenUrl, method: 'POST', body: 'grant_type=client_credentials&scope=x' });
    expect([request?.params.get('scope'), request?.headers.get('authorization'), request?.request.redirect]).toEqual([
      'x',
      basic('client', 'secret'),
      'manual',
    ]);
    expect([other?.endpoint, server.tokenRequests]).toEqual(['trap', 1]);
    server.clearRequests();
    expect(server.tokenRequests).toBe(0);
  });

  it('authenticates clients by Basic, by body or not at all, and refuses both at once', async () => {
    const server = fakeAuthorizationServer({ clients: { 'a:b': 'p+ä%', open: '' } });
    const encoded = `Basic ${btoa('a%3Ab:p%2B%C3%A4%25')}`;
    const status = async (init: RequestInit, params: Record<string, string> = {}): Promise<number> =>
      (await ask(server, params, { headers: {}, ...init })).status;
    expect(await status({ headers: { authorization: encoded } })).toBe(200);
    const body = (params: Record<string, string>): RequestInit => ({ body: new URLSearchParams({ grant_type: 'client_credentials', ...params }) });
    expect(await status(body({ client_id: 'a:b', client_secret: 'p+ä%' }))).toBe(200);
    expect(await status(body({ client_id: 'open' }))).toBe(200);
    expect(await status(body({ client_id: 'a:b' }))).toBe(401);
    expect(await status({ headers: { authorization: encoded }, ...body({ client_id: 'a:b', client_secret: 'p+ä%' }) })).toBe(400);
    server.set({ basicDecoding: 'raw' });
    expect(await status({ headers: { authorization: encoded } })).toBe(401);
    server.set({ basicDecoding: 'form', rejectClients: true });
    const refused = await ask(server, {}, { headers: { authorization: encoded } });
    expect([refused.status, await members(refused), refused.headers.get('www-authenticate')]).toEqual([
      401,
      { error: 'invalid_client' },
      'Basic realm="token"',
    ]);
    server.set({ rejectClients: false });
    server.setSecret('a:b', 'new');
    expect(await status({ headers: { authorization: encoded } })).toBe(401);
  });

  it('rotates refresh tokens, takes a spent one within its grace, and punishes later reuse', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, knobs: { graceMs: 30_000, graceUses: 1 } });
    const first = server.issueRefreshToken({ scope: 'a b' });
    const refresh = async (token: string, params: Record<string, string> = {}): Promise<Record<string, unknown>> =>
      members(await ask(server, { grant_type: 'refresh_token', refresh_token: token, ...params }));
    const answer = await refresh(first, { scope: 'a' });
    expect(answer['scope']).toBe('a');
    const second = String(answer['refresh_token']);
    expect((await refresh(first))['error']).toBeUndefined();
    expect((await refresh(first))['error']).toBe('invalid_grant');
    expect([server.stats.reuses, server.isLiveRefreshToken(second)]).toEqual([1, false]);
    expect((await refresh(second))['error']).toBe('invalid_grant');
    const widened = await refresh(server.issueRefreshToken({ scope: 'a' }), { scope: 'a b' });
    expect(widened['error']).toBe('invalid_scope');
  });

  it('revokes what the knob says when a spent refresh token comes back', async () => {
    const outcome = async (reuseRevokes: ServerKnobs['reuseRevokes']): Promise<[boolean, number]> => {
      const server = fakeAuthorizationServer({ knobs: { reuseRevokes } });
      const first = server.issueRefreshToken();
      const { access_token, refresh_token } = await members(await ask(server, { grant_type: 'refresh_token', refresh_token: first }));
      await ask(server, { grant_type: 'refresh_token', refresh_token: first });
      return [server.isLiveRefreshToken(String(refresh_token)), (await callApi(server, String(access_token))).status];
    };
    expect([await outcome('token'), await outcome('family'), await outcome('familyAndAccess')]).toEqual([
      [true, 200],
      [false, 200],
      [false, 401],
    ]);
  });

  it('returns the same refresh token or none, ends old access tokens, and hides new ones behind replication lag', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, knobs: { rotation: 'same' } });
    const token = server.issueRefreshToken();
    const refresh = async (value: string): Promise<Record<string, unknown>> =>
      members(await ask(server, { grant_type: 'refresh_token', refresh_token: value }));
    const first = await refresh(token);
    expect(first['refresh_token']).toBe(token);
    server.set({ rotation: 'omit', refreshEndsAccessTokens: true });
    expect('refresh_token' in (await refresh(token))).toBe(false);
    expect((await callApi(server, String(first['access_token']))).status).toBe(401);
    server.set({ rotation: 'rotate', replicationLagMs: 500 });
    const next = String((await refresh(token))['refresh_token']);
    expect((await refresh(next))['error']).toBe('invalid_grant');
    await clock.advance(500);
    expect((await refresh(next))['error']).toBeUndefined();
  });

  it('commits a rotation and loses the answer, or loses the request before it', async () => {
    const server = fakeAuthorizationServer({ knobs: { connection: 'dropBeforeCommit' } });
    const token = server.issueRefreshToken();
    const refresh = (): Promise<Response> => ask(server, { grant_type: 'refresh_token', refresh_token: token });
    await expect(refresh()).rejects.toThrow(new TypeError('fetch failed'));
    expect(server.isLiveRefreshToken(token)).toBe(true);
    server.set({ connection: 'dropAfterCommit' });
    await expect(refresh()).rejects.toThrow(new TypeError('fetch failed'));
    expect([server.isLiveRefreshToken(token), server.stats.issued]).toEqual([false, 1]);
  });

  it('never answers, and lets go when the signal aborts, with its reason', async () => {
    const server = fakeAuthorizationServer({ knobs: { connection: 'hangAfterCommit' } });
    const stop = new AbortController();
    const asked = ask(server, {}, { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
    await expect(ask(server, {}, { signal: stop.signal })).rejects.toThrow('enough');
    const viaRequest = server.fetch(new Request(tokenUrl, { method: 'POST', signal: AbortSignal.abort('why') }));
    await expect(viaRequest).rejects.toBe('why');
  });

  it('takes its time before and after the commit, evenly spread over a range', async () => {
    const clock = virtualClock({ now: 0 });
    const server = fakeAuthorizationServer({ clock, knobs: { latencyBeforeMs: 200, latencyAfterMs: 100 } });
    const times: number[] = [];
    const asked = ask(server).then(() => times.push(clock.now()));
    await clock.advance(199);
    expect(server.stats.issued).toBe(0);
    await clock.advance(1);
    expect(server.stats.issued).toBe(1);
    await clock.advance(100);
    await asked;
    expect(times).toEqual([300]);
    server.set({ apiLatencyMs: [0, 500] });
    const spread: number[] = [];
    const calls = Array.from({ length: 50 }, () => callApi(server, 'x').then(() => spread.push(clock.now() - 300)));
    await clock.advance(500);
    await Promise.all(calls);
    expect(spread.filter((ms) => ms < 250).length).toSatisfy((half: number) => half >= 24 && half <= 26);
  });

  it('delivers bodies byte by byte, stalled, oversize and endless, and counts what the client took', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, knobs: { delivery: 'byteByByte', byteDelayMs: 10 } });
    const slow = await ask(server);
    const read = slow.json();
    await clock.advance(5_000);
    expect(await read).toMatchObject({ token_type: 'Bearer' });
    server.set({ delivery: 'oversize' });
    expect((await (await ask(server)).text()).length).toBeGreaterThan(4 * 1024 * 1024);
    server.set({ delivery: 'endless' });
    const before = server.stats.streamedBytes;
    const reader = (await ask(server)).body?.getReader();
    for (let chunk = 0; chunk < 4; chunk++) await reader?.read();
    await reader?.cancel();
    expect([server.stats.streamedBytes - before, server.stats.cancelledBodies]).toEqual([4 * 64 * 1024, 1]);
    server.set({ delivery: 'stalled' });
    const stop = new AbortController();
    const stalled = (await ask(server, {}, { signal: stop.signal })).text();
    stop.abort(new Error('enough'));
    await expect(stalled).rejects.toThrow('enough');
  });

  it.each([3600, '3599', 3600.5, null, 0, -1, 1e15, '', '3600abc', {}])('writes expires_in as it is told: %j', async (expiresIn) => {
    const server = fakeAuthorizationServer({ knobs: { expiresIn } });
    expect((await members(await ask(server)))['expires_in']).toEqual(expiresIn);
  });

  it('leaves expires_in out, or draws it', async () => {
    const server = fakeAuthorizationServer({ knobs: { expiresIn: undefined }, random: () => 0.5 });
    expect('expires_in' in (await members(await ask(server)))).toBe(false);
    server.set({ expiresInRange: [3600, 5400] });
    expect((await members(await ask(server)))['expires_in']).toBe(4500);
  });

  it('gives tokens of the shape of a JWT, with times of their own', async () => {
    const clock = virtualClock({ now: 1_000_000 });
    const server = fakeAuthorizationServer({ clock, knobs: { accessTokenFormat: 'jwt', jwtIatInMs: null, jwtNbfInMs: -5_000, clockOffsetMs: 60_000 } });
    const token = await accessToken(server, { scope: 'a' });
    expect(JSON.parse(atob(token.split('.')[1] ?? ''))).toMatchObject({ exp: 1000 + 60 + 3600, nbf: 1055, scope: 'a', client_id: 'client' });
    expect(atob(token.split('.')[1] ?? '')).not.toContain('iat');
    expect((await callApi(server, token)).status).toBe(200);
  });

  it.each([
    ['string', 'a b'],
    ['array', ['a', 'b']],
    ['comma', 'a,b'],
    ['absent', undefined],
    ['empty', ''],
    ['reversed', 'b a'],
    ['urls', 'https://api.test/a https://api.test/b'],
  ] as const)('writes the scope in the form %s', async (scopeForm, expected) => {
    const server = fakeAuthorizationServer({ knobs: { scopeForm } });
    expect((await members(await ask(server, { scope: 'a b' })))['scope']).toEqual(expected);
  });

  it('narrows the scope to what is granted', async () => {
    const server = fakeAuthorizationServer({ knobs: { grantedScope: 'a' } });
    expect((await members(await ask(server, { scope: 'a b' })))['scope']).toBe('a');
  });

  it.each<[ServerKnobs['shape'], RegExp, string | null]>([
    ['form', /^access_token=at-[\w-]+&token_type=Bearer/, 'application/x-www-form-urlencoded'],
    ['wrongContentType', /^\{"access_token"/, 'text/plain'],
    ['noContentType', /^\{"access_token"/, null],
    ['html', /^<!doctype html>/, 'text/html'],
    ['empty', /^$/, 'application/json;charset=UTF-8'],
    ['truncated', /^\{"access_token"[^}]*$/, 'application/json;charset=UTF-8'],
    ['array', /^\[\{"access_token".*\]$/, 'application/json;charset=UTF-8'],
    ['null', /^null$/, 'application/json;charset=UTF-8'],
    ['proto', /^\{"__proto__":\{"polluted":true.*"access_token"/, 'application/json;charset=UTF-8'],
    ['deep', /^\{"deep":\[\[\[/, 'application/json;charset=UTF-8'],
    ['camelCase', /"accessToken":.*"expiresIn":/, 'application/json;charset=UTF-8'],
    ['nested', /"authed_user":\{"access_token"/, 'application/json;charset=UTF-8'],
  ])('gives a successful answer the shape %s', async (shape, text, contentType) => {
    const response = await ask(fakeAuthorizationServer({ knobs: { shape } }));
    expect(response.headers.get('content-type')).toBe(contentType);
    expect(await response.text()).toMatch(text);
  });

  it('puts a byte order mark before the text', async () => {
    const response = await ask(fakeAuthorizationServer({ knobs: { shape: 'bom' } }));
    expect(new Uint8Array(await response.arrayBuffer()).slice(0, 4)).toEqual(Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b));
  });

  it.each<[ServerKnobs['accessTokenForm'], RegExp]>([
    ['empty', /^$/],
    ['space', /^at-\S+ \S+$/],
    ['crlf', /\r\nx-injected: 1$/],
    ['nonAscii', /é$/],
    ['bang', /^00D!at-/],
    ['long', /^.{8192}$/],
    ['tooLong', /^.{71680}$/],
  ])('issues an access token of the form %s', async (accessTokenForm, expected) => {
    expect(await accessToken(fakeAuthorizationServer({ knobs: { accessTokenForm } }))).toMatch(expected);
  });

  it('issues the same access token again', async () => {
    const server = fakeAuthorizationServer({ knobs: { accessTokenForm: 'same' } });
    expect(await accessToken(server)).toBe(await accessToken(server));
  });

  it('writes the token type and further members as it is told', async () => {
    const server = fakeAuthorizationServer({ knobs: { tokenType: undefined, members: { instance_url: 'https://x.test', scope: undefined } } });
    expect(Object.keys(await members(await ask(server, { scope: 'a' })))).toEqual(['access_token', 'expires_in', 'instance_url']);
    server.set({ tokenType: 'bEARER' });
    expect((await members(await ask(server)))['token_type']).toBe('bEARER');
  });

  it('answers with OAuth errors of any status, with Retry-After in each of its forms', async () => {
    const clock = virtualClock({ now: Date.UTC(2026, 0, 1) });
    const server = fakeAuthorizationServer({
      clock,
      knobs: { error: 'interaction_required', errorStatus: 403, errorMembers: { suberror: 'basic_action', claims: '{}' } },
    });
    const forced = await ask(server);
    expect([forced.status, await members(forced)]).toEqual([403, { error: 'interaction_required', suberror: 'basic_action', claims: '{}' }]);
    for (const [retryAfter, header] of [
      [5, '5'],
      ['abc', 'abc'],
      [{ dateInMs: 90_000 }, 'Thu, 01 Jan 2026 00:01:30 GMT'],
    ] as const) {
      server.set({ answer: { status: 503, body: '<h1>down</h1>', contentType: 'text/html' }, retryAfter });
      const response = await ask(server);
      expect([response.status, response.headers.get('retry-after'), await response.text()]).toEqual([503, header, '<h1>down</h1>']);
    }
  });

  it('fails a number of times and then succeeds', async () => {
    const server = fakeAuthorizationServer();
    server.forNext(2, { answer: { status: 500 } });
    server.forNext(1, { error: 'slow_down' });
    server.forNext(1, { apiAnswer: { status: 503 } }, 'api');
    const statuses: number[] = [];
    for (let turn = 0; turn < 4; turn++) statuses.push((await ask(server)).status);
    expect(statuses).toEqual([500, 500, 400, 200]);
    expect([(await callApi(server, 'x')).status, (await callApi(server, 'x')).status]).toEqual([503, 401]);
  });

  it('keeps odd deliveries to the token endpoint, unless another endpoint is named', async () => {
    const server = fakeAuthorizationServer({ knobs: { delivery: 'oversize' } });
    const discover = async (): Promise<number> => (await (await server.fetch('https://as.test/.well-known/openid-configuration')).text()).length;
    expect(await discover()).toBeLessThan(10_000);
    server.forNext(1, { delivery: 'oversize' }, 'discovery');
    expect([(await discover()) > 4_000_000, (await discover()) < 10_000]).toEqual([true, true]);
  });

  it('redirects the token request to a trap that records what it gets', async () => {
    const server = fakeAuthorizationServer({ knobs: { redirect: { status: 307 } } });
    const manual = await ask(server, {}, { redirect: 'manual' });
    expect([manual.status, manual.headers.get('location'), server.requestsTo('trap').length]).toEqual([307, 'https://trap.test/token', 0]);
    await expect(ask(server, {}, { redirect: 'error' })).rejects.toThrow(TypeError);
    const followed = await ask(server);
    const [trapped] = server.requestsTo('trap');
    expect([followed.url, followed.redirected, trapped?.method, trapped?.params.get('grant_type'), trapped?.headers.has('authorization')]).toEqual([
      'https://trap.test/token',
      true,
      'POST',
      'client_credentials',
      false,
    ]);
    server.set({ opaqueRedirects: true });
    const opaque = await ask(server, {}, { redirect: 'manual' });
    expect([opaque.type, opaque.status]).toEqual(['opaqueredirect', 0]);
  });

  it('revokes tokens at the revocation endpoint', async () => {
    const server = fakeAuthorizationServer();
    const refreshToken = server.issueRefreshToken();
    const token = await accessToken(server, { grant_type: 'refresh_token', refresh_token: refreshToken });
    const revoke = async (value: string): Promise<number> =>
      (
        await server.fetch('https://as.test/revoke', {
          method: 'POST',
          headers: { authorization: basic('client', 's') },
          body: new URLSearchParams({ token: value }),
        })
      ).status;
    expect([await revoke('unknown'), await revoke(refreshToken), (await callApi(server, token)).status]).toEqual([200, 200, 401]);
    server.set({ revocationAnswer: { status: 503 } });
    expect(await revoke(token)).toBe(503);
    server.set({ revocation: false, revocationAnswer: undefined });
    expect(await revoke(token)).toBe(404);
  });

  it('takes further grants', async () => {
    const server = fakeAuthorizationServer({
      grants: {
        'urn:test:grant': ({ params, newRefreshToken }) =>
          params.get('ticket') === 'good' ? { ...newRefreshToken(['x']), scope: ['x'] } : { error: 'invalid_grant' },
      },
    });
    const good = await members(await ask(server, { grant_type: 'urn:test:grant', ticket: 'good' }));
    expect([typeof good['refresh_token'], good['scope']]).toEqual(['string', 'x']);
    expect(await members(await ask(server, { grant_type: 'urn:test:grant' }))).toEqual({ error: 'invalid_grant' });
    expect(await members(await ask(server, { grant_type: '__proto__' }))).toEqual({ error: 'unsupported_grant_type' });
  });

  it('counts requests with the same refresh token that are in flight together', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, knobs: { latencyBeforeMs: 10, graceMs: 1_000 } });
    const token = server.issueRefreshToken();
    const both = [1, 2].map(() => ask(server, { grant_type: 'refresh_token', refresh_token: token }));
    await clock.advance(10);
    await Promise.all(both);
    expect(server.stats.parallelRefreshes).toBe(2);
  });

  it('does not count a request that its client gave up as one in flight', async () => {
    const server = fakeAuthorizationServer({ knobs: { connection: 'hangBeforeCommit' } });
    const token = server.issueRefreshToken();
    for (let attempt = 0; attempt < 2; attempt++) {
      const stop = new AbortController();
      const asked = ask(server, { grant_type: 'refresh_token', refresh_token: token }, { signal: stop.signal });
      await virtualClock().advance(0);
      stop.abort('late');
      await expect(asked).rejects.toBe('late');
    }
    expect([server.tokenRequests, server.stats.parallelRefreshes]).toEqual([2, 1]);
  });

  it('refuses misspelt knobs and options', () => {
    const misspelt: Record<string, unknown> = { expires_in: 3600 };
    expect(() => fakeAuthorizationServer().set(misspelt)).toThrow('knobs.expires_in');
    expect(() => fakeAuthorizationServer({ ...misspelt })).toThrow('expires_in');
  });
});

describe('fake protected resource [gap 18]', () => {
  it('asks for a token without naming an error when there is none', async () => {
    const response = await fakeAuthorizationServer().fetch('https://api.test/');
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="api"']);
  });

  it('challenges in the form it is told, or not at all', async () => {
    const server = fakeAuthorizationServer({ knobs: { challenge: 'severalHeaders' } });
    expect((await callApi(server, 'bad')).headers.get('www-authenticate')).toBe('Basic realm="api", Bearer error="invalid_token"');
    server.set({ challenge: 'none' });
    expect((await callApi(server, 'bad')).headers.get('www-authenticate')).toBeNull();
    server.set({ challenge: ['Custom x=1'] });
    expect((await callApi(server, 'bad')).headers.get('www-authenticate')).toBe('Custom x=1');
  });

  it('has paths that refuse good tokens, step up and want more scope', async () => {
    const server = fakeAuthorizationServer();
    const token = server.issueAccessToken({ scope: 'read' });
    const seen = async (path: string): Promise<[number, string | null]> => {
      const response = await callApi(server, token, path);
      return [response.status, /error="(\w+)"/.exec(response.headers.get('www-authenticate') ?? '')?.[1] ?? null];
    };
    expect(await seen('/always-401')).toEqual([401, 'invalid_token']);
    expect(await seen('/insufficient-scope')).toEqual([403, 'insufficient_scope']);
    expect(await seen('/step-up')).toEqual([401, 'insufficient_user_authentication']);
    expect(await seen('/claims')).toEqual([401, 'insufficient_claims']);
    expect(await seen('/status?code=503')).toEqual([503, null]);
    server.set({ requiredScope: 'write' });
    expect(await seen('/')).toEqual([403, 'insufficient_scope']);
    server.set({ apiRefuses: true });
    expect(await seen('/')).toEqual([401, 'invalid_token']);
  });

  it('echoes an upload byte by byte equal', async () => {
    const server = fakeAuthorizationServer();
    const upload = crypto.getRandomValues(new Uint8Array(50_000));
    const response = await callApi(server, server.issueAccessToken(), '/echo', { method: 'PUT', body: upload });
    expect([response.headers.get('content-type'), new Uint8Array(await response.arrayBuffer())]).toEqual(['text/x-test', upload]);
  });

  it('redirects within its origin with the token, and to another one without', async () => {
    const server = fakeAuthorizationServer({ apiOrigins: ['https://api.test', 'https://api2.test'] });
    const token = server.issueAccessToken();
    const same = await callApi(server, token, '/redirect?to=/end');
    expect([same.status, same.url, same.clone().url]).toEqual([200, 'https://api.test/end', 'https://api.test/end']);
    expect((await callApi(server, token, '/redirect?to=https://api2.test/end')).status).toBe(401);
    await callApi(server, token, '/redirect?status=307&to=https://elsewhere.test/');
    expect(server.requestsTo('trap')[0]?.headers.has('authorization')).toBe(false);
    server.set({ redirectsKeepAuthorization: true });
    await callApi(server, token, '/redirect?to=https://elsewhere.test/');
    expect(server.requestsTo('trap')[1]?.headers.get('authorization')).toBe(`Bearer ${token}`);
    await expect(callApi(server, token, '/redirect?to=/redirect?to=/redirect')).resolves.toMatchObject({ status: 200 });
  });
});
