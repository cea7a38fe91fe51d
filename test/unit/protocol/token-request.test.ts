import { afterEach, describe, expect, it, vi } from 'vitest';
import { clientSecretBasic, clientSecretPost } from '../../../src/protocol/client-auth/client-auth.js';
import { type ClientCredentialsOptions, clientCredentials } from '../../../src/protocol/grants/client-credentials.js';
import { refreshToken } from '../../../src/protocol/grants/refresh-token.js';
import { type Answer, context, failure, fakeServer, good, issuer, json, server, thrown } from './wire.js';

const auth = clientSecretBasic('s3cret');

function grantOf(options: Partial<ClientCredentialsOptions> = {}, ...answers: Answer[]) {
  const fake = fakeServer(...(answers.length > 0 ? answers : [json(good)]));
  return { fake, grant: clientCredentials({ server, clientId: 'svc', auth, fetch: fake.fetch, ...options }) };
}

afterEach(() => vi.unstubAllGlobals());

describe('the token request', () => {
  it('is a form post that asks for JSON, to the configured endpoint, with fixed fetch options [P1] [P28]', async () => {
    const { fake, grant } = grantOf({ scope: 'a b' });
    await grant.request(undefined, context());
    const [request] = fake.requests;
    expect(request?.url).toBe(server.token_endpoint);
    expect(request?.init).toMatchObject({
      method: 'POST',
      redirect: 'manual',
      cache: 'no-store',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      mode: 'cors',
      keepalive: false,
    });
    expect(request?.headers.get('accept')).toBe('application/json');
    expect(request?.headers.get('content-type')).toMatch(/^application\/x-www-form-urlencoded/);
    expect([...(request?.body ?? [])]).toEqual([
      ['grant_type', 'client_credentials'],
      ['scope', 'a b'],
    ]);
  });

  it('sends a resource several times, the audience and free parameters once each [P31] [P1] [G1]', async () => {
    const details = JSON.stringify([{ type: 'payment' }]);
    const { fake, grant } = grantOf({
      resource: ['https://a.example/', 'https://b.example/'],
      audience: 'api',
      params: { tenant_id: 't1', authorization_details: details },
    });
    await grant.request(undefined, context());
    const body = fake.requests[0]?.body;
    expect(body?.getAll('resource')).toEqual(['https://a.example/', 'https://b.example/']);
    expect(body?.getAll('audience')).toEqual(['api']);
    expect(body?.getAll('tenant_id')).toEqual(['t1']);
    expect(body?.getAll('authorization_details')).toEqual([details]);
  });

  it("takes a target's parameters over the grant's own, and the grant's for what the target leaves out [P31]", async () => {
    const { fake, grant } = grantOf({ scope: 'a', audience: 'api', params: { x: '1', y: '2' } });
    await grant.request(undefined, context({ target: { scope: ['b', 'c'], resource: 'https://r.example/', params: { y: '3' } } }));
    expect(Object.fromEntries(fake.requests[0]?.body ?? [])).toEqual({
      grant_type: 'client_credentials',
      scope: 'b c',
      audience: 'api',
      resource: 'https://r.example/',
      x: '1',
      y: '3',
    });
  });

  it.each([
    'grant_type',
    'client_id',
    'client_secret',
    'client_assertion',
    'client_assertion_type',
    'code',
    'code_verifier',
    'refresh_token',
    'redirect_uri',
    'scope',
    'resource',
    'audience',
  ])('refuses the free parameter %s, at construction and for a target before anything is sent [P32] [P1]', async (name) => {
    const params = { [name]: 'x' };
    const error = thrown(() => grantOf({ params }));
    expect(error.code).toBe('invalid_option');
    expect(error.message).toContain(name);
    const { fake, grant } = grantOf();
    expect((await failure(grant.request(undefined, context({ target: { params } })))).code).toBe('invalid_option');
    expect(fake.requests).toHaveLength(0);
  });

  it.each([{ x: '' }, { x: 5 }, { '': 'x' }, { 'a\nb': 'x' }, ['x'], 'x=1', null])('refuses the free parameters %j [P1]', (params) => {
    expect(thrown(() => grantOf({ params: params as Record<string, string> })).code).toBe('invalid_option');
  });

  it('cannot be turned into a password grant [G15]', () => {
    for (const grant_type of ['password', 'implicit'])
      expect(thrown(() => grantOf({ params: { grant_type, username: 'a', password: 'b' } })).message).toContain('grant_type');
  });

  it.each([
    ['http://as.example/token', false],
    ['http://10.0.0.5/token', false],
    ['ftp://as.example/token', false],
    ['/token', false],
    ['https://as.example/token#part', false],
    ['https://as.example/token#', false],
    ['https://user:pass@as.example/token', false],
    ['http://localhost.evil.example/token', false],
    ['https://as.example/token', true],
    ['https://as.example/token?p=policy', true],
    ['http://localhost:8080/token', true],
    ['http://127.0.0.1/token', true],
    ['http://127.9.9.9/token', true],
    ['http://[::1]:9/token', true],
    ['http://tokens.internal:8080/token', true],
  ])('takes the endpoint %s: %s [P2]', async (endpoint, isGood) => {
    const make = () => grantOf({ server: { issuer, token_endpoint: endpoint }, allowInsecureHttp: ['http://tokens.internal:8080'] });
    if (!isGood) {
      expect(thrown(make).message).toContain('server.token_endpoint');
      return;
    }
    const { fake, grant } = make();
    await grant.request(undefined, context());
    expect(fake.requests[0]?.url).toBe(endpoint);
  });

  it('puts no credential and no token in a URL, revocation included [P3]', async () => {
    const fake = fakeServer(json(good));
    for (const way of [clientSecretBasic('planted-secret'), clientSecretPost('planted-secret')]) {
      const grant = refreshToken({ server, clientId: 'svc', auth: way, fetch: fake.fetch, refreshToken: 'planted-refresh' });
      const tokens = await grant.request(undefined, context());
      await grant.revoke?.({ ...tokens, refreshToken: 'planted-refresh' }, context());
    }
    expect(fake.requests.length).toBeGreaterThanOrEqual(6);
    for (const { url } of fake.requests) expect(url).not.toMatch(/planted|at-1|\?/);
  });

  it('goes through the fetch that was given, called bare with a plain URL and plain headers [complaint 7]', async () => {
    vi.stubGlobal('fetch', () => {
      throw new Error('the global fetch must not be used');
    });
    let seen: unknown[] = [];
    let self: unknown = 'unset';
    const given = function (this: unknown, ...args: unknown[]) {
      self = this;
      seen = args;
      return Promise.resolve(json(good)());
    } as typeof fetch;
    await clientCredentials({ server, clientId: 'svc', auth, fetch: given }).request(undefined, context());
    expect(self).toBeUndefined();
    expect(seen[0]).toBe(server.token_endpoint);
    expect(seen[1]).toMatchObject({ headers: { authorization: expect.stringMatching(/^Basic /) }, body: 'grant_type=client_credentials' });
  });

  it('looks the global fetch up when it sends, not before [complaint 7]', async () => {
    const grant = clientCredentials({ server, clientId: 'svc', auth });
    const fake = fakeServer(json(good));
    vi.stubGlobal('fetch', fake.fetch);
    await grant.request(undefined, context());
    expect(fake.requests).toHaveLength(1);
  });

  it('gives equal ids to grants that ask for the same in another order, others to the rest, and no secret to any [S6]', () => {
    const id = (options: Partial<ClientCredentialsOptions>) => grantOf(options).grant.id;
    const base = id({ scope: 'a b', resource: ['https://a.example/', 'https://b.example/'], params: { x: '1', y: '2' } });
    expect(id({ scope: ['b', 'a', 'b'], resource: ['https://b.example/', 'https://a.example/'], params: { y: '2', x: '1' } })).toBe(base);
    const others = [
      {},
      { scope: 'a' },
      { scope: 'ab' },
      { audience: 'a b' },
      { resource: 'https://a.example/' },
      { params: { x: '1' } },
      { clientId: 'other' },
      { server: { ...server, issuer: 'https://other.example' } },
    ];
    expect(new Set([base, ...others.map(id)]).size).toBe(others.length + 1);
    expect(base).not.toContain('s3cret');
  });

  it.each([
    ['neither issuer nor server', { server: undefined }, 'issuer'],
    ['both issuer and server', { issuer }, 'issuer'],
    ['an http issuer', { server: undefined, issuer: 'http://as.example' }, 'issuer'],
    ['an issuer with a query', { server: undefined, issuer: 'https://as.example?x' }, 'issuer'],
    ['an issuer with a fragment', { server: undefined, issuer: 'https://as.example#' }, 'issuer'],
    ['an issuer that is no URL', { server: undefined, issuer: 'as.example' }, 'issuer'],
    ['a server without issuer', { server: { token_endpoint: 'https://as.example/token' } }, 'server.issuer'],
    ['a server without token endpoint', { server: { issuer } }, 'server.token_endpoint'],
    ['an insecure revocation endpoint', { server: { ...server, revocation_endpoint: 'http://as.example/r' } }, 'server.revocation_endpoint'],
    ['an empty client id', { clientId: '' }, 'clientId'],
    ['a client id with a line break', { clientId: 'a\nb' }, 'clientId'],
    ['an auth that is a string', { auth: 's3cret' }, 'auth'],
    ['a fetch that is none', { fetch: {} }, 'fetch'],
    ['a misspelt option', { clientID: 'svc' }, 'clientID'],
    ['an insecure origin with a path', { allowInsecureHttp: ['http://a.example/x'] }, 'allowInsecureHttp'],
    ['an empty scope', { scope: '' }, 'scope'],
    ['a scope with quotes', { scope: 'a"b' }, 'scope'],
    ['a relative resource', { resource: '/api' }, 'resource'],
    ['a resource with a fragment', { resource: 'https://a.example/#x' }, 'resource'],
    ['an empty audience', { audience: '' }, 'audience'],
    ['an unknown preset field', { preset: { rotate: 'always' } }, 'rotate'],
    ['a preset that is a name', { preset: 'github' }, 'preset'],
    ['a preset field of a wrong value', { preset: { rotation: 'sometimes' } }, 'preset.rotation'],
    ['a preset status outside 2xx', { preset: { successStatuses: [400] } }, 'preset.successStatuses'],
    ['a preset lifetime of 0', { preset: { expiresIn: { unknownLifetimeMs: 0 } } }, 'preset.expiresIn'],
    ['a preset code mapped to success', { preset: { codeMap: { x: 'ok' } } }, 'preset.codeMap'],
    ['a preset type mapped to mac', { preset: { tokenTypeMap: { bot: 'mac' } } }, 'preset.tokenTypeMap'],
    ['a preset map that is a number', { preset: { codeMap: 5 } }, 'preset.codeMap'],
    ['a preset list that is a word', { preset: { rawMembers: 'x' } }, 'preset.rawMembers'],
    ['a preset switch that is a word', { preset: { expHint: 'false' } }, 'preset.expHint'],
    ['an unknown member of a preset', { preset: { expiresIn: { zero: 'unknown' } } }, 'zero'],
    ['a preset origin that is a host', { preset: { endpointOrigins: ['a.example'] } }, 'preset.endpointOrigins'],
  ])('refuses %s at construction and names it [R13]', (_name, options, named) => {
    const error = thrown(() => grantOf(options as Partial<ClientCredentialsOptions>));
    expect(error).toMatchObject({ code: 'invalid_option', kind: 'configuration', phase: 'options' });
    expect(error.message).toContain(named);
  });
});
