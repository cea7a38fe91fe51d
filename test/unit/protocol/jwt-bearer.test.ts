import { inspect } from 'node:util';
import { decodeJwt, decodeProtectedHeader, importJWK, jwtVerify } from 'jose';
import { clientSecretBasic, clientSecretPost, type JwtBearerOptions, jwtBearer, none } from 'tokenkeep';
import { fakeAuthorizationServer, virtualClock } from 'tokenkeep/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { leaks, shown } from '../core/leaks.js';
import { watched } from '../manager/support.js';
import { type TestKey, testKey } from './signing.js';
import { type Answer, context, failure, fakeServer, good, json, server, standingClock, thrown } from './wire.js';

const grantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const robot = 'robot@project.iam.gserviceaccount.com';
let key: TestKey;
beforeAll(async () => {
  key = await testKey('RS256');
});

function grantOf(options: Partial<JwtBearerOptions> = {}, ...answers: Answer[]) {
  const fake = fakeServer(...(answers.length > 0 ? answers : [json(good)]));
  const assertions = (): string[] => fake.requests.map(({ body }) => body.get('assertion') ?? '');
  return {
    fake,
    assertions,
    grant: jwtBearer({ server, clientId: robot, ...('assertion' in options ? {} : { key: key.pem }), fetch: fake.fetch, ...options }),
  };
}

describe('the JWT bearer grant', () => {
  it('sends an assertion of its own, signed, for the issuer, good for five minutes, and nothing else of the client [G8]', async () => {
    const { fake, assertions, grant } = grantOf({ kid: 'k1', scope: 'a b' });
    const given = context();
    await grant.request(undefined, given);
    const [assertion = ''] = assertions();
    const currentDate = new Date(given.clock.time);
    const { payload, protectedHeader } = await jwtVerify(assertion, await importJWK(key.publicJwk), { currentDate });
    const iat = Math.floor(given.clock.time / 1000);
    expect(payload).toEqual({ iss: robot, aud: server.issuer, iat, exp: iat + 300, jti: expect.stringMatching(/^[\w-]{22}$/) });
    expect(protectedHeader).toEqual({ alg: 'RS256', kid: 'k1', typ: 'JWT' });
    expect([...(fake.requests[0]?.body.keys() ?? [])].toSorted()).toEqual(['assertion', 'grant_type', 'scope']);
    expect(fake.requests[0]?.body.get('grant_type')).toBe(grantType);
    expect(fake.requests[0]?.headers.has('authorization')).toBe(false);
  });

  it('is for the token endpoint, with a subject, an hour and the scope inside, where the server wants it so [G8]', async () => {
    const { fake, assertions, grant } = grantOf({
      preset: { assertionAudience: 'token_endpoint' },
      subject: 'person@example.com',
      expiresInMs: 3_600_000,
      scope: 'https://www.googleapis.com/auth/drive',
      scopeIn: 'assertion',
      claims: { target_audience: 'https://service.example' },
    });
    const tokens = await grant.request(undefined, context());
    const claims = decodeJwt(assertions()[0] ?? '');
    expect(claims).toMatchObject({
      aud: server.token_endpoint,
      sub: 'person@example.com',
      scope: 'https://www.googleapis.com/auth/drive',
      target_audience: 'https://service.example',
    });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(3600);
    expect(fake.requests[0]?.body.has('scope')).toBe(false);
    expect(tokens.scope).toEqual(['https://www.googleapis.com/auth/drive']);
  });

  it('puts the scope of a target into the assertion for that target [R1] [G8]', async () => {
    const { assertions, grant } = grantOf({ scope: 'a', scopeIn: 'assertion' });
    await grant.request(undefined, context({ target: { scope: 'b c' } }));
    expect(decodeJwt(assertions()[0] ?? '')['scope']).toBe('b c');
  });

  it('makes a new assertion for every request [G8]', async () => {
    const { assertions, grant } = grantOf();
    for (let turn = 0; turn < 3; turn++) await grant.request(undefined, context());
    expect(new Set(assertions().map((assertion) => decodeJwt(assertion).jti)).size).toBe(3);
  });

  it.each(['ES256', 'PS256', 'EdDSA'] as const)('signs with %s, from PEM, JWK and CryptoKey [G8] [P9]', async (alg) => {
    const { pem, jwk, cryptoKey } = await testKey(alg);
    for (const form of [pem, jwk, cryptoKey]) {
      const { assertions, grant } = grantOf({ key: form, alg });
      await grant.request(undefined, context());
      expect(decodeProtectedHeader(assertions()[0] ?? '').alg).toBe(alg);
    }
  });

  it('asks a function for the key at every request, so that it may change [G8]', async () => {
    const other = await testKey('ES256');
    const keys = [key.pem, other.jwk];
    const { assertions, grant } = grantOf({ key: () => keys.shift() ?? other.jwk });
    await grant.request(undefined, context());
    await grant.request(undefined, context());
    expect(assertions().map((assertion) => decodeProtectedHeader(assertion).kid)).toEqual([undefined, 'ES256-1']);
  });

  it('corrects the date once when the server says that its clock is another one [G8] [E13]', async () => {
    const clock = standingClock();
    const date = new Date(clock.time + 600_000).toUTCString();
    const { assertions, grant } = grantOf({}, json({ error: 'invalid_grant' }, 400, { date }), json(good, 200, { date }));
    await expect(grant.request(undefined, context({ clock }))).resolves.toHaveProperty('accessToken', 'at-1');
    const [first = 0, second = 0] = assertions().map((assertion) => decodeJwt(assertion).iat);
    expect(second - first).toBe(600);
    const hopeless = grantOf({}, json({ error: 'invalid_grant' }, 400, { date }));
    expect(await failure(hopeless.grant.request(undefined, context({ clock })))).toMatchObject({ code: 'grant_rejected' });
    expect(hopeless.fake.requests).toHaveLength(2);
  });

  it('calls a refused assertion a wrong setting, not an ended session [R10] [G8]', async () => {
    const { fake, grant } = grantOf({}, json({ error: 'invalid_grant', error_description: 'Invalid JWT Signature.' }, 400));
    expect(await failure(grant.request(undefined, context()))).toMatchObject({ code: 'grant_rejected', kind: 'configuration', oauthError: 'invalid_grant' });
    expect(fake.requests).toHaveLength(1);
  });

  it('ignores a refresh token in the answer [R28] [G8]', async () => {
    const { grant } = grantOf({}, json({ ...good, refresh_token: 'rt-1', id_token: 'a.b.c' }));
    const tokens = await grant.request(undefined, context());
    expect(tokens).not.toHaveProperty('refreshToken');
    expect(tokens).not.toHaveProperty('idToken');
    expect(grant.renews).toBe('regrant');
  });

  it('acts on behalf of a user with the parameters that Entra asks for, and authenticates as it is told [G7]', async () => {
    const userTokens = ['user-token-1', 'user-token-2'];
    const { fake, grant } = grantOf({
      clientId: 'middle-tier',
      auth: clientSecretPost('s3cret-value'),
      assertion: async () => userTokens.shift() ?? '',
      scope: 'https://graph.microsoft.com/.default',
      params: { requested_token_use: 'on_behalf_of' },
    });
    await grant.request(undefined, context());
    await grant.request(undefined, context());
    expect(Object.fromEntries(fake.requests[0]?.body ?? [])).toEqual({
      grant_type: grantType,
      client_id: 'middle-tier',
      client_secret: 's3cret-value',
      assertion: 'user-token-1',
      requested_token_use: 'on_behalf_of',
      scope: 'https://graph.microsoft.com/.default',
    });
    expect(fake.requests[1]?.body.get('assertion')).toBe('user-token-2');
  });

  it('asks for a new sign-in where the server wants the user, as the preset or the error word says [G7] [R10]', async () => {
    const { grant } = grantOf(
      { assertion: () => 'user-token', preset: { codeMap: { '50076': 'interaction_required' } } },
      json({ error: 'invalid_grant', error_codes: [50076], claims: '{}' }, 400),
    );
    expect(await failure(grant.request(undefined, context()))).toMatchObject({ code: 'interaction_required', kind: 'interaction' });
  });

  it('does not warn of authentication methods where it does not authenticate, and does where it does [P5]', async () => {
    const listed = { ...server, token_endpoint_auth_methods_supported: ['client_secret_post'] };
    const quiet = context();
    await grantOf({ server: listed }).grant.request(undefined, quiet);
    expect(quiet.events).toEqual([]);
    const warned = context();
    await grantOf({ server: listed, auth: clientSecretBasic('secret') }).grant.request(undefined, warned);
    expect(warned.events).toMatchObject([{ type: 'warning', code: 'auth_method_not_listed' }]);
  });

  it('sends the client id with none(), and not when it is left out [G8]', async () => {
    const { fake, grant } = grantOf({ auth: none() });
    await grant.request(undefined, context());
    expect(fake.requests[0]?.body.get('client_id')).toBe(robot);
  });

  it('has an id that tells settings apart, and an identity that tells users apart [R1] [G8]', async () => {
    const id = (options: Partial<JwtBearerOptions>): string => grantOf(options).grant.id;
    expect(id({})).toBe(id({}));
    expect(new Set([id({}), id({ subject: 'a' }), id({ subject: 'b' }), id({ claims: { a: 1 } }), id({ scope: 'a' })]).size).toBe(5);
    const identity = (options: Partial<JwtBearerOptions>) => grantOf({ assertion: () => 'user', ...options }).grant.identity?.();
    expect(await identity({ id: 'anna' })).toBe(await identity({ id: 'anna' }));
    expect(await identity({ id: 'anna' })).not.toBe(await identity({ id: 'bert' }));
    expect(await identity({})).not.toBe(await identity({}));
  });

  const refused: readonly [string, object, string][] = [
    ['neither a key nor an assertion', { key: undefined }, 'key'],
    ['both', { assertion: () => 'a' }, 'key'],
    ['an assertion that is a string', { key: undefined, assertion: 'token' }, 'assertion'],
    ['a subject beside an assertion made elsewhere', { key: undefined, assertion: () => 'a', subject: 's' }, 'subject'],
    ['a key id beside an assertion made elsewhere', { key: undefined, assertion: () => 'a', kid: 's' }, 'kid'],
    ['an id beside a key', { id: 'me' }, 'id'],
    ['two hours', { expiresInMs: 7_200_000 }, 'expiresInMs'],
    ['no time at all', { expiresInMs: 0 }, 'expiresInMs'],
    ['text for a time', { expiresInMs: '300000' }, 'expiresInMs'],
    ['claims that the protocol sets', { claims: { iss: 'me' } }, 'claims.iss'],
    ['claims that are a list', { claims: [] }, 'claims'],
    ['an empty subject', { subject: '' }, 'subject'],
    ['another place for the scope', { scopeIn: 'header' }, 'scopeIn'],
    ['a key that is none', { key: 'not a key canary-5f0e' }, 'key'],
    ['an algorithm with a shared secret', { alg: 'HS256' }, 'alg'],
    ['a parameter that it sets itself', { params: { assertion: 'x' } }, 'params.assertion'],
    ['an option that it does not have', { privateKey: 'canary-5f0e' }, 'privateKey'],
  ];
  it.each(refused)('refuses %s at construction', (_, options, named) => {
    const error = thrown(() => Reflect.apply(jwtBearer, undefined, [{ server, clientId: 'a', key: key.pem, ...options }]));
    expect(error.code).toBe('invalid_option');
    expect(error.message).toContain(named);
    expect(error.message).not.toContain('canary-5f0e');
  });

  const failing: readonly [string, () => string | Promise<string>, string][] = [
    ['throws', () => Promise.reject(new Error('canary-5f0e')), 'grant_failed'],
    ['gives nothing', () => '', 'invalid_option'],
    ['gives a token with a line end', () => 'canary-5f0e\n', 'invalid_option'],
  ];
  it.each(failing)('says so when the function that gives the assertion %s, and sends nothing [S6]', async (_, assertion, code) => {
    const { fake, grant } = grantOf({ key: undefined, assertion });
    const error = await failure(grant.request(undefined, context()));
    expect(error.code).toBe(code);
    expect(leaks(shown(error), ['canary-5f0e'])).toEqual([]);
    expect(fake.requests).toHaveLength(0);
  });

  it('shows neither the assertion nor the key, whatever is echoed [S6] [S7]', async () => {
    const sent: string[] = [];
    const echo: Answer = ({ body }) => {
      sent.push(body.get('assertion') ?? '');
      return json({ error: 'invalid_grant', error_description: `bad assertion ${body.get('assertion')}` }, 400)();
    };
    const { grant } = grantOf({ assertion: () => 'opaque-user-token-canary' }, echo);
    const signed = grantOf({}, echo);
    const errors = [await failure(grant.request(undefined, context())), await failure(signed.grant.request(undefined, context()))];
    const secretPart = key.pem.split('\n').slice(1, -2).join('');
    for (const output of [...errors.map(shown), inspect(signed.grant, { depth: 10, showHidden: true }), signed.grant.id])
      expect(leaks(output, [...sent.flatMap((assertion) => assertion.split('.').slice(-1)), 'opaque-user-token-canary', secretPart])).toEqual([]);
    expect(sent).toHaveLength(2);
  });
});

describe('the JWT bearer grant against the fake server', () => {
  it('is renewed by a new assertion, with a signature that holds [G8] [R28]', async () => {
    const clock = virtualClock();
    const fake = fakeAuthorizationServer({
      clock,
      assertionIssuers: { [robot]: key.publicJwk },
      knobs: { bearerAudience: 'token_endpoint', bearerLeewayMs: 0 },
    });
    const grant = jwtBearer({
      server: fake.metadata,
      clientId: robot,
      key: key.jwk,
      scope: 'drive',
      scopeIn: 'assertion',
      preset: { assertionAudience: 'token_endpoint' },
      fetch: fake.fetch,
    });
    const { tokens } = watched({ grant, clock });
    const first = await settled(clock, tokens.getToken());
    expect(first.scope).toEqual(['drive']);
    await clock.advance(3_600_000);
    const second = await settled(clock, tokens.getToken());
    expect(second.value).not.toBe(first.value);
    expect(fake.tokenRequests).toBe(2);
    await tokens.dispose();
  });

  it.each([
    ['another key', async () => ({ key: (await testKey('RS256')).jwk })],
    ['another audience', async () => ({ preset: {} })],
    ['a stranger', async () => ({ clientId: 'stranger' })],
  ])('is refused with %s [G8]', async (_, change) => {
    const fake = fakeAuthorizationServer({ assertionIssuers: { [robot]: key.publicJwk }, knobs: { bearerAudience: 'token_endpoint' } });
    const grant = jwtBearer({
      server: fake.metadata,
      clientId: robot,
      key: key.jwk,
      preset: { assertionAudience: 'token_endpoint' },
      fetch: fake.fetch,
      ...(await change()),
    });
    const now = Date.now();
    expect(await failure(grant.request(undefined, context({ clock: standingClock(now) })))).toMatchObject({ code: 'grant_rejected' });
  });

  it('heals a clock that is ten minutes wrong with one more request, and then needs none [E13] [G8] [gap 10]', async () => {
    const clock = virtualClock();
    const fake = fakeAuthorizationServer({ clock, assertionIssuers: { [robot]: key.publicJwk } });
    const grant = jwtBearer({ server: fake.metadata, clientId: robot, key: key.jwk, fetch: fake.fetch });
    const { tokens } = watched({ grant, clock });
    clock.jumpWall(-600_000);
    await settled(clock, tokens.getToken());
    expect(fake.tokenRequests).toBe(2);
    await clock.advance(3_600_000);
    await settled(clock, tokens.getToken());
    expect(fake.tokenRequests).toBe(3);
    await tokens.dispose();
  });
});

// Signing takes turns of the event loop that a virtual clock does not know of.
async function settled<T>(clock: ReturnType<typeof virtualClock>, promise: Promise<T>): Promise<T> {
  let over = false;
  const end = (): void => {
    over = true;
  };
  promise.then(end, end);
  while (!over) {
    await clock.advance(0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return promise;
}
