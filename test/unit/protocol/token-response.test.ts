import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Preset } from '../../../src/core/preset.js';
import type { TokenSet } from '../../../src/core/token-set.js';
import type { TokenTarget } from '../../../src/core/token-source.js';
import { clientSecretBasic } from '../../../src/protocol/client-auth/client-auth.js';
import { clientCredentials } from '../../../src/protocol/grants/client-credentials.js';
import { parseExpiresIn } from '../../../src/protocol/wire/to-token-set.js';
import { context, failure, fakeServer, good, json, server, standingClock, type TestContext, text } from './wire.js';

const auth = clientSecretBasic('s3cret');

interface Given {
  readonly preset?: Preset;
  readonly target?: TokenTarget;
  readonly context?: TestContext;
}

function request(answer: () => Response, given: Given = {}): Promise<TokenSet> {
  const fake = fakeServer(answer);
  const grant = clientCredentials({ server, clientId: 'svc', auth, fetch: fake.fetch, preset: given.preset });
  return grant.request(undefined, given.context ?? context(given.target === undefined ? {} : { target: given.target }));
}

function jwt(claims: object): string {
  const part = (value: object) => btoa(JSON.stringify(value)).replaceAll('=', '').replaceAll('+', '-').replaceAll('/', '_');
  return `${part({ alg: 'none' })}.${part(claims)}.c2ln`;
}

const without = (member: keyof typeof good) => Object.fromEntries(Object.entries(good).filter(([name]) => name !== member));

describe('what counts as success', () => {
  it.each([
    ['204 without a body', () => new Response(null, { status: 204 })],
    ['200 with HTML', text('<html>portal</html>')],
    ['200 with nothing', text('')],
    ['200 with an array', json([good])],
    ['200 with null', json(null)],
    ['200 with a string', json('x')],
    ['200 with truncated JSON', text('{"access_token":"at-1","tok', 200, { 'content-type': 'application/json' })],
    [
      '200 with JSON nested 17 deep',
      text(`{"a":${'['.repeat(16)}${']'.repeat(16)},"access_token":"a","token_type":"Bearer"}`, 200, { 'content-type': 'application/json' }),
    ],
    ['200 with JSON nested 100000 deep', text(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 200, { 'content-type': 'application/json' })],
    ['403 with HTML', text('<h1>blocked</h1>', 403)],
  ])('takes %s as a transient accident [P14] [S12] [R10]', async (_name, answer) => {
    expect(await failure(request(answer))).toMatchObject({ code: 'invalid_response', kind: 'transient', phase: 'token' });
  });

  it('reads JSON that is nested 16 deep [S12]', async () => {
    const body = `{"a":${'['.repeat(15)}${']'.repeat(15)},"access_token":"a","token_type":"Bearer"}`;
    await expect(request(text(body, 200, { 'content-type': 'application/json' }))).resolves.toMatchObject({ accessToken: 'a' });
  });

  it('takes 201 only where the preset says so [P14]', async () => {
    expect(await failure(request(json(good, 201)))).toMatchObject({ code: 'unexpected_status', kind: 'configuration', status: 201 });
    await expect(request(json(good, 201), { preset: { successStatuses: [200, 201] } })).resolves.toMatchObject({ accessToken: 'at-1' });
  });

  it('takes a token only from what says that it is JSON [P14]', async () => {
    const body = JSON.stringify(good);
    expect(await failure(request(text(body, 200, { 'content-type': 'text/html' })))).toMatchObject({ code: 'unacceptable_response', kind: 'configuration' });
    for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON', 'application/vnd.as+json']) {
      await expect(request(text(body, 200, { 'content-type': type }))).resolves.toMatchObject({ accessToken: 'at-1' });
    }
    await expect(request(text(`\ufeff${body}`, 200, { 'content-type': 'application/json' }))).resolves.toMatchObject({ accessToken: 'at-1' });
  });

  it('reads form-encoded answers only where the preset says so [P14]', async () => {
    const form = text('access_token=at-1&token_type=bearer&scope=repo%2Cuser&expires_in=60', 200, { 'content-type': 'application/x-www-form-urlencoded' });
    expect(await failure(request(form))).toMatchObject({ code: 'invalid_response' });
    const preset: Preset = { responseFormat: 'form', scopeSeparator: 'comma' };
    await expect(request(form, { preset })).resolves.toMatchObject({ accessToken: 'at-1', scope: ['repo', 'user'], lifetimeMs: 60_000 });
    const error = await failure(request(text('error=bad_verification_code', 200, { 'content-type': 'application/x-www-form-urlencoded' }), { preset }));
    expect(error.oauthError).toBe('bad_verification_code');
    expect(await failure(request(text('<html>', 200), { preset }))).toMatchObject({ code: 'invalid_response' });
    await expect(request(json(good), { preset })).resolves.toMatchObject({ accessToken: 'at-1' });
  });
});

describe('the members of a token response', () => {
  it.each(['', ' ', 'a b', 'a\r\nx: y', 'a\tb', 'é', 'a\u0000', 5, null, {}, ['a']])(
    'refuses the access token %j and never shows it [P16] [S9]',
    async (accessToken) => {
      const error = await failure(request(json({ ...good, access_token: accessToken })));
      expect(error).toMatchObject({ code: 'unacceptable_response', kind: 'configuration' });
      if (typeof accessToken === 'string' && accessToken.trim().length > 2) expect(error.message).not.toContain(accessToken);
    },
  );

  it('refuses an answer without an access token, and takes one with an exclamation mark [P14] [P16]', async () => {
    expect(await failure(request(json(without('access_token'))))).toMatchObject({ code: 'unacceptable_response' });
    await expect(request(json({ ...good, access_token: '00D!AQ~x' }))).resolves.toMatchObject({ accessToken: '00D!AQ~x' });
  });

  it.each([
    ['bearer', 'Bearer'],
    ['BEARER', 'Bearer'],
    ['Bearer', 'Bearer'],
    ['dpop', 'DPoP'],
    ['DPoP', 'DPoP'],
    ['mac', undefined],
    ['bot', undefined],
    ['constructor', undefined],
    ['__proto__', undefined],
    ['', undefined],
    [null, undefined],
    [7, undefined],
  ])('reads the token type %j as %s [P17]', async (type, expected) => {
    const answer = request(json({ ...good, token_type: type }));
    if (expected === undefined) expect(await failure(answer)).toMatchObject({ code: 'unacceptable_response' });
    else await expect(answer).resolves.toMatchObject({ tokenType: expected });
  });

  it('lets a preset stand in for a missing or odd token type [P17]', async () => {
    expect(await failure(request(json(without('token_type'))))).toMatchObject({ code: 'unacceptable_response' });
    await expect(request(json(without('token_type')), { preset: { tokenTypeDefault: 'Bearer' } })).resolves.toMatchObject({ tokenType: 'Bearer' });
    await expect(request(json({ ...good, token_type: 'BOT' }), { preset: { tokenTypeMap: { bot: 'Bearer' } } })).resolves.toMatchObject({
      tokenType: 'Bearer',
    });
  });

  it.each([
    [3600, 3_600_000],
    ['3600', 3_600_000],
    [' 3600 ', 3_600_000],
    ['3599.9', 3_599_000],
    [3599.9, 3_599_000],
    [0, 0],
    ['0', 0],
    [315_360_001, 315_360_000_000],
    ['9'.repeat(400), 315_360_000_000],
    [-1, undefined],
    ['-1', undefined],
    ['', undefined],
    [null, undefined],
    ['NaN', undefined],
    ['3600abc', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    ['1.', undefined],
    [{}, undefined],
    [[3600], undefined],
    [true, undefined],
  ])('reads expires_in %j as %s milliseconds, and warns when it says nothing [P19] [E6]', async (expiresIn, expected) => {
    const given = context();
    const tokens = await request(json({ ...good, expires_in: expiresIn }), { context: given });
    expect(tokens.lifetimeMs).toBe(expected);
    expect(given.events.map((event) => event.type === 'warning' && event.code)).toEqual(expected === undefined ? ['lifetime_unknown'] : []);
  });

  it('takes an absent expires_in as unknown, and a preset for it where there is one [P19] [E6]', async () => {
    const given = context();
    expect((await request(json(without('expires_in')), { context: given })).lifetimeMs).toBeUndefined();
    expect(given.events).toMatchObject([{ type: 'warning', code: 'lifetime_unknown' }]);
    const preset: Preset = { expiresIn: { unknownLifetimeMs: 7_200_000 } };
    const other = context();
    expect((await request(json(without('expires_in')), { preset, context: other })).lifetimeMs).toBe(7_200_000);
    expect(other.events).toEqual([]);
  });

  it('takes 0 as expired on arrival, or as unknown where the preset says so [E7] [P19]', async () => {
    expect((await request(json({ ...good, expires_in: 0 }))).lifetimeMs).toBe(0);
    expect((await request(json({ ...good, expires_in: 0 }), { preset: { expiresIn: { zeroMeans: 'unknown' } } })).lifetimeMs).toBeUndefined();
  });

  it('never gives a negative, fractional or endless lifetime [P19]', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.string(), fc.integer(), fc.jsonValue(), fc.double().map(String)), (value) => {
        const lifetime = parseExpiresIn(value);
        expect(lifetime === undefined || (Number.isInteger(lifetime) && lifetime >= 0 && lifetime <= 315_360_000_000)).toBe(true);
      }),
    );
  });

  it('counts from the moment the request went out [E1]', async () => {
    const clock = standingClock();
    const start = clock.time;
    const fake = fakeServer(() => {
      clock.time += 5000;
      return json(good)();
    });
    const tokens = await clientCredentials({ server, clientId: 'svc', auth, fetch: fake.fetch }).request(undefined, context({ clock }));
    expect(tokens.sentAt).toBe(start);
    expect(tokens.lifetimeMs).toBe(3_600_000);
  });

  it('does not count the time that a secret function takes before anything is sent [E1]', async () => {
    const clock = standingClock();
    const start = clock.time;
    const slow = clientSecretBasic(async () => {
      clock.time += 7000;
      return 's';
    });
    const tokens = await clientCredentials({ server, clientId: 'svc', auth: slow, fetch: fakeServer(json(good)).fetch }).request(undefined, context({ clock }));
    expect(tokens.sentAt).toBe(start + 7000);
  });

  it.each([
    ['exp - iat 3895', { iat: 1_000_000, nbf: 1_000_295, exp: 1_003_895 }],
    ['exp - iat 8374', { iat: 1_000_000, nbf: 1_004_774, exp: 1_008_374 }],
    ['no iat', { nbf: 1_000_000, exp: 1_009_996 }],
  ])('goes by expires_in whatever the token itself says: %s [E11] [E12]', async (_name, claims) => {
    expect((await request(json({ ...good, access_token: jwt(claims) }))).lifetimeMs).toBe(3_600_000);
  });

  it("goes by the token's own exp only where expires_in says nothing, and for a day at most [E12]", async () => {
    const nowSeconds = standingClock().time / 1000;
    const lifetimeOf = async (claims: object, preset: Preset = {}) =>
      (await request(json({ ...without('expires_in'), access_token: jwt(claims) }), { preset })).lifetimeMs;
    expect(await lifetimeOf({ exp: nowSeconds + 600 })).toBe(600_000);
    expect(await lifetimeOf({ exp: nowSeconds + 30 * 86_400 })).toBe(86_400_000);
    expect(await lifetimeOf({ exp: nowSeconds - 600 })).toBe(0);
    expect(await lifetimeOf({ exp: '12' })).toBeUndefined();
    expect(await lifetimeOf({})).toBeUndefined();
    expect(await lifetimeOf({ exp: nowSeconds + 600 }, { expiresIn: { unknownLifetimeMs: 5 } })).toBe(600_000);
  });

  it('reads nothing out of an encrypted or malformed token [E12]', async () => {
    for (const token of ['a.b.c.d.e', 'a.b.c', '..', jwt({ exp: 9e9 }).split('.').slice(0, 2).join('.')]) {
      expect((await request(json({ ...without('expires_in'), access_token: token }))).lifetimeMs).toBeUndefined();
    }
  });

  it('lets exp shorten a known lifetime by preset, and never lengthen it [E12]', async () => {
    const nowSeconds = standingClock().time / 1000;
    const lifetimeOf = async (exp: number, preset: Preset = {}) => (await request(json({ ...good, access_token: jwt({ exp }) }), { preset })).lifetimeMs;
    expect(await lifetimeOf(nowSeconds + 60)).toBe(3_600_000);
    expect(await lifetimeOf(nowSeconds + 60, { expHint: true })).toBe(60_000);
    expect(await lifetimeOf(nowSeconds + 7200, { expHint: true })).toBe(3_600_000);
  });

  it.each<[unknown, string | undefined, readonly string[], Preset?]>([
    ['a b', 'a b', ['a', 'b']],
    ['b a', 'a b', ['b', 'a']],
    [['a', 'b'], 'a b', ['a', 'b']],
    [['a b', 'c'], undefined, ['a', 'b', 'c']],
    [undefined, 'a b', ['a', 'b']],
    [null, 'a b', ['a', 'b']],
    [undefined, undefined, []],
    ['', undefined, []],
    ['', 'a b', []],
    ['a,b', undefined, ['a,b']],
    ['a,b', undefined, ['a', 'b'], { scopeSeparator: 'comma' }],
    ['a, b', undefined, ['a', 'b'], { scopeSeparator: 'comma' }],
    ['a  a', undefined, ['a']],
    [7, 'a', ['a']],
  ])('reads the scope %j, asked for %j, as %j [P20]', async (scope, asked, expected, preset = {}) => {
    const answer = request(json({ ...good, scope }), { preset, target: asked === undefined ? {} : { scope: asked } });
    expect((await answer).scope).toEqual(expected);
  });

  it('raises scope_narrowed when less is granted than was asked for, and not otherwise [P20]', async () => {
    for (const [scope, narrowed] of [
      ['a', true],
      ['', true],
      ['b a', false],
      ['a b c', false],
      [undefined, false],
    ] as const) {
      const given = context({ target: { scope: 'a b' } });
      const tokens = await request(json({ ...good, scope }), { context: given });
      expect(given.events).toEqual(narrowed ? [{ type: 'scope_narrowed', requested: ['a', 'b'], granted: tokens.scope }] : []);
    }
  });

  it('ignores a refresh token and an ID token where the grant is simply made again [R28] [G1]', async () => {
    const tokens = await request(json({ ...good, refresh_token: 'rt', id_token: 'x.y.z' }));
    expect(tokens).not.toHaveProperty('refreshToken');
    expect(tokens).not.toHaveProperty('idToken');
  });

  it.each([
    [7 * 1024, 'quiet'],
    [7 * 1024 + 1, 'warned'],
    [64 * 1024, 'warned'],
    [64 * 1024 + 1, 'refused'],
  ])('handles an access token of %i characters: %s [P24]', async (length, outcome) => {
    const given = context();
    const answer = request(json({ ...good, access_token: 'x'.repeat(length) }), { context: given });
    if (outcome === 'refused') expect(await failure(answer)).toMatchObject({ code: 'unacceptable_response' });
    else await answer;
    expect(given.events.filter((event) => event.type === 'warning' && event.code === 'large_token')).toHaveLength(outcome === 'warned' ? 1 : 0);
  });

  it('ignores 50 further members and copies nothing into prototypes [P30] [P29] [S12]', async () => {
    const extra = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`extra_${index}`, index]));
    const body = `{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},${JSON.stringify({ ...good, ...extra }).slice(1)}`;
    const tokens = await request(text(body, 200, { 'content-type': 'application/json' }));
    expect(Object.keys(tokens).sort()).toEqual(['accessToken', 'lifetimeMs', 'scope', 'sentAt', 'tokenType']);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
    expect(Reflect.get(tokens, 'polluted')).toBeUndefined();
  });

  it('takes nothing from a prototype that somebody polluted [P29] [S12]', async () => {
    Object.defineProperty(Object.prototype, 'access_token', { value: 'planted', configurable: true });
    try {
      expect(await failure(request(json(without('access_token'))))).toMatchObject({ code: 'unacceptable_response' });
    } finally {
      Reflect.deleteProperty(Object.prototype, 'access_token');
    }
  });

  it('hands on under raw what the preset lists, without a prototype and frozen [P29]', async () => {
    const preset: Preset = { rawMembers: ['instance_url', '__proto__', 'missing'] };
    const body = `{"__proto__":{"polluted":1},${JSON.stringify({ ...good, instance_url: 'https://x.example' }).slice(1)}`;
    const { raw } = await request(text(body, 200, { 'content-type': 'application/json' }), { preset });
    expect(raw?.['instance_url']).toBe('https://x.example');
    expect(Object.getPrototypeOf(raw)).toBeNull();
    expect(raw?.['polluted']).toBeUndefined();
    expect(Object.isFrozen(raw)).toBe(true);
  });

  it('gives a frozen token set', async () => {
    const tokens = await request(json(good));
    expect(Object.isFrozen(tokens) && Object.isFrozen(tokens.scope)).toBe(true);
  });
});
