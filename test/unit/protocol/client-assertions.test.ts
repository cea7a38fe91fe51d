import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, type JWK, jwtVerify } from 'jose';
import {
  type ClientAuth,
  clientAssertion,
  clientCredentials,
  clientSecretJwt,
  createTokenManager,
  type Preset,
  privateKeyJwt,
  refreshToken,
  TokenError,
} from 'tokenkeep';
import { fakeAuthorizationServer, type ServerKnobs, virtualClock } from 'tokenkeep/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { issueCertificate } from '../../support/certificates.js';
import { leaks, shown } from '../core/leaks.js';
import { context, failure, fakeServer, good, json, server, standingClock, thrown } from './wire.js';

const secret = 'a secret of thirty-two bytes: ok';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const ed = generateKeyPairSync('ed25519').privateKey;
const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const jwk = (key: KeyObject): Promise<JWK> => exportJWK(key);
const publicKey = (key: KeyObject): KeyObject => createPublicKey(key);

/** The assertion that a client sends, as it stands in the body. */
async function sent(auth: ClientAuth, preset: Preset = {}, clock = standingClock()): Promise<{ assertion: string; body: URLSearchParams; headers: Headers }> {
  const fake = fakeServer(json(good));
  await clientCredentials({ server, clientId: 'svc', auth, fetch: fake.fetch, preset }).request(undefined, context({ clock }));
  const [request] = fake.requests;
  if (request === undefined) throw new Error('nothing was sent');
  return { assertion: request.body.get('client_assertion') ?? '', body: request.body, headers: request.headers };
}

const headerOf = async (auth: ClientAuth, preset: Preset = {}) => decodeProtectedHeader((await sent(auth, preset)).assertion);
const claimsOf = async (auth: ClientAuth, preset: Preset = {}) => decodeJwt((await sent(auth, preset)).assertion);

afterEach(() => vi.unstubAllGlobals());

describe('an assertion of a client', () => {
  const auths = [clientSecretJwt(secret), privateKeyJwt(pem(ec))];

  it('goes alone: no secret, no Authorization header, and the id beside it [P4]', async () => {
    for (const auth of auths) {
      const { body, headers } = await sent(auth);
      expect(headers.has('authorization')).toBe(false);
      expect([...body.keys()].sort()).toEqual(['client_assertion', 'client_assertion_type', 'client_id', 'grant_type']);
      expect(body.get('client_assertion_type')).toBe('urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
      expect(body.get('client_id')).toBe('svc');
    }
  });

  it('is by the client about itself, for the issuer alone, of its registered type [P11]', async () => {
    for (const auth of auths) {
      expect(await claimsOf(auth)).toMatchObject({ iss: 'svc', sub: 'svc', aud: server.issuer });
      expect((await headerOf(auth)).typ).toBe('client-authentication+jwt');
    }
  });

  it('lives for 60 seconds from the instant of its request, has no nbf, and 128 random bits as its id [P12]', async () => {
    for (const auth of auths) {
      const { iat, exp, nbf, jti } = decodeJwt((await sent(auth, {}, standingClock(1_800_000_000_999))).assertion);
      expect([iat, exp, nbf]).toEqual([1_800_000_000, 1_800_000_060, undefined]);
      expect(jti).toMatch(/^[\w-]{22}$/);
    }
  });

  it.each<[Preset, object, unknown, unknown]>([
    [{}, { audience: 'token_endpoint', typ: 'JWT' }, server.token_endpoint, 'JWT'],
    [{}, { audience: 'https://tenant.example/v2', typ: 'none' }, 'https://tenant.example/v2', undefined],
    [{ assertionAudience: 'token_endpoint', assertionTyp: 'JWT' }, {}, server.token_endpoint, 'JWT'],
    [{ assertionTyp: 'none' }, {}, server.issuer, undefined],
    [
      { assertionAudience: 'token_endpoint', assertionTyp: 'none' },
      { audience: 'issuer', typ: 'client-authentication+jwt' },
      server.issuer,
      'client-authentication+jwt',
    ],
  ])(
    'with the preset %j and the options %j is for %s, of the type %s: what the option says goes before the preset [P11]',
    async (preset, options, aud, typ) => {
      for (const auth of [clientSecretJwt(secret, options), privateKeyJwt(pem(ec), options)]) {
        const { assertion } = await sent(auth, preset);
        expect(decodeJwt(assertion).aud).toBe(aud);
        expect(decodeProtectedHeader(assertion).typ).toBe(typ);
      }
    },
  );

  it('is made anew for every attempt, retries included: three attempts, three ids [P12]', async () => {
    const clock = virtualClock();
    const fake = fakeAuthorizationServer({ clock, clients: { svc: { keys: [await jwk(publicKey(ec))] } } });
    fake.forNext(2, { error: 'server_error', errorStatus: 500 });
    const tokens = createTokenManager({
      clock,
      grant: clientCredentials({ issuer: fake.issuer, clientId: 'svc', auth: privateKeyJwt(pem(ec)), fetch: fake.fetch }),
    });
    const got = tokens.getToken();
    for (let turn = 0; turn < 10; turn++) await clock.advance(0);
    await clock.advance(30_000);
    await got;
    const ids = fake.requestsTo('token').map(({ params }) => decodeJwt(params.get('client_assertion') ?? '').jti);
    expect(new Set(ids).size).toBe(3);
  });

  it('is sent to the revocation endpoint too, for the issuer or the token endpoint as everywhere [G11, P11]', async () => {
    const fake = fakeServer(json(good), json({}));
    const grant = clientCredentials({ server, clientId: 'svc', auth: privateKeyJwt(pem(ec), { audience: 'token_endpoint' }), fetch: fake.fetch });
    const tokens = await grant.request(undefined, context());
    await grant.revoke?.(tokens, context());
    const claims = fake.requests.map(({ body }) => decodeJwt(body.get('client_assertion') ?? ''));
    expect(claims.map(({ aud }) => aud)).toEqual([server.token_endpoint, server.token_endpoint]);
    expect(claims[0]?.jti).not.toBe(claims[1]?.jti);
  });

  it('shows neither key, secret nor itself when it is printed [S6]', async () => {
    const d = (await jwk(ec)).d ?? '';
    const key = pem(ec);
    for (const auth of [clientSecretJwt(secret), privateKeyJwt(key), privateKeyJwt(await jwk(ec)), privateKeyJwt(() => key)]) {
      await sent(auth);
      expect(leaks(shown(auth) + shown(clientCredentials({ server, clientId: 'svc', auth })), [secret, key.split('\n')[1] ?? '', d])).toEqual([]);
    }
  });

  it('is refused in a page, like a secret [P8]', () => {
    vi.stubGlobal('window', {});
    vi.stubGlobal('document', {});
    for (const auth of [...auths, privateKeyJwt(() => pem(ec)), clientAssertion(() => 'a.b.c')]) {
      expect(thrown(() => refreshToken({ server, clientId: 'svc', auth, refreshToken: 'rt' })).message).toContain('browser');
    }
  });

  it('raises a warning where the server does not list its method, and is sent all the same [P5]', async () => {
    for (const [auth, method] of [
      [clientSecretJwt(secret), 'client_secret_jwt'],
      [privateKeyJwt(pem(ec)), 'private_key_jwt'],
      [clientAssertion(() => 'a.b.c'), 'private_key_jwt'],
    ] as const) {
      expect(auth.method).toBe(method);
      const given = context();
      const fake = fakeServer(json(good));
      const listed = { ...server, token_endpoint_auth_methods_supported: ['client_secret_basic'] };
      await clientCredentials({ server: listed, clientId: 'svc', auth, fetch: fake.fetch }).request(undefined, given);
      expect(given.events).toMatchObject([{ code: 'auth_method_not_listed', message: expect.stringContaining(method) }]);
      expect(fake.requests[0]?.body.has('client_assertion')).toBe(true);
    }
  });
});

describe('client_secret_jwt', () => {
  it('is signed with HS256 by the secret, which is not sent [P10]', async () => {
    const { assertion, body } = await sent(clientSecretJwt(secret));
    const { protectedHeader } = await jwtVerify(assertion, new TextEncoder().encode(secret), {
      algorithms: ['HS256'],
      currentDate: new Date(1_800_000_000_000),
    });
    expect(protectedHeader.alg).toBe('HS256');
    expect(body.toString()).not.toContain('thirty');
  });

  it('takes 32 bytes and no fewer, counted as UTF-8 [P10]', async () => {
    expect(thrown(() => clientSecretJwt('x'.repeat(31)))).toMatchObject({ code: 'invalid_option', message: expect.stringContaining('32 bytes') });
    expect(() => clientSecretJwt('ä'.repeat(16))).not.toThrow();
    const auth = clientSecretJwt(() => 'x'.repeat(31));
    expect(await failure(sent(auth))).toMatchObject({ code: 'invalid_option', message: expect.not.stringContaining('xxx') });
  });

  it('asks a secret function anew at every attempt [G2]', async () => {
    const secrets = [secret, `${secret}, then another`];
    const fake = fakeServer(json(good));
    let turn = 0;
    const grant = clientCredentials({ server, clientId: 'svc', auth: clientSecretJwt(() => secrets[turn++] ?? ''), fetch: fake.fetch });
    for (const key of secrets) {
      await grant.request(undefined, context());
      const assertion = fake.requests.at(-1)?.body.get('client_assertion') ?? '';
      await jwtVerify(assertion, new TextEncoder().encode(key), { currentDate: new Date(1_800_000_000_000) });
    }
  });
});

describe('private_key_jwt', () => {
  it.each([
    ['RS256', rsa],
    ['PS256', rsa],
    ['ES256', ec],
    ['EdDSA', ed],
    ['Ed25519', ed],
  ] as const)('is signed with %s by a key in PEM, a JWK or a CryptoKey, and verifies [P9]', async (alg, key) => {
    const cryptoKey = await crypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), webCrypto[alg], false, ['sign']);
    for (const given of [pem(key), await jwk(key), cryptoKey, { ...(await jwk(key)), alg, use: 'sig', key_ops: ['sign'], ext: true }]) {
      const { assertion } = await sent(privateKeyJwt(given, { alg }));
      const { protectedHeader } = await jwtVerify(assertion, publicKey(key), { algorithms: [alg], currentDate: new Date(1_800_000_000_000) });
      expect(protectedHeader).toEqual({ alg, typ: 'client-authentication+jwt' });
    }
  });

  it('signs as the key is meant to when no alg is named [P9]', async () => {
    const algOf = async (key: Parameters<typeof privateKeyJwt>[0]) => (await headerOf(privateKeyJwt(key))).alg;
    expect(await algOf(pem(rsa))).toBe('RS256');
    expect(await algOf({ ...(await jwk(rsa)), alg: 'PS256' })).toBe('PS256');
    expect(await algOf(await jwk(ec))).toBe('ES256');
    expect(await algOf({ ...(await jwk(ed)), alg: 'Ed25519' })).toBe('EdDSA');
    expect(await algOf((await generateKeyPair('PS256')).privateKey)).toBe('PS256');
  });

  it('imports the key once, in a form that cannot be exported [P9, S3]', async () => {
    const imports = vi.spyOn(crypto.subtle, 'importKey');
    for (const key of [pem(ec), { ...(await jwk(ec)), ext: true }]) {
      imports.mockClear();
      const auth = privateKeyJwt(key);
      await sent(auth);
      await sent(auth);
      expect(imports.mock.calls.map(([, , , extractable]) => extractable)).toEqual([false]);
    }
    imports.mockRestore();
  });

  it('reads a PEM text with escaped line ends, without them, and with something around it', async () => {
    const text = pem(ec);
    for (const given of [text.replaceAll('\n', '\\n'), text.replaceAll('\n', '\r\n'), `Bag Attributes\n${issueCertificate().cert}\n${text}`])
      await jwtVerify((await sent(privateKeyJwt(given))).assertion, publicKey(ec), { currentDate: new Date(1_800_000_000_000) });
  });

  it('names its key: by the option, else as the JWK does, else not at all [P9]', async () => {
    expect((await headerOf(privateKeyJwt(pem(ec), { kid: 'k1' }))).kid).toBe('k1');
    expect((await headerOf(privateKeyJwt({ ...(await jwk(ec)), kid: 'k2' }))).kid).toBe('k2');
    expect((await headerOf(privateKeyJwt({ ...(await jwk(ec)), kid: 'k2' }, { kid: 'k1' }))).kid).toBe('k1');
    expect(await headerOf(privateKeyJwt(pem(ec)))).not.toHaveProperty('kid');
  });

  it('names its certificate by x5t#S256, by x5t as well where the option or the preset says so, and by no kid where it says so [G3]', async () => {
    const certificate = issueCertificate({ key: pem(rsa) });
    const der = new X509Certificate(certificate.cert).raw;
    const thumbprint = (hash: string): string => createHash(hash).update(der).digest('base64url');
    const chain = certificate.cert + issueCertificate().cert;
    for (const alg of ['PS256', 'RS256'] as const) {
      const base = { alg, typ: 'client-authentication+jwt' };
      const options = { alg, kid: 'k', x5t: chain };
      expect(await headerOf(privateKeyJwt(pem(rsa), options))).toEqual({ ...base, kid: 'k', 'x5t#S256': thumbprint('sha256') });
      const both = { ...base, x5t: thumbprint('sha1'), 'x5t#S256': thumbprint('sha256') };
      expect(await headerOf(privateKeyJwt(pem(rsa), { ...options, headers: ['x5t', 'x5t#S256'] }))).toEqual(both);
      expect(await headerOf(privateKeyJwt(pem(rsa), options), { assertionHeaders: ['x5t#S256', 'x5t'] })).toEqual(both);
      expect(await headerOf(privateKeyJwt(pem(rsa), { ...options, headers: ['kid'] }), { assertionHeaders: ['x5t'] })).toEqual({ ...base, kid: 'k' });
    }
  });

  it('takes key, kid and certificate anew from a function, together [G2, G3]', async () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const first = { key: pem(ec), kid: 'first' };
    const second = { key: pem(other), kid: 'second', alg: 'PS256', x5t: issueCertificate({ key: pem(other) }).cert } as const;
    let current: typeof first | typeof second = first;
    const auth = privateKeyJwt(async () => current);
    expect(await headerOf(auth)).toMatchObject({ alg: 'ES256', kid: 'first' });
    current = second;
    const { assertion } = await sent(auth);
    expect(decodeProtectedHeader(assertion)).toMatchObject({ alg: 'PS256', kid: 'second', 'x5t#S256': expect.stringMatching(/^[\w-]{43}$/) });
    await jwtVerify(assertion, publicKey(other), { currentDate: new Date(1_800_000_000_000) });
  });

  it('keeps the key that it was given, whatever becomes of the object afterwards', async () => {
    const given = { ...(await jwk(ec)), kid: 'mine' };
    const auth = privateKeyJwt(given);
    Object.assign(given, await jwk(createPrivateKey(pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey))), { kid: 'other' });
    const { assertion } = await sent(auth);
    expect(decodeProtectedHeader(assertion).kid).toBe('mine');
    await jwtVerify(assertion, publicKey(ec), { currentDate: new Date(1_800_000_000_000) });
  });

  it('tells that a key function failed, and not what it said [S6]', async () => {
    const auth = privateKeyJwt(() => {
      throw new Error(`vault: ${pem(ec)}`);
    });
    const error = await failure(sent(auth));
    expect(error.code).toBe('grant_failed');
    expect(leaks(shown(error), [pem(ec).split('\n')[1] ?? ''])).toEqual([]);
    const own = new TokenError('interaction_required', 'unlock the vault', { phase: 'token' });
    expect(await failure(sent(privateKeyJwt(() => Promise.reject(own))))).toBe(own);
  });

  it('fails the first request with the name of the option when a function gives no key, and the next one may succeed [P9]', async () => {
    for (const bad of [
      '',
      'canary-of-a-key',
      undefined,
      { key: 'canary-of-a-key' },
      pem(ec).replace(/[A-Za-z]{9}/, 'AAAAAAAAA'),
      { kty: 'EC', crv: 'P-256', d: 'AAAA', x: 'AAAA', y: 'AAAA' },
    ]) {
      let given = bad;
      const auth = privateKeyJwt(() => given as string);
      const error = await failure(sent(auth));
      expect(error).toMatchObject({ code: 'invalid_option', message: expect.stringContaining('"key"') });
      expect(leaks(shown(error), ['canary-of-a-key', pem(ec).split('\n')[1] ?? ''])).toEqual([]);
      given = pem(ec);
      await sent(auth);
    }
  });

  it('fails the first request when a key that looked well cannot be imported, or is too short for its algorithm [P9]', async () => {
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
    for (const key of [pem(short), { kty: 'EC', crv: 'P-256', d: 'AAAA', x: 'AAAA', y: 'AAAA' }])
      expect(await failure(sent(privateKeyJwt(key)))).toMatchObject({
        code: 'invalid_option',
        kind: 'configuration',
        message: expect.stringContaining('"key"'),
      });
  });
});

const webCrypto = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  EdDSA: { name: 'Ed25519' },
  Ed25519: { name: 'Ed25519' },
} as const;

describe('an assertion of the platform', () => {
  it('is read anew at every attempt, and sent as it is, without the line end of its file [G2]', async () => {
    let turn = 0;
    const fake = fakeServer(json(good));
    const grant = clientCredentials({ server, clientId: 'svc', auth: clientAssertion(async () => `head.claims-${++turn}.signature\n`), fetch: fake.fetch });
    await grant.request(undefined, context());
    await grant.request(undefined, context());
    expect(fake.requests.map(({ body }) => [body.get('client_id'), body.get('client_assertion')])).toEqual([
      ['svc', 'head.claims-1.signature'],
      ['svc', 'head.claims-2.signature'],
    ]);
  });

  it.each(['', ' \n', 'two words', 'a.b\u0000.c', undefined, 5, null])('fails with the name of the option when the function gives %j', async (value) => {
    expect(await failure(sent(clientAssertion(() => value as string)))).toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('"assertion"'),
    });
  });

  it('tells that the function failed, and not what it said [S6]', async () => {
    const error = await failure(sent(clientAssertion(() => Promise.reject(new Error('ENOENT canary-token-file')))));
    expect(error).toMatchObject({ code: 'grant_failed', message: expect.not.stringContaining('canary') });
  });

  it('is never shown when the server echoes it, nor a part of it [S6]', async () => {
    const token = 'eyJhbGciOi-canary1.eyJzdWIiOi-canary2.c2lnbmF0dXJl-canary3';
    for (const echo of [token, ...token.split('.')]) {
      const fake = fakeServer(json({ error: 'invalid_client', error_description: `what is ${echo}?` }, 401));
      const error = await failure(
        clientCredentials({ server, clientId: 'svc', auth: clientAssertion(() => token), fetch: fake.fetch }).request(undefined, context()),
      );
      expect(leaks(shown(error), token.split('.'))).toEqual([]);
    }
  });
});

describe('a client whose clock is wrong', () => {
  it.each([-600_000, 600_000])('by %d ms is accepted after the first answer, at once and from then on [E13]', async (offMs) => {
    for (const [auth, client] of [
      [privateKeyJwt(pem(ec)), { keys: [await jwk(publicKey(ec))] }],
      [clientSecretJwt(secret), secret],
    ] as const) {
      const clock = virtualClock();
      const fake = fakeAuthorizationServer({ clock, clients: { svc: client }, knobs: { clockOffsetMs: -offMs } });
      const tokens = createTokenManager({ clock, grant: clientCredentials({ server: fake.metadata, clientId: 'svc', auth, fetch: fake.fetch }) });
      const first = await tokens.getToken();
      expect(fake.tokenRequests).toBe(2);
      await tokens.getToken({ invalidToken: first });
      expect(fake.tokenRequests).toBe(3);
      // The lifetime is still counted by the own clock.
      expect(first.expiresAt).toBe(clock.now() + 3_600_000);
    }
  });

  it('does not ask again when the assertion is refused for another reason [E13, P5]', async () => {
    const clock = virtualClock();
    const fake = fakeAuthorizationServer({ clock, clients: { svc: { keys: [await jwk(publicKey(ed))] } } });
    const grant = clientCredentials({ server: fake.metadata, clientId: 'svc', auth: privateKeyJwt(pem(ec)), fetch: fake.fetch });
    await expect(createTokenManager({ clock, grant }).getToken()).rejects.toMatchObject({ code: 'client_rejected' });
    expect(fake.tokenRequests).toBe(1);
  });
});

describe('the fake server', () => {
  const certificate = issueCertificate({ key: pem(rsa) });
  const ask = async (auth: ClientAuth, knobs: Partial<ServerKnobs>): Promise<string> => {
    const platform = { issuer: 'https://platform.test', subject: 'pod', audience: 'api://exchange', keys: [{ ...(await jwk(publicKey(ed))), kid: 'p' }] };
    const keys = [{ ...(await jwk(publicKey(ec))), kid: 'k1' }];
    const fake = fakeAuthorizationServer({
      clock: virtualClock(),
      clients: { svc: { secret, keys, certificates: [certificate.cert], federated: platform } },
      knobs,
    });
    const grant = clientCredentials({ server: fake.metadata, clientId: 'svc', auth, fetch: fake.fetch });
    return grant.request(undefined, context({ clock: { ...standingClock(), now: () => virtualClock().now() } })).then(
      () => 'accepted',
      (error: unknown) => String(error).replace(/.*invalid_client": |^(?!.*invalid_client).*$/s, ''),
    );
  };

  it.each<[string, ClientAuth, Partial<ServerKnobs>, string]>([
    ['a key of the client', privateKeyJwt(pem(ec), { kid: 'k1' }), {}, 'accepted'],
    ['another kid', privateKeyJwt(pem(ec), { kid: 'k2' }), {}, 'not signed by a key of the client'],
    ['another key', privateKeyJwt(pem(rsa)), {}, 'not signed by a key of the client'],
    ['the key of its certificate', privateKeyJwt(pem(rsa), { alg: 'PS256', x5t: certificate.cert }), {}, 'accepted'],
    [
      'the key of its certificate, named the old way',
      privateKeyJwt(pem(rsa), { x5t: certificate.cert, headers: ['x5t'] }),
      { assertionHeaders: ['x5t'] },
      'accepted',
    ],
    ['no thumbprint where one is needed', privateKeyJwt(pem(ec), { kid: 'k1' }), { assertionHeaders: ['x5t#S256'] }, 'has no x5t#S256'],
    ['no kid where one is needed', privateKeyJwt(pem(ec)), { assertionHeaders: ['kid'] }, 'has no kid'],
    ['the secret', clientSecretJwt(secret), {}, 'accepted'],
    ['another secret', clientSecretJwt(`${secret}!`), {}, 'not signed by a key of the client'],
    ['another audience', clientSecretJwt(secret, { audience: 'https://elsewhere.test' }), {}, 'aud of the client assertion'],
    ['the token endpoint as audience', clientSecretJwt(secret, { audience: 'token_endpoint' }), {}, 'aud of the client assertion'],
    [
      'the token endpoint as audience where that is wanted',
      clientSecretJwt(secret, { audience: 'token_endpoint' }),
      { assertionAudience: 'token_endpoint' },
      'accepted',
    ],
    ['either audience', clientSecretJwt(secret, { audience: 'token_endpoint' }), { assertionAudience: 'either' }, 'accepted'],
    ['the type where it is needed', clientSecretJwt(secret), { assertionTyp: 'required' }, 'accepted'],
    ['no type where it is needed', clientSecretJwt(secret, { typ: 'none' }), { assertionTyp: 'required' }, 'must be of the type'],
    ['the type where it is refused', clientSecretJwt(secret), { assertionTyp: 'refused' }, 'unknown type'],
    ['the type JWT where the other is refused', clientSecretJwt(secret, { typ: 'JWT' }), { assertionTyp: 'refused' }, 'accepted'],
    ['a method that is not taken', clientSecretJwt(secret), { authMethods: ['private_key_jwt'] }, 'of a kind that is taken'],
    ['no JWT', clientAssertion(() => 'abc'), {}, 'no JWT'],
  ])('judges %s [P9, P10, P11, G3]', async (_name, auth, knobs, answer) => {
    expect(await ask(auth, knobs)).toContain(answer);
  });

  it('refuses an assertion that comes again, unless told otherwise [P12]', async () => {
    const fake = fakeAuthorizationServer({ clients: { svc: secret } });
    const post = async (): Promise<number> => {
      const { body } = await once;
      return (await fake.fetch(fake.metadata.token_endpoint, { method: 'POST', body })).status;
    };
    const clock = { ...standingClock(), now: () => Date.now() };
    const recorder = fakeServer(json(good));
    const grant = clientCredentials({ server: fake.metadata, clientId: 'svc', auth: clientSecretJwt(secret), fetch: recorder.fetch });
    const once = grant.request(undefined, context({ clock })).then(() => ({ body: recorder.requests[0]?.body ?? '' }));
    expect([await post(), await post()]).toEqual([200, 401]);
    fake.set({ assertionReplay: 'accepted' });
    expect(await post()).toBe(200);
  });
});
