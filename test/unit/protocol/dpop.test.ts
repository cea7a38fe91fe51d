import { inspect } from 'node:util';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import {
  clientCredentials,
  clientSecretBasic,
  createTokenManager,
  type Dpop,
  type DpopOptions,
  dpop,
  type KeyStore,
  memoryStore,
  none,
  refreshToken,
} from 'tokenkeep';
import { fakeAuthorizationServer, keyStoreContract, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it, test } from 'vitest';
import { digest } from '../../../src/core/random.js';
import { readProof, testKeyStore } from './proofs.js';
import { context, failure, fakeServer, json, server as metadata, thrown } from './wire.js';

const now = 1_800_000_000_000;
const auth = clientSecretBasic('secret');
const api = 'https://api.test/orders';

const request = { method: 'POST', url: 'https://as.test/token' };
const proofOf = async (value: Dpop, changes: object = {}) => readProof(await value.prove({ ...request, ...changes }, now));

async function keyPair(alg: string, extractable = false): Promise<CryptoKeyPair> {
  return generateKeyPair(alg, { extractable });
}

async function privateJwk(alg: string): Promise<JWK> {
  return exportJWK((await keyPair(alg, true)).privateKey);
}

/** A manager of client credentials with a clock and a server of its own, unless given. */
function setUp(options: Partial<Parameters<typeof clientCredentials>[0]> & { clock?: ReturnType<typeof virtualClock> } = {}) {
  const { clock = virtualClock(), ...rest } = options;
  const server = fakeAuthorizationServer({ clock });
  const grant = clientCredentials({ issuer: server.issuer, clientId: 'svc', auth, dpop: dpop(), fetch: server.fetch, ...rest });
  const tokens = createTokenManager({ grant, clock });
  const proofs = (): Promise<Awaited<ReturnType<typeof readProof>>[]> =>
    Promise.all(server.requestsTo('token').map(({ headers }) => readProof(headers.get('dpop'))));
  return { clock, server, tokens, proofs };
}

describe('a proof', () => {
  it('says what it is for, is dated by the given time, and is signed by the key that it carries: ES256 unless told otherwise [H19]', async () => {
    const { alg, jwk, claims } = await proofOf(dpop());
    expect(alg).toBe('ES256');
    expect(Object.keys(jwk).sort()).toEqual(['crv', 'kty', 'x', 'y']);
    expect(claims).toEqual({ jti: expect.any(String), htm: 'POST', htu: 'https://as.test/token', iat: now / 1000 });
  });

  it.each(['ES256', 'PS256', 'RS256', 'EdDSA'] as const)('is signed with %s, by a key made here, a key pair, a JWK and a stored key [H19]', async (alg) => {
    const pair = await keyPair(alg);
    const jwk = { ...(await privateJwk(alg)), ...(alg.endsWith('S256') && { alg }), kid: 'mine', use: 'sig', x5c: ['no'] };
    const stored = testKeyStore();
    const options: DpopOptions[] = [{ alg }, { key: pair }, { key: pair, alg }, { key: jwk, alg }, { key: jwk }, { keyStore: stored, keyName: 'k', alg }];
    // A JWK for RSA says which of the two algorithms it is for.
    for (const each of options) {
      const value = dpop(each);
      const proof = await proofOf(value);
      expect(proof.alg).toBe(alg);
      for (const hidden of ['d', 'p', 'q', 'kid', 'use', 'x5c', 'ext', 'key_ops']) expect(proof.jwk).not.toHaveProperty(hidden);
      expect(await value.thumbprint()).toBe(await calculateJwkThumbprint(proof.jwk));
    }
    expect((await proofOf(dpop({ keyStore: stored, keyName: 'k' }))).alg).toBe(alg);
  });

  it('is of one key, made once, that cannot be exported [H19]', async () => {
    const store = testKeyStore();
    const value = dpop({ keyStore: store, keyName: 'k' });
    const proofs = await Promise.all(Array.from({ length: 20 }, () => proofOf(value)));
    expect(new Set(proofs.map(({ jwk }) => jwk.x)).size).toBe(1);
    expect(store.reads).toBe(1);
    expect(store.keys.get('k')).toMatchObject({ privateKey: { extractable: false } });
    const own = dpop();
    expect(await own.thumbprint()).toBe(await calculateJwkThumbprint((await proofOf(own)).jwk));
    expect(await own.thumbprint()).not.toBe(await dpop().thumbprint());
  });

  it('is another one each time, with 128 random bits [H19]', async () => {
    const value = dpop();
    const ids = await Promise.all(Array.from({ length: 50 }, async () => (await proofOf(value)).claims.jti ?? ''));
    expect(new Set(ids).size).toBe(50);
    for (const id of ids) expect(id).toMatch(/^[\w-]{22}$/);
  });

  it.each([
    ['https://api.test/a/b?c=d#e', 'https://api.test/a/b'],
    ['https://API.test:443/a/../b?', 'https://api.test/b'],
    ['https://user:password@api.test:8443/#', 'https://api.test:8443/'],
    ['wss://api.test/feed?x', 'wss://api.test/feed'],
    ['https://api.test/%2f?é', 'https://api.test/%2f'],
  ])('names %s without query, fragment and user: %s [H19]', async (url, htu) => {
    expect((await proofOf(dpop(), { url })).claims.htu).toBe(htu);
    expect((await proofOf(dpop(), { url: new URL(url) })).claims.htu).toBe(htu);
  });

  it.each([
    ['get', 'GET'],
    ['Post', 'POST'],
    ['PATCH', 'PATCH'],
    ['patch', 'patch'],
    ['QUERY', 'QUERY'],
  ])('names the method %s as fetch sends it: %s [H19]', async (method, htm) => {
    expect((await proofOf(dpop(), { method })).claims.htm).toBe(htm);
  });

  it('has the nonce where there is one, and the digest of the access token on calls of a resource [H19]', async () => {
    const { claims } = await proofOf(dpop(), { nonce: 'n-1', accessToken: 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU' });
    expect(claims.nonce).toBe('n-1');
    // The example of RFC 9449 §7.1.
    expect(claims.ath).toBe('fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo');
  });

  it('is not made for what is no URL or no method', async () => {
    for (const url of ['/orders', '', 'https://'])
      expect(await failure(dpop().prove({ ...request, url }, now))).toMatchObject({ code: 'invalid_option', message: expect.stringContaining('"url"') });
    for (const method of ['', 'GE\nT'])
      expect(await failure(dpop().prove({ ...request, method }, now))).toMatchObject({ code: 'invalid_option', message: expect.stringContaining('"method"') });
  });
});

describe('the key', () => {
  it('is a copy: a JWK that is changed afterwards changes nothing [H19]', async () => {
    const jwk = await privateJwk('ES256');
    const thumbprint = await calculateJwkThumbprint(jwk);
    const value = dpop({ key: jwk });
    Object.assign(jwk, await privateJwk('ES256'));
    expect(await value.thumbprint()).toBe(thumbprint);
  });

  it('is not shown by the value, nor by an error about it [S6]', async () => {
    const jwk = await privateJwk('ES256');
    const value = dpop({ key: jwk });
    await value.thumbprint();
    const broken = { ...jwk, x: jwk.y ?? '' };
    const errors = [thrown(() => dpop({ key: { ...jwk, crv: 'P-384' } })), thrown(() => dpop({ key: jwk, alg: 'RS256' }))];
    const late = await dpop({ key: broken })
      .prove(request, now)
      .catch((error: unknown) => error);
    expect(late).toMatchObject({ code: 'invalid_option', message: expect.stringContaining('"key"') });
    for (const shown of [value, ...errors, late]) {
      const text = `${inspect(shown, { depth: null, showHidden: true })} ${JSON.stringify(shown)} ${String(shown)}`;
      expect(text).not.toContain(jwk.d);
    }
  });

  it('that is too small, of another curve, public, or cannot sign is refused at once', async () => {
    const p384 = await keyPair('ES384', true);
    const small = await crypto.subtle.generateKey({ name: 'RSA-PSS', modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }, true, [
      'sign',
      'verify',
    ]);
    const sha1 = await crypto.subtle.generateKey(
      { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-1' },
      true,
      ['sign', 'verify'],
    );
    const good = await keyPair('ES256', true);
    const jwk = await exportJWK(good.privateKey);
    const rsa = await privateJwk('PS256');
    const keys: unknown[] = [
      p384,
      small,
      sha1,
      { privateKey: good.publicKey, publicKey: good.publicKey },
      { privateKey: good.privateKey, publicKey: p384.publicKey },
      { privateKey: good.privateKey },
      good.privateKey,
      await exportJWK(p384.privateKey),
      await exportJWK(good.publicKey),
      await exportJWK(small.privateKey),
      { ...jwk, alg: 'ES384' },
      { ...jwk, d: 'with a blank' },
      { ...jwk, y: undefined },
      { ...jwk, x: 5 },
      rsa,
      { ...rsa, alg: 'RSA-OAEP' },
      { kty: 'oct', k: 'c2VjcmV0', d: 'x' },
      {},
      null,
      [],
      'key',
    ];
    for (const key of keys) expect(thrown(() => Reflect.apply(dpop, undefined, [{ key }]))).toMatchObject({ code: 'invalid_option', phase: 'options' });
    expect(thrown(() => dpop({ key: good, alg: 'EdDSA' }))).toMatchObject({ message: expect.stringContaining('"alg": expected ES256') });
  });

  it('of a key store is found again under its name, and is another one under another [H22]', async () => {
    const keyStore = testKeyStore();
    const [first, again, other] = await Promise.all(['a', 'a', 'b'].map((keyName) => dpop({ keyStore, keyName }).thumbprint()));
    expect(again).toBe(first);
    expect(other).not.toBe(first);
    expect(await dpop({ keyStore, keyName: 'a' }).isNew()).toBe(false);
    expect(await dpop({ keyStore, keyName: 'c' }).isNew()).toBe(true);
  });

  it('is not new to the tab that comes second at its first use, though that one has made a key too; a copy of its own is [H22]', async () => {
    const kept = testKeyStore();
    // As with IndexedDB: both find nothing, both make a key, and the first one to write it is kept.
    const racing: KeyStore = {
      ...kept,
      async getOrCreate(name, make) {
        const own = await make();
        return kept.getOrCreate(name, async () => own);
      },
    };
    const tabs = ['k', 'k', 'k'].map((keyName) => dpop({ keyStore: racing, keyName }));
    expect(new Set(await Promise.all(tabs.map((tab) => tab.thumbprint()))).size).toBe(1);
    expect((await Promise.all(tabs.map((tab) => tab.isNew()))).filter(Boolean)).toEqual([true]);
    const copying: KeyStore = { getOrCreate: async (_name, make) => structuredClone(await make()), delete: async () => undefined };
    expect(await dpop({ keyStore: copying, keyName: 'k' }).isNew()).toBe(true);
  });

  it('of a key store that holds something else is lost; one for another algorithm is a wrong setting [H22]', async () => {
    const secret = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt']);
    for (const stored of [undefined, null, {}, 'key', secret, { privateKey: secret, publicKey: secret }, await keyPair('ES384')]) {
      const keyStore = testKeyStore(new Map([['k', stored]]));
      expect(await failure(dpop({ keyStore, keyName: 'k' }).thumbprint())).toMatchObject({ kind: 'interaction', code: 'key_lost', phase: 'store' });
    }
    const keyStore = testKeyStore(new Map([['k', await keyPair('EdDSA')]]));
    expect(await failure(dpop({ keyStore, keyName: 'k', alg: 'ES256' }).thumbprint())).toMatchObject({ code: 'invalid_option' });
  });

  it('is asked for again after the key store failed, which costs no sign-in and shows nothing foreign [H22]', async () => {
    const keyStore = testKeyStore();
    keyStore.failure = new Error('the password of the vault is hunter2');
    const { tokens, clock, server } = setUp({ dpop: dpop({ keyStore, keyName: 'k' }) });
    const failing = failure(tokens.getToken());
    await clock.advance(30_000);
    const error = await failing;
    expect(error).toMatchObject({ kind: 'transient', code: 'store_unavailable' });
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('hunter2');
    expect(server.tokenRequests).toBe(0);
    keyStore.failure = undefined;
    await clock.advance(60_000);
    expect(await tokens.getToken()).toMatchObject({ type: 'DPoP' });
  });
});

describe('a token that is bound', () => {
  it('is asked for with a proof, and presented with one that names the call, the token and the nonce [H19]', async () => {
    const { tokens, server, clock, proofs } = setUp();
    server.set({ accessTokenFormat: 'jwt' });
    const token = await tokens.getToken();
    expect(token.type).toBe('DPoP');
    const [asked] = await proofs();
    expect(asked?.claims).toEqual({ jti: expect.any(String), htm: 'POST', htu: 'https://as.test/token', iat: Math.floor(clock.now() / 1000) });
    expect(token.claims()).toMatchObject({ cnf: { jkt: await calculateJwkThumbprint(asked?.jwk ?? {}) } });

    const headers = await token.headers({ method: 'get', url: `${api}?page=2`, nonce: 'n-2' });
    expect(headers.get('authorization')).toBe(`DPoP ${token.value}`);
    const shown = await readProof(headers.get('dpop'));
    expect(shown.jwk).toEqual(asked?.jwk);
    expect(shown.claims).toMatchObject({ htm: 'GET', htu: api, nonce: 'n-2', ath: await digest(token.value) });
    const response = await server.fetch(`${api}?page=2`, { headers });
    expect(response.status).toBe(200);
    // Seen once is used up.
    expect((await server.fetch(`${api}?page=2`, { headers })).status).toBe(401);
  });

  it('is requested once for a stampede, nonce and all [R2] [gap 3] [H21]', async () => {
    const { tokens, server } = setUp();
    server.set({ dpopNonceMs: 0 });
    const got = await Promise.all(Array.from({ length: 1_000 }, () => tokens.getToken()));
    expect(new Set(got).size).toBe(1);
    expect(server.stats.issued).toBe(1);
    expect(server.tokenRequests).toBe(2);
  });

  it('has a record of its own in a shared store: another key finds nothing, the same key finds it, with its proofs [R1] [gap 3]', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock });
    const store = memoryStore({ clock });
    const jwk = await privateJwk('ES256');
    const managerOf = (value: Dpop | undefined) =>
      createTokenManager({ grant: clientCredentials({ issuer: server.issuer, clientId: 'svc', auth, dpop: value, fetch: server.fetch }), clock, store });
    const first = await managerOf(dpop({ key: jwk })).getToken();
    const other = await managerOf(dpop()).getToken();
    const bearer = await managerOf(undefined).getToken();
    expect(server.tokenRequests).toBe(3);
    expect(bearer.type).toBe('Bearer');
    const restored = await managerOf(dpop({ key: jwk })).getToken();
    expect(server.tokenRequests).toBe(3);
    expect(restored.value).toBe(first.value);
    expect(restored.value).not.toBe(other.value);
    const response = await server.fetch(api, { headers: await restored.headers({ method: 'GET', url: api }) });
    expect(response.status).toBe(200);
  });

  it('cannot be used as a bearer token, nor with the key of somebody else', async () => {
    const { tokens, server } = setUp();
    const token = await tokens.getToken();
    expect((await server.fetch(api, { headers: { authorization: `Bearer ${token.value}` } })).status).toBe(401);
    expect((await server.fetch(api, { headers: { authorization: `DPoP ${token.value}` } })).status).toBe(401);
    const proof = await dpop().prove({ method: 'GET', url: api, accessToken: token.value }, Date.now());
    expect((await server.fetch(api, { headers: { authorization: `DPoP ${token.value}`, dpop: proof } })).status).toBe(401);
  });
});

describe('a downgrade', () => {
  it('is refused where the binding is required, and no bearer token is served [P18]', async () => {
    const { tokens, server } = setUp();
    server.set({ dpop: 'ignored' });
    expect(await failure(tokens.getToken())).toMatchObject({ kind: 'configuration', code: 'unacceptable_response', message: expect.stringContaining('DPoP') });
    expect(server.stats.issued).toBe(1);
    expect(tokens.peek()).toBeUndefined();
  });

  it('is taken where the binding is only preferred: then it is a bearer token without proofs [P18]', async () => {
    const { tokens, server } = setUp({ dpop: dpop({ mode: 'preferred' }) });
    server.set({ dpop: 'ignored' });
    const token = await tokens.getToken();
    expect(token.type).toBe('Bearer');
    const headers = await token.headers({ method: 'GET', url: api });
    expect([...headers]).toEqual([['authorization', `Bearer ${token.value}`]]);
    server.set({ dpop: 'required' });
    expect((await tokens.getToken({ invalidToken: token })).type).toBe('DPoP');
  });
});

describe('a proof that a server echoes', () => {
  it('is not shown [S6] [P27]', async () => {
    const echo = fakeServer((sent) => json({ error: 'invalid_dpop_proof', error_description: `not ${sent.headers.get('dpop')}` }, 400)());
    const grant = clientCredentials({ server: metadata, clientId: 'svc', auth, dpop: dpop(), fetch: echo.fetch });
    const error = await failure(grant.request(undefined, context()));
    const proof = echo.requests[0]?.headers.get('dpop') ?? '';
    expect(proof.split('.')).toHaveLength(3);
    for (const part of proof.split('.')) expect(inspect(error, { depth: null, showHidden: true })).not.toContain(part.slice(0, 40));
    expect(error.message).toContain('"invalid_dpop_proof"');
  });
});

describe("the authorization server's nonce", () => {
  it('is sent again with a new proof, at once and once; after that it is known [H21] [H20]', async () => {
    const { tokens, server, clock, proofs } = setUp();
    server.set({ dpopNonceMs: Number.POSITIVE_INFINITY });
    const first = await tokens.getToken();
    expect(server.tokenRequests).toBe(2);
    await tokens.getToken({ invalidToken: first });
    expect(server.tokenRequests).toBe(3);
    const [blank, resent, known] = await proofs();
    expect(blank?.claims.nonce).toBeUndefined();
    expect(resent?.claims.nonce).toBeDefined();
    expect(known?.claims.nonce).toBe(resent?.claims.nonce);
    expect(new Set([blank, resent, known].map((proof) => proof?.claims.jti)).size).toBe(3);
    // Not an attempt: nobody is told of a failure, nothing was waited for.
    expect(tokens.explain().map(({ type }) => type)).toEqual(['token', 'refused', 'token']);
    expect(clock.pending).toBe(0);
  });

  it('is learned from every answer, also a success: nonces that are good for one request cost one resend in all [H20]', async () => {
    const { tokens, server, proofs } = setUp();
    server.set({ dpopNonceMs: 0 });
    let token = await tokens.getToken();
    for (let count = 0; count < 5; count++) token = await tokens.getToken({ invalidToken: token });
    expect(server.stats.issued).toBe(6);
    expect(server.tokenRequests).toBe(7);
    expect(new Set((await proofs()).map(({ claims }) => claims.nonce)).size).toBe(7);
  });

  it('of each answer serves its own request: tokens for 20 APIs at once, with nonces that are good for one request each [H20] [H21]', async () => {
    const { tokens, server } = setUp();
    server.set({ dpopNonceMs: 0, latencyBeforeMs: 0 });
    const got = await Promise.all(Array.from({ length: 20 }, (_, index) => tokens.for({ audience: `api-${index}` }).getToken()));
    expect(new Set(got.map(({ value }) => value)).size).toBe(20);
    expect(server.tokenRequests).toBe(40);
  });

  it('that rotated meanwhile is replaced by the one of the refusal [H20] [H21]', async () => {
    const { tokens, server, clock } = setUp();
    server.set({ dpopNonceMs: 60_000, expiresIn: 600 });
    await tokens.getToken();
    await clock.advance(599_000);
    await tokens.getToken();
    await clock.advance(0);
    expect(server.stats.issued).toBe(2);
    expect(server.tokenRequests).toBe(4);
  });

  it.each([400, 401])('asked for twice in a row is an error, of two sends that count as one attempt [H21] [R10]', async (errorStatus) => {
    const { tokens, server } = setUp();
    server.set({ error: 'use_dpop_nonce', errorStatus, dpopNonceMs: 0 });
    expect(await failure(tokens.getToken())).toMatchObject({ kind: 'configuration', code: 'request_rejected', oauthError: 'use_dpop_nonce', attempts: 1 });
    expect(server.tokenRequests).toBe(2);
  });

  it('asked for without being told is an error at once [H21]', async () => {
    const { tokens, server } = setUp();
    server.set({ error: 'use_dpop_nonce' });
    expect(await failure(tokens.getToken())).toMatchObject({ oauthError: 'use_dpop_nonce' });
    expect(server.tokenRequests).toBe(1);
  });

  it('does not use up the attempts of a server that fails [R10] [H21]', async () => {
    const { tokens, server, clock } = setUp();
    server.set({ dpopNonceMs: Number.POSITIVE_INFINITY });
    server.forNext(1, { answer: { status: 503 } });
    const got = tokens.getToken();
    await clock.advance(30_000);
    expect(await got).toMatchObject({ type: 'DPoP' });
    // 503 with a nonce among its headers, and then the proof has it at once.
    expect(server.tokenRequests).toBe(2);
  });

  it('is not asked for by clients without a key: the word is an error to them', async () => {
    const { tokens, server } = setUp({ dpop: undefined });
    server.set({ error: 'use_dpop_nonce', dpopNonceMs: 0 });
    expect(await failure(tokens.getToken())).toMatchObject({ code: 'request_rejected', oauthError: 'use_dpop_nonce' });
    expect(server.tokenRequests).toBe(1);
  });
});

describe('a clock that is wrong', () => {
  it.each([-86_400_000, -600_000, 600_000, 86_400_000])(
    'by %d ms dates proofs as the server does, from its first answer on [E13] [R10] [gap 10]',
    async (clockOffsetMs) => {
      const { tokens, server, clock, proofs } = setUp();
      server.set({ clockOffsetMs });
      const token = await tokens.getToken();
      expect(server.tokenRequests).toBe(2);
      const dates = (await proofs()).map(({ claims }) => Math.abs((claims.iat ?? 0) * 1000 - clock.now() - clockOffsetMs) < 2_000);
      expect(dates).toEqual([false, true]);
      // The API's proofs are dated by the same clock, and nothing is repeated from now on.
      const headers = await token.headers({ method: 'GET', url: api });
      expect((await server.fetch(api, { headers })).status).toBe(200);
      await tokens.getToken({ invalidToken: token });
      expect(server.tokenRequests).toBe(3);
    },
  );

  it.each([
    ['set back by a day', -86_400_000, 2],
    ['set ahead by a day', 86_400_000, 3],
  ])('%s in mid-life: no stale send at the API, at most one repeated token request, and no loop [E13] [gap 10]', async (_how, jump, requests) => {
    const { tokens, server, clock } = setUp();
    server.set({ expiresIn: 600 });
    await tokens.getToken();
    clock.jumpWall(jump);
    const call = async (): Promise<number> => {
      const token = await tokens.getToken();
      return (await server.fetch(api, { headers: await token.headers({ method: 'GET', url: api }) })).status;
    };
    // Set ahead, the token counts as expired and is renewed; set back, it lives on.
    expect(await call()).toBe(200);
    await clock.advance(300_000);
    expect(await call()).toBe(200);
    await clock.advance(296_000);
    expect([await call(), await call()]).toEqual([200, 200]);
    expect(server.tokenRequests).toBe(requests + (jump > 0 ? 1 : 0));
  });

  it('that stood still while the machine slept dates proofs right when it wakes [E13] [gap 10]', async () => {
    const { tokens, server, clock } = setUp();
    await tokens.getToken();
    clock.suspend(1_800_000);
    const token = await tokens.getToken();
    expect((await server.fetch(api, { headers: await token.headers({ method: 'GET', url: api }) })).status).toBe(200);
    expect(server.tokenRequests).toBe(1);
  });

  it('is mended beside a nonce: each cause once, three sends [H21] [E13] [R10]', async () => {
    const { tokens, server } = setUp();
    server.set({ clockOffsetMs: 600_000, dpopNonceMs: 0 });
    server.forNext(1, { error: 'use_dpop_nonce', sendDate: false });
    await tokens.getToken();
    expect(server.tokenRequests).toBe(3);
  });

  it('that the server does not tell is an error after one request, and so is a proof that is wrong for another reason [R10]', async () => {
    const untold = setUp();
    untold.server.set({ clockOffsetMs: 600_000, sendDate: false });
    expect(await failure(untold.tokens.getToken())).toMatchObject({ kind: 'configuration', code: 'request_rejected', oauthError: 'invalid_dpop_proof' });
    expect(untold.server.tokenRequests).toBe(1);
    const right = setUp();
    right.server.set({ error: 'invalid_dpop_proof' });
    expect(await failure(right.tokens.getToken())).toMatchObject({ oauthError: 'invalid_dpop_proof' });
    expect(right.server.tokenRequests).toBe(1);
    const wrong = setUp();
    wrong.server.set({ error: 'invalid_dpop_proof', clockOffsetMs: 600_000 });
    expect(await failure(wrong.tokens.getToken())).toMatchObject({ oauthError: 'invalid_dpop_proof', attempts: 1 });
    expect(wrong.server.tokenRequests).toBe(2);
  });
});

describe('a refresh token that is bound', () => {
  async function session(options: { key?: JWK; keyStore?: ReturnType<typeof testKeyStore> }, jkt?: string) {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock });
    const value = dpop({ ...options, ...(options.keyStore && { keyName: 'k' }) });
    const initial = server.issueRefreshToken({ clientId: 'app', jkt: jkt ?? (await value.thumbprint()) });
    const make = (own = value) =>
      createTokenManager({
        grant: refreshToken({ issuer: server.issuer, clientId: 'app', auth: none(), refreshToken: initial, dpop: own, fetch: server.fetch }),
        clock,
      });
    return { clock, server, make, initial };
  }

  it('is renewed with the key again and again, with a fresh proof each time [H19] [P18]', async () => {
    const { server, make, clock } = await session({ key: await privateJwk('EdDSA') });
    server.set({ dpopNonceMs: 0 });
    const tokens = make();
    for (let count = 0; count < 3; count++) {
      expect(await tokens.getToken()).toMatchObject({ type: 'DPoP' });
      await clock.advance(3_600_000);
    }
    expect(server.stats).toMatchObject({ issued: 3, reuses: 0 });
    const ids = await Promise.all(server.requestsTo('token').map(async ({ headers }) => (await readProof(headers.get('dpop'))).claims.jti));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('whose key store was cleared is of no use: key_lost, a new sign-in, and no second request [H22]', async () => {
    const old = testKeyStore();
    const before = await dpop({ keyStore: old, keyName: 'k' }).thumbprint();
    const { server, make, clock, initial } = await session({ keyStore: testKeyStore() }, before);
    const tokens = make();
    expect(await failure(tokens.getToken())).toMatchObject({ kind: 'interaction', code: 'key_lost', oauthError: 'invalid_grant', status: 400 });
    await clock.advance(3_600_000);
    expect(await failure(tokens.getToken())).toMatchObject({ code: 'key_lost' });
    expect(server.tokenRequests).toBe(1);
    expect(server.isLiveRefreshToken(initial)).toBe(true);
    // The key is back: nothing was thrown away.
    expect(await make(dpop({ keyStore: old, keyName: 'k' })).getToken()).toMatchObject({ type: 'DPoP' });
  });

  it('that was revoked is revoked, not a lost key: the key was in its store, or had been accepted before [H22] [R9]', async () => {
    const known = testKeyStore();
    await dpop({ keyStore: known, keyName: 'k' }).thumbprint();
    const first = await session({ keyStore: known });
    first.server.revokeGrant(first.initial);
    expect(await failure(first.make().getToken())).toMatchObject({ code: 'grant_revoked', oauthError: 'invalid_grant' });

    const second = await session({ keyStore: testKeyStore() });
    const tokens = second.make();
    const token = await tokens.getToken();
    second.server.revokeGrant(token.value);
    expect(await failure(tokens.getToken({ invalidToken: token }))).toMatchObject({ code: 'grant_revoked' });
  });
});

describe('the key store of the tests', () => {
  const keys = new Map<string, unknown>();
  for (const { name, run } of keyStoreContract(() => testKeyStore(keys))) test(`${name} [H22]`, run);
});
