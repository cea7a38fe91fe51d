import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, type JWK, SignJWT } from 'jose';
import {
  type ClientAuth,
  clientAssertion,
  clientCredentials,
  clientSecretBasic,
  clientSecretJwt,
  clientSecretPost,
  type ClientSecret,
  createTokenManager,
  privateKeyJwt,
  type TokenManager,
} from 'tokenkeep';
import { createServiceClient, mutualTls } from 'tokenkeep/server';
import { Agent, fetch as undiciFetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { close, listen } from '../../examples/demo/authorization-server.js';
import { type Certificate, issueCertificate } from '../support/certificates.js';
import { type AuthenticatingServer, type CertificateApi, invoices, startAuthenticatingServer, startCertificateApi } from './support/authenticating-server.js';
import { shiftedClock } from './support/shifted-clock.js';

const secret = 'a secret of thirty-two bytes: +%&/=?';
const makers = {
  RSA: () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  EC: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  OKP: () => generateKeyPairSync('ed25519').privateKey,
};
const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const publicJwk = async (key: KeyObject, kid: string): Promise<JWK> => ({ ...(await exportJWK(createPublicKey(key))), kid });

const managerOf = (
  server: AuthenticatingServer,
  clientId: string,
  auth: ClientAuth,
  options: Partial<Parameters<typeof createTokenManager>[0]> = {},
): TokenManager =>
  createTokenManager({ grant: clientCredentials({ issuer: server.issuer, clientId, auth, resource: invoices, scope: 'api:read' }), ...options });

describe('over http', () => {
  let server: AuthenticatingServer;
  beforeAll(async () => {
    server = await startAuthenticatingServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it.each<[string, (secret: ClientSecret) => ClientAuth]>([
    ['client_secret_basic', clientSecretBasic],
    ['client_secret_post', clientSecretPost],
    ['client_secret_jwt', clientSecretJwt],
  ])('%s is accepted, and the secret may change while the service runs [P4, P6, P7, P10, G2]', async (method, make) => {
    let current = secret;
    await server.register(method, { client_secret: current, token_endpoint_auth_method: method });
    const tokens = managerOf(
      server,
      method,
      make(() => current),
    );
    const token = await tokens.getToken();
    expect(token.claims()).toMatchObject({ client_id: method, aud: invoices, scope: 'api:read' });
    current = `${secret}, the next one`;
    await server.register(method, { client_secret: current, token_endpoint_auth_method: method });
    expect((await tokens.getToken({ invalidToken: token })).value).not.toBe(token.value);
  });

  it.each([
    ['RS256', 'RSA'],
    ['PS256', 'RSA'],
    ['ES256', 'EC'],
    ['EdDSA', 'OKP'],
    ['Ed25519', 'OKP'],
  ] as const)('private_key_jwt with %s is accepted: PEM, JWK and CryptoKey [P9, P11, P12]', async (alg, type) => {
    const key = makers[type]();
    const clientId = `key-${alg}`;
    await server.register(clientId, {
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: alg,
      jwks: { keys: [{ ...(await publicJwk(key, 'k')), use: 'sig' }] },
    });
    const cryptoKey = await crypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), webCrypto[alg], false, ['sign']);
    for (const given of [pem(key), await exportJWK(key), cryptoKey]) {
      const token = await managerOf(server, clientId, privateKeyJwt(given, { alg, kid: 'k' })).getToken();
      expect(token.claims()).toMatchObject({ client_id: clientId });
    }
  });

  it('an assertion for the token endpoint, of the type JWT or of none, is accepted as well [P11]', async () => {
    await server.register('switches', { client_secret: secret, token_endpoint_auth_method: 'client_secret_jwt' });
    for (const options of [{ audience: 'token_endpoint' }, { typ: 'JWT' }, { typ: 'none' }] as const)
      await managerOf(server, 'switches', clientSecretJwt(secret, options)).ready();
    await expect(managerOf(server, 'switches', clientSecretJwt(secret, { audience: 'https://elsewhere.example' })).ready()).rejects.toMatchObject({
      code: 'client_rejected',
    });
  });

  it('a certificate credential names its certificate, and is accepted [G3]', async () => {
    const certificate = issueCertificate({ key: pem(makers.RSA()) });
    const x5c = [new X509Certificate(certificate.cert).raw.toString('base64')];
    const jwk = await publicJwk(createPrivateKey(certificate.key), 'k');
    await server.register('certificate', {
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'PS256',
      jwks: { keys: [{ ...jwk, x5c }] },
    });
    const auth = privateKeyJwt(certificate.key, { alg: 'PS256', kid: 'k', x5t: certificate.cert, headers: ['kid', 'x5t', 'x5t#S256'] });
    await managerOf(server, 'certificate', auth).ready();
  });

  it('another key, another secret and an assertion that comes again are refused, in one request [P5, P12]', async () => {
    const key = makers.EC();
    await server.register('strict', {
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [await publicJwk(key, 'k')] },
    });
    const before = server.tokenRequests();
    await expect(managerOf(server, 'strict', privateKeyJwt(pem(makers.EC()))).ready()).rejects.toMatchObject({ code: 'client_rejected', status: 401 });
    expect(server.tokenRequests() - before).toBe(1);
    const assertion = await new SignJWT({ iss: 'strict', sub: 'strict', aud: server.issuer, jti: 'once' })
      .setProtectedHeader({ alg: 'ES256' })
      .setExpirationTime('1m')
      .sign(key);
    const tokens = managerOf(
      server,
      'strict',
      clientAssertion(() => assertion),
    );
    const token = await tokens.getToken();
    await expect(tokens.getToken({ invalidToken: token })).rejects.toMatchObject({ code: 'client_rejected' });
    expect(server.refusals.at(-1)).toMatch(/only be used once/);
  });

  it.each([-600_000, 600_000])('a client whose clock is %d ms off is accepted after the first answer [E13]', async (offMs) => {
    const clock = shiftedClock();
    clock.advance(offMs);
    const key = makers.EC();
    const clientId = `clock ${offMs}`;
    await server.register(clientId, {
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [await publicJwk(key, 'k')] },
    });
    const grant = clientCredentials({
      server: { issuer: server.issuer, token_endpoint: `${server.issuer}/token` },
      clientId,
      auth: privateKeyJwt(pem(key)),
      resource: invoices,
    });
    const tokens = createTokenManager({ grant, clock });
    const before = server.tokenRequests();
    const token = await tokens.getToken();
    await tokens.getToken({ invalidToken: token });
    // A date in the past costs one more request, once. This server does not mind one in the future.
    expect(server.tokenRequests() - before).toBe(offMs < 0 ? 3 : 2);
  });
});

const webCrypto = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  EdDSA: { name: 'Ed25519' },
  Ed25519: { name: 'Ed25519' },
} as const;

describe('under 100 calls a second, with tokens of two seconds', () => {
  let server: AuthenticatingServer;
  beforeAll(async () => {
    server = await startAuthenticatingServer({ tokenLifetimeS: 2 });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  /** The calls go to an API that wants a token which has not run out. */
  async function callFor(seconds: number, clientId: string, auth: ClientAuth): Promise<number[]> {
    const api = createServer((request, response) => {
      const [, claims = ''] = (request.headers.authorization ?? '').split('.');
      const { exp } = claims ? JSON.parse(Buffer.from(claims, 'base64url').toString()) : { exp: 0 };
      response.writeHead(exp * 1000 > Date.now() ? 200 : 401).end();
    });
    const baseUrl = `http://127.0.0.1:${await listen(api)}/`;
    await using client = createServiceClient({ issuer: server.issuer, clientId, auth, resource: invoices });
    const http = client.http({ baseUrl, throwHttpErrors: false, retry: 0 });
    const answers: Promise<number>[] = [];
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const call = http.get('').then(({ status }) => status);
        answers.push(call.catch(() => 0));
        if (answers.length < seconds * 100) return;
        clearInterval(timer);
        resolve();
      }, 10);
    });
    const statuses = await Promise.all(answers);
    await close(api);
    return statuses;
  }

  it('a key and its kid are replaced, old and new side by side for a while: no call fails [G2, P9]', async () => {
    const keys = [makers.EC(), makers.EC()];
    const [old, next] = await Promise.all(keys.map((key, index) => publicJwk(key, `k${index}`)));
    const register = (...registered: unknown[]) =>
      server.register('rotating-key', { token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256', jwks: { keys: registered } });
    await register(old);
    let used = 0;
    const auth = privateKeyJwt(() => ({ key: pem(keys[used] ?? makers.EC()), kid: `k${used}` }));
    const before = server.tokenRequests();
    const statuses = callFor(6, 'rotating-key', auth);
    await pause(1500);
    await register(old, next);
    await pause(500);
    used = 1;
    await pause(500);
    await register(next);
    expect((await statuses).filter((status) => status !== 200)).toEqual([]);
    expect(server.tokenRequests() - before).toBeGreaterThan(3);
  });

  it('a token file is replaced again and again, and read for every request: no call fails [G2]', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tokenkeep-'));
    const file = join(folder, 'token');
    const key = makers.EC();
    await server.register('token-file', {
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [await publicJwk(key, 'k')] },
    });
    let written = 0;
    // As the platform does it: beside, then in its place. The server takes each of them once.
    const write = async (): Promise<void> => {
      const claims = { iss: 'token-file', sub: 'token-file', aud: server.issuer, jti: `file-${written++}` };
      await writeFile(`${file}.new`, `${await new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).setExpirationTime('1m').sign(key)}\n`);
      await rename(`${file}.new`, file);
    };
    await write();
    let isOver = false;
    const writing = (async () => {
      while (!isOver) {
        await write();
        await pause(50);
      }
    })();
    const statuses = await callFor(
      5,
      'token-file',
      clientAssertion(() => readFile(file, 'utf8')),
    );
    isOver = true;
    await writing;
    await rm(folder, { recursive: true });
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(written).toBeGreaterThan(20);
  });

  it('a secret is replaced between two renewals, at a server that knows one at a time: no call fails [G2]', async () => {
    let current = secret;
    const register = () => server.register('rotating-secret', { client_secret: current, token_endpoint_auth_method: 'client_secret_basic' });
    await register();
    let isRotating = false;
    const auth = clientSecretBasic(async () => {
      // Rotated once, in the moment before a request reads it.
      if (isRotating) {
        isRotating = false;
        current = `${secret}, the next one`;
        await register();
      }
      return current;
    });
    const statuses = callFor(5, 'rotating-secret', auth);
    await pause(1500);
    isRotating = true;
    expect((await statuses).filter((status) => status !== 200)).toEqual([]);
    expect(current).not.toBe(secret);
  });
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('over https with certificates', () => {
  const authority = issueCertificate({ name: 'a private authority' });
  const vouched = issueCertificate({ name: 'billing', issuer: authority });
  const stranger = issueCertificate({ name: 'billing', issuer: issueCertificate({ name: 'another authority' }) });
  const own = issueCertificate({ name: 'self-signed' });
  let server: AuthenticatingServer;
  let api: CertificateApi;
  const agents: Agent[] = [];

  const agentOf = ({ key, cert }: Certificate): Agent => {
    const agent = new Agent({ connect: { ca: authority.cert, key, cert } });
    agents.push(agent);
    return agent;
  };
  /** As the guide has it. */
  const withDispatcher = (certificate: Certificate): typeof fetch => {
    const dispatcher = agentOf(certificate);
    return (input, init) => fetch(input, Object.assign({}, init, { dispatcher }));
  };
  const ofUndici = (certificate: Certificate): typeof fetch => {
    const dispatcher = agentOf(certificate);
    return async (input, init) => {
      const request = new Request(input, init);
      const body = request.body === null ? undefined : await request.text();
      const { status, headers, ...answer } = await undiciFetch(request.url, {
        method: request.method,
        headers: Object.fromEntries(request.headers),
        redirect: request.redirect,
        dispatcher,
        ...(body !== undefined && { body }),
      }).then(async (response) => ({ status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() }));
      return new Response(answer.text, { status, headers });
    };
  };
  const ofNode =
    ({ key, cert }: Certificate): typeof fetch =>
    async (input, init) => {
      const request = new Request(input, init);
      const body = Buffer.from(await request.arrayBuffer());
      return new Promise((resolve, reject) => {
        const options = { method: request.method, headers: Object.fromEntries(request.headers), ca: authority.cert, key, cert };
        const outgoing = httpsRequest(request.url, options, (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('end', () =>
            resolve(
              new Response(Buffer.concat(chunks), { status: answer.statusCode ?? 502, headers: { 'content-type': answer.headers['content-type'] ?? '' } }),
            ),
          );
        });
        outgoing.on('error', reject);
        outgoing.end(body);
      });
    };

  beforeAll(async () => {
    server = await startAuthenticatingServer({ tls: { authority } });
    api = await startCertificateApi(server.issuer, authority);
    const bound = { tls_client_certificate_bound_access_tokens: true };
    await server.register('vouched', { ...bound, token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_subject_dn: 'CN=billing' });
    const x5c = [new X509Certificate(own.cert).raw.toString('base64')];
    const jwk = await publicJwk(createPrivateKey(own.key), 'k');
    await server.register('self-signed', { ...bound, token_endpoint_auth_method: 'self_signed_tls_client_auth', jwks: { keys: [{ ...jwk, x5c }] } });
  });
  afterAll(async () => {
    await Promise.all(agents.map((agent) => agent.close()));
    await api[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const cases = [
    ['tls_client_auth', 'vouched', vouched],
    ['self_signed_tls_client_auth', 'self-signed', own],
  ] as const;
  const carriers: readonly (readonly [string, (certificate: Certificate) => typeof fetch])[] = [
    ["the runtime's fetch with a dispatcher of undici", withDispatcher],
    ["undici's fetch", ofUndici],
    ['node:https', ofNode],
  ];

  it.each(cases.flatMap((each) => carriers.map((carrier) => [...each, ...carrier] as const)))(
    '%s is accepted, for the client %s (case %#), and its token is bound to the certificate and taken by the API over it alone [P4, P13]',
    async (method, clientId, certificate, _carrier, make) => {
      const carry = make(certificate);
      await using client = createServiceClient({
        issuer: server.issuer,
        clientId,
        auth: mutualTls({ fetch: carry, method, certificate: certificate.cert }),
        resource: invoices,
      });
      const token = await client.tokens.getToken();
      const thumbprint = createHash('sha256').update(new X509Certificate(certificate.cert).raw).digest('base64url');
      expect(token.claims()).toMatchObject({ client_id: clientId, cnf: { 'x5t#S256': thumbprint } });
      const options = { baseUrl: `${api.url}/`, throwHttpErrors: false, retry: 0 };
      expect((await client.http({ ...options, fetch: carry }).get('invoices')).status).toBe(200);
      expect((await client.http({ ...options, fetch: withDispatcher(stranger) }).get('invoices')).status).toBe(401);
    },
  );

  it('a certificate of another authority, or one that is not registered, is refused [P13]', async () => {
    for (const [method, clientId, certificate] of [
      ['tls_client_auth', 'vouched', stranger],
      ['tls_client_auth', 'vouched', issueCertificate({ name: 'another name', issuer: authority })],
      ['self_signed_tls_client_auth', 'self-signed', vouched],
    ] as const) {
      const auth = mutualTls({ fetch: withDispatcher(certificate), method });
      await expect(managerOf(server, clientId, auth).ready()).rejects.toMatchObject({ code: 'client_rejected' });
    }
  });

  it('clients with certificates go to the endpoint that the server has for them [P13]', async () => {
    await using other = await startAuthenticatingServer({ tls: { authority, mtlsIssuer: server.issuer } });
    const auth = mutualTls({ fetch: withDispatcher(vouched) });
    const before = [other.tokenRequests(), server.tokenRequests()];
    await managerOf(other, 'vouched', auth).ready();
    expect([other.tokenRequests(), server.tokenRequests()]).toEqual([before[0], (before[1] ?? 0) + 1]);
  });

  it('a certificate is replaced while calls go on: the token of the old one is replaced, and no call fails [P13, G2]', async () => {
    const renewed = issueCertificate({ name: 'billing', issuer: authority });
    const fetches = new Map([vouched, renewed].map((certificate) => [certificate, withDispatcher(certificate)]));
    let current = vouched;
    const carry: typeof fetch = (input, init) => (fetches.get(current) ?? fetch)(input, init);
    const auth = mutualTls({ fetch: carry, certificate: () => current.cert });
    await using client = createServiceClient({ issuer: server.issuer, clientId: 'vouched', auth, resource: invoices });
    const http = client.http({ baseUrl: `${api.url}/`, fetch: carry, throwHttpErrors: false, retry: 0 });
    const calls = () => Promise.all(Array.from({ length: 50 }, async () => (await http.get('invoices')).status));
    const before = server.tokenRequests();
    expect(new Set(await calls())).toEqual(new Set([200]));
    current = renewed;
    expect(new Set(await calls())).toEqual(new Set([200]));
    expect(server.tokenRequests() - before).toBe(2);
  });
});
