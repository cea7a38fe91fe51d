import { base64url, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import type { TokenSet } from '../../../../src/core/token-set.js';
import { clientSecretBasic } from '../../../../src/protocol/client-auth/client-auth.js';
import { validateIdToken } from '../../../../src/protocol/authorization/id-token.js';
import { issueIdToken } from '../../../../src/testing/id-token-issuer.js';
import type { ServerKnobs } from '../../../../src/testing/index.js';
import { failure, standingClock } from '../wire.js';
import { signIn, type World, world } from './support.js';

const nowS = standingClock().time / 1000;
const claims = (idTokenClaims: Readonly<Record<string, unknown>>): Partial<ServerKnobs> => ({ idTokenClaims });

/** Validates a token that the fake server did not make. */
function validate(here: World, idToken: string | undefined, rest: { nonce?: string; maxAgeMs?: number } = {}) {
  const tokens: TokenSet = { accessToken: 'at-1', tokenType: 'Bearer', sentAt: here.clock.time, lifetimeMs: 1, scope: [], idToken };
  return validateIdToken(here.server, tokens, { nonce: rest.nonce ?? 'n', maxAgeMs: rest.maxAgeMs }, here.given);
}

const issue = (here: World, rest: { now?: number; nonce?: string } = {}) =>
  issueIdToken(
    {
      issuer: here.as.issuer,
      clientId: 'app',
      user: 'alice',
      nonce: rest.nonce ?? 'n',
      authTime: here.clock.time,
      accessToken: 'at-1',
      now: rest.now ?? here.clock.time,
    },
    here.as.knobs,
  );

describe('an ID token', () => {
  it.each<[string, Partial<ServerKnobs>]>([
    ['iss', claims({ iss: 'https://as.test/' })],
    ['iss', claims({ iss: 'https://evil.test' })],
    ['iss', claims({ iss: undefined })],
    ['aud', claims({ aud: 'another' })],
    ['aud', claims({ aud: ['another'] })],
    ['aud', claims({ aud: undefined })],
    ['aud', claims({ aud: 'APP' })],
    ['azp', claims({ azp: 'another' })],
    ['azp', claims({ aud: ['app', 'another'] })],
    ['azp', claims({ aud: ['app', 'another'], azp: 'another' })],
    ['sub', claims({ sub: undefined })],
    ['sub', claims({ sub: '' })],
    ['sub', claims({ sub: 5 })],
    ['exp', claims({ exp: nowS - 30 })],
    ['exp', claims({ exp: undefined })],
    ['exp', claims({ exp: 'soon' })],
    ['iat', claims({ iat: undefined })],
    ['iat', claims({ iat: nowS - 631 })],
    ['iat', claims({ iat: nowS + 31 })],
    ['nbf', claims({ nbf: nowS + 31 })],
    ['nonce', claims({ nonce: undefined })],
    ['nonce', claims({ nonce: 'another' })],
    ['nonce', claims({ nonce: null })],
    ['at_hash', claims({ at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' })],
    ['at_hash', claims({ at_hash: '' })],
  ])('is refused for its %s: %j [A21] [A5]', async (claim, knobs) => {
    const error = await failure(signIn(world(knobs)));
    expect(error).toMatchObject({ code: 'id_token_rejected', kind: 'configuration', phase: 'id_token' });
    expect(error.message).toContain(`"${claim}"`);
  });

  it.each<[string, Partial<ServerKnobs>]>([
    ['exp in the last 30 s', claims({ exp: nowS - 29 })],
    ['iat 10 min and 30 s ago', claims({ iat: nowS - 630 })],
    ['iat 30 s ahead', claims({ iat: nowS + 30 })],
    ['several audiences and the client as azp', claims({ aud: ['another', 'app'], azp: 'app' })],
    ['one audience in a list', claims({ aud: ['app'] })],
    ['no at_hash', claims({ at_hash: undefined })],
    ['claims of its own', claims({ tid: 'x', groups: ['a'] })],
  ])('is taken with %s [A22] [A21]', async (_name, knobs) => {
    expect((await signIn(world(knobs))).idTokenClaims?.sub).toBe('alice');
  });

  it('has to be there when it was asked for [A5]', async () => {
    expect(await failure(signIn(world({ idToken: 'never' })))).toMatchObject({ code: 'id_token_rejected' });
  });

  it('of an earlier sign-in is refused when it is played again [A5]', async () => {
    const here = world();
    const { tokens } = await signIn(here);
    here.as.set({ members: { id_token: tokens.idToken } });
    const error = await failure(signIn(here));
    expect(error.message).toContain('"nonce"');
  });

  it.each([
    [0, 30_000, true],
    [0, 31_000, false],
    [60_000, 90_000, true],
    [60_000, 91_000, false],
    [60_999, 90_000, true],
  ])('with maxAgeMs %i and a sign-in %i ms ago: taken %s [A16]', async (maxAgeMs, signedInAgoMs, isTaken) => {
    const signingIn = signIn(world({ signedInAgoMs }), { scope: 'openid', maxAgeMs });
    if (isTaken) await expect(signingIn).resolves.toMatchObject({ idTokenClaims: { sub: 'alice' } });
    else expect((await failure(signingIn)).message).toContain('"auth_time"');
  });

  it.each([undefined, 'today', null])('with an auth_time of %j is refused where an age was asked for, and only there [A16]', async (authTime) => {
    const knobs = claims({ auth_time: authTime });
    expect((await failure(signIn(world(knobs), { scope: 'openid', maxAgeMs: 3_600_000 }))).message).toContain('"auth_time"');
    await expect(signIn(world(knobs))).resolves.toHaveProperty('tokens');
  });
});

describe('the signature of an ID token', () => {
  it.each(['RS256', 'PS256', 'ES256', 'EdDSA'] as const)('by %s is taken where the preset names it; else RS256 alone [A23]', async (idTokenAlgorithm) => {
    const named = world({ idTokenAlgorithm }, { preset: { idTokenAlgorithms: ['ES384', idTokenAlgorithm] } });
    expect((await signIn(named)).idTokenClaims?.sub).toBe('alice');
    const unnamed = signIn(world({ idTokenAlgorithm }));
    if (idTokenAlgorithm === 'RS256') await expect(unnamed).resolves.toHaveProperty('tokens');
    else expect((await failure(unnamed)).message).toContain('idTokenAlgorithms');
  });

  it.each<[string, Partial<ServerKnobs>]>([
    ['alg none', { idTokenSignature: 'none' }],
    ['alg NONE', { idTokenSignature: 'none', idTokenHeader: { alg: 'NONE' } }],
    ['the signature of another key', { idTokenSignature: 'forged' }],
    ['an unknown critical header', { idTokenHeader: { crit: ['exp'], exp: 1 } }],
  ])('is refused with %s [A23] [A21]', async (_name, knobs) => {
    const attempt = signIn(world(knobs));
    if ('idTokenHeader' in knobs && knobs.idTokenHeader?.['crit']) await expect(attempt).rejects.toThrow();
    else expect(await failure(attempt)).toMatchObject({ code: 'id_token_rejected' });
  });

  it('cannot be made with a public key as a secret, nor with a secret at all [A23]', async () => {
    const here = world();
    const { keys } = (await (await here.as.fetch('https://as.test/jwks')).json()) as { keys: Record<string, string>[] };
    const payload = { iss: 'https://as.test', sub: 'mallory', aud: 'app', exp: nowS + 300, iat: nowS, nonce: 'n' };
    const { publicKey } = await generateKeyPair('RS256', { extractable: true });
    for (const secret of [JSON.stringify(keys[0]), keys[0]?.['n'] ?? '', await exportSPKI(publicKey)]) {
      for (const alg of ['HS256', 'HS384', 'HS512']) {
        const forged = await new SignJWT(payload).setProtectedHeader({ alg, kid: 'key-1' }).sign(new TextEncoder().encode(secret.padEnd(64, '0')));
        expect((await failure(validate(here, forged))).message).toContain('algorithm');
      }
    }
  });

  it('is never looked up where the token itself says: jwk, jku and x5u headers choose nothing [A24]', async () => {
    const here = world();
    const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    const payload = { iss: 'https://as.test', sub: 'mallory', aud: 'app', exp: nowS + 300, iat: nowS, nonce: 'n' };
    for (const header of [{ jwk }, { jku: 'https://evil.test/jwks' }, { x5u: 'https://evil.test/x5u' }, {}]) {
      const forged = await new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid: 'key-1', ...header }).sign(privateKey);
      expect((await failure(validate(here, forged))).message).toContain('signature');
    }
    expect(here.as.requestsTo('trap')).toEqual([]);
  });

  it.each(['', 'x', 'a.b', 'a.b.c', 'e30.e30.', `${base64url.encode('{"alg":"RS256"}')}.${base64url.encode('[]')}.AA`, 'a.b.c.d.e'])(
    'of what is no JWT is refused: %j',
    async (idToken) => {
      for (const preset of [{}, { idTokenSignature: 'tls' as const }])
        expect(await failure(validate(world({}, { preset }), idToken))).toMatchObject({ code: 'id_token_rejected' });
    },
  );

  it('is left to the channel where the preset says so, and everything else is checked all the same [A21]', async () => {
    const preset = { idTokenSignature: 'tls' } as const;
    const here = world({ idTokenSignature: 'forged' }, { preset });
    expect((await signIn(here)).idTokenClaims?.sub).toBe('alice');
    expect(here.as.requestsTo('jwks')).toEqual([]);
    for (const idTokenClaims of [{ aud: 'another' }, { exp: nowS - 31 }, { nonce: 'x' }, { at_hash: 'x' }, { iss: 'x' }, { iat: nowS - 700 }])
      expect(await failure(signIn(world({ idTokenClaims }, { preset })))).toMatchObject({ code: 'id_token_rejected' });
    expect(await failure(signIn(world({ idTokenSignature: 'none' }, { preset })))).toMatchObject({ code: 'id_token_rejected' });
  });

  it('by a shared secret needs a client that has one, even where the channel vouches [A23]', async () => {
    const preset = { idTokenSignature: 'tls' } as const;
    const payload = { iss: 'https://as.test', sub: 'alice', aud: 'app', exp: nowS + 300, iat: nowS, nonce: 'n' };
    const token = await new SignJWT(payload).setProtectedHeader({ alg: 'HS256' }).sign(new Uint8Array(32));
    expect(await failure(validate(world({}, { preset }), token))).toMatchObject({ code: 'id_token_rejected' });
    expect((await validate(world({}, { preset, auth: clientSecretBasic('s') }), token)).sub).toBe('alice');
  });
});

describe('the keys of a server', () => {
  it('are fetched once in ten minutes, from the metadata alone [A24]', async () => {
    const here = world();
    await Promise.all([signIn(here), signIn(here)]);
    here.clock.time += 599_000;
    await signIn(here);
    expect(here.as.requestsTo('jwks').map(({ url }) => url)).toEqual(['https://as.test/jwks']);
    here.clock.time += 1_000;
    await signIn(here);
    expect(here.as.requestsTo('jwks')).toHaveLength(2);
  });

  it('are fetched once more for a key that is new, at most every 30 s however many are named [A24]', async () => {
    const here = world();
    await signIn(here);
    here.clock.time += 30_000;
    here.as.set({ signingKey: 'key-2' });
    expect((await signIn(here)).idTokenClaims?.sub).toBe('alice');
    expect(here.as.requestsTo('jwks')).toHaveLength(2);
    for (let turn = 0; turn < 20; turn++) {
      here.as.set({ idTokenHeader: { kid: `random-${turn}` } });
      expect((await failure(signIn(here))).message).toContain('no key');
    }
    expect(here.as.requestsTo('jwks')).toHaveLength(2);
    here.clock.time += 30_000;
    await failure(signIn(here));
    expect(here.as.requestsTo('jwks')).toHaveLength(3);
  });

  it('are tried in turn for a token that names none of them [A24]', async () => {
    const here = world({ idTokenHeader: { kid: undefined } });
    const own = ((await (await here.as.fetch('https://as.test/jwks')).json()) as { keys: object[] }).keys;
    const others = await Promise.all(
      [1, 2].map(async (kid) => ({ ...(await exportJWK((await generateKeyPair('RS256', { extractable: true })).publicKey)), kid: `k${kid}` })),
    );
    const publish = (keys: object[]) => here.as.set({ jwksAnswer: { status: 200, body: JSON.stringify({ keys }), contentType: 'application/json' } });
    publish([...others, ...own, { kty: 'oct', k: 'AAAA' }, { odd: true }]);
    expect((await signIn(here)).idTokenClaims?.sub).toBe('alice');
    here.clock.time += 600_000;
    publish(others);
    expect((await failure(signIn(here))).message).toContain('signature');
  });

  it.each<[string, Partial<ServerKnobs>, string]>([
    ['500', { jwksAnswer: { status: 500 } }, 'code_lost'],
    ['HTML', { jwksAnswer: { status: 200, body: '<html>', contentType: 'text/html' } }, 'code_lost'],
    ['no keys', { jwksAnswer: { status: 200, body: '{}', contentType: 'application/json' } }, 'code_lost'],
    ['an empty list', { jwksAnswer: { status: 200, body: '{"keys":[]}', contentType: 'application/json' } }, 'id_token_rejected'],
    ['more than 1 MiB', { jwksAnswer: { status: 200, body: `{"keys":[],"x":"${'x'.repeat(1_100_000)}"}`, contentType: 'application/json' } }, 'code_lost'],
    ['404', { jwksAnswer: { status: 404 } }, 'discovery_failed'],
    ['a redirect', { jwksAnswer: { status: 302, headers: { location: 'https://trap.test/' } } }, 'redirect_refused'],
    ['no address', { metadata: { jwks_uri: undefined } }, 'discovery_failed'],
    ['an http address', { metadata: { jwks_uri: 'http://as.test/jwks' } }, 'discovery_failed'],
    ['a private address', { metadata: { jwks_uri: 'https://169.254.169.254/jwks' } }, 'discovery_failed'],
  ])('that cannot be had (%s) end the sign-in, and are never trusted from elsewhere [A24] [P22] [P23]', async (_name, knobs, code) => {
    const here = world(knobs);
    expect(await failure(signIn(here))).toMatchObject({ code });
    expect(here.as.requestsTo('trap')).toEqual([]);
  });

  it('are asked for a second time when the first answer was lost, so that the code is not [A24]', async () => {
    const here = world();
    here.as.forNext(1, { jwksAnswer: { status: 500 } }, 'jwks');
    expect((await signIn(here)).idTokenClaims?.sub).toBe('alice');
  });
});

describe('the clock that an ID token is measured by', () => {
  it('is the server’s: a user whose clock is an hour or a day off signs in [E13] [gap 10] [complaint 16]', async () => {
    for (const clockOffsetMs of [3_600_000, -3_600_000, 86_400_000, -86_400_000]) {
      const here = world({ clockOffsetMs });
      expect((await signIn(here)).idTokenClaims?.sub).toBe('alice');
    }
  });

  it('is learned from the token itself where the Date header is hidden, and only with the right nonce and signature [E13]', async () => {
    for (const clockOffsetMs of [3_600_000, -3_600_000]) {
      const here = world({ clockOffsetMs, sendDate: false });
      expect((await signIn(here)).idTokenClaims?.sub).toBe('alice');
      expect(Math.abs(here.server.time.now(here.clock) - here.clock.time - clockOffsetMs)).toBeLessThan(2_000);

      const forged = world({ clockOffsetMs, sendDate: false, idTokenSignature: 'forged' });
      await failure(signIn(forged));
      const foreign = world({ clockOffsetMs, sendDate: false, idTokenClaims: { nonce: 'x' } });
      await failure(signIn(foreign));
      for (const { server, clock } of [forged, foreign]) expect(server.time.now(clock)).toBe(clock.time);
    }
  });

  it('does not take a token that has expired when it was made, nor one that is days off [E13] [A22]', async () => {
    expect((await failure(signIn(world({ sendDate: false, ...claims({ exp: nowS - 60 }) })))).message).toContain('"exp"');
    expect((await failure(signIn(world({ sendDate: false, clockOffsetMs: 25 * 3_600_000 })))).message).toContain('"iat"');
  });

  it('does not believe a token over an answer that told its date [E13] [A22]', async () => {
    const here = world();
    await signIn(here);
    const late = await issue(here, { now: here.clock.time - 700_000 });
    expect((await failure(validate(here, late))).message).toContain('"exp"');
  });
});
