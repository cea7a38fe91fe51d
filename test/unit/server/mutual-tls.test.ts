import { createHash, X509Certificate } from 'node:crypto';
import { type ClientAuth, clientCredentials, createTokenManager, memoryStore, refreshToken, type TokenStore } from 'tokenkeep';
import { createServiceClient, mutualTls } from 'tokenkeep/server';
import { fakeAuthorizationServer, virtualClock } from 'tokenkeep/testing';
import { expect, it, vi } from 'vitest';
import { issueCertificate } from '../../support/certificates.js';
import { context, failure, fakeServer, good, json, server, thrown } from '../protocol/wire.js';

const [one, two] = [issueCertificate({ name: 'one' }), issueCertificate({ name: 'two' })];
const thumbprint = (pem: string): string => createHash('sha256').update(new X509Certificate(pem).raw).digest('base64url');

it('sends the client id in the body and nothing else of the client, over its own fetch, in either method [P4, P13]', async () => {
  for (const method of [undefined, 'tls_client_auth', 'self_signed_tls_client_auth'] as const) {
    const fake = fakeServer(json(good));
    const auth = mutualTls({ fetch: fake.fetch, method });
    expect(auth.method).toBe(method ?? 'tls_client_auth');
    await clientCredentials({ server, clientId: 'svc', auth }).request(undefined, context());
    const [request] = fake.requests;
    expect([...(request?.body ?? [])]).toEqual([
      ['grant_type', 'client_credentials'],
      ['client_id', 'svc'],
    ]);
    expect(request?.headers.has('authorization')).toBe(false);
  }
});

it('calls the endpoints for clients with certificates where the server has some, discovered ones too [P13]', async () => {
  const clock = virtualClock();
  const fake = fakeAuthorizationServer({ clock, clients: { svc: { certificates: [one.cert] } }, knobs: { mtlsEndpoints: true } });
  const auth = mutualTls({ fetch: fake.fetchWithCertificate(one.cert), certificate: one.cert });
  for (const where of [{ issuer: fake.issuer }, { server: fake.metadata }]) {
    fake.clearRequests();
    const tokens = createTokenManager({ clock, grant: clientCredentials({ ...where, clientId: 'svc', auth }) });
    await tokens.getToken();
    await tokens.revoke();
    expect(fake.requests.filter(({ method }) => method === 'POST').map(({ url }) => url)).toEqual([
      'https://mtls.as.test/token',
      'https://mtls.as.test/revoke',
    ]);
  }
});

it('goes to the ordinary endpoint with any other method, although the server has such endpoints [P13]', async () => {
  const fake = fakeServer(json(good));
  const auth: ClientAuth = { method: 'custom', authenticate: async () => [] };
  const metadata = { ...server, mtls_endpoint_aliases: { token_endpoint: 'https://mtls.as.example/token' } };
  await clientCredentials({ server: metadata, clientId: 'svc', auth, fetch: fake.fetch }).request(undefined, context());
  expect(fake.requests[0]?.url).toBe(server.token_endpoint);
});

it('gets tokens that the API takes over the same certificate alone [P13]', async () => {
  const clock = virtualClock();
  const fake = fakeAuthorizationServer({ clock, clients: { svc: { certificates: [one.cert] } }, knobs: { accessTokenFormat: 'jwt' } });
  const withCertificate = fake.fetchWithCertificate(one.cert);
  await using client = createServiceClient({ issuer: fake.issuer, clientId: 'svc', auth: mutualTls({ fetch: withCertificate }), clock });
  const options = { baseUrl: 'https://api.test/', throwHttpErrors: false, retry: 0 };
  expect((await client.http({ ...options, fetch: withCertificate }).get('a')).status).toBe(200);
  expect((await client.tokens.getToken()).claims()).toMatchObject({ cnf: { 'x5t#S256': thumbprint(one.cert) } });
  expect((await client.http({ ...options, fetch: fake.fetch }).get('a')).status).toBe(401);
  expect((await client.http({ ...options, fetch: fake.fetchWithCertificate(two.cert) }).get('a')).status).toBe(401);
});

it('is refused without the certificate, and with another one [P13]', async () => {
  const fake = fakeAuthorizationServer({ clients: { svc: { certificates: [one.cert] } } });
  for (const fetch of [fake.fetch, fake.fetchWithCertificate(two.cert)]) {
    const error = await failure(clientCredentials({ server: fake.metadata, clientId: 'svc', auth: mutualTls({ fetch }) }).request(undefined, context()));
    expect(error).toMatchObject({ code: 'client_rejected' });
  }
});

it('keeps the tokens of one certificate from a process with another: a changed thumbprint misses the store [P13, R1]', async () => {
  const clock = virtualClock();
  const fake = fakeAuthorizationServer({ clock, clients: { svc: { certificates: [one.cert, two.cert] } } });
  const inner = memoryStore({ clock });
  const store: TokenStore = { ...inner, shared: true, lock: { run: (_name, task) => task(new AbortController().signal), shared: true } };
  const processWith = async (pem: string | (() => string)): Promise<string> => {
    const current = typeof pem === 'string' ? pem : pem();
    const auth = mutualTls({ fetch: fake.fetchWithCertificate(current), certificate: pem });
    const tokens = createTokenManager({ clock, store, grant: clientCredentials({ issuer: fake.issuer, clientId: 'svc', auth }) });
    return (await tokens.getToken()).value;
  };
  const first = await processWith(one.cert);
  expect(await processWith(() => one.cert)).toBe(first);
  const second = await processWith(two.cert);
  expect(second).not.toBe(first);
  expect(await processWith(() => two.cert)).toBe(second);
  expect(fake.tokenRequests).toBe(2);
});

it('changes its certificate while calls go on: a token of the old one is replaced, and no call fails [P13]', async () => {
  const clock = virtualClock();
  const fake = fakeAuthorizationServer({ clock, clients: { svc: { certificates: [one.cert, two.cert] } } });
  let current = one.cert;
  const withCurrent: typeof fetch = (input, init) => fake.fetchWithCertificate(current)(input, init);
  await using client = createServiceClient({
    issuer: fake.issuer,
    clientId: 'svc',
    auth: mutualTls({ fetch: withCurrent, certificate: () => current }),
    clock,
  });
  const http = client.http({ baseUrl: 'https://api.test/', fetch: withCurrent, throwHttpErrors: false, retry: 0 });
  const calls = () => Promise.all(Array.from({ length: 100 }, async () => (await http.get('a')).status));
  expect(new Set(await calls())).toEqual(new Set([200]));
  current = two.cert;
  expect(new Set(await calls())).toEqual(new Set([200]));
  expect(fake.tokenRequests).toBe(2);
});

it('works for refresh tokens as well, and asks for the client id only [P13]', async () => {
  const fake = fakeAuthorizationServer({ clients: { svc: { certificates: [one.cert] } } });
  const auth = mutualTls({ fetch: fake.fetchWithCertificate(one.cert) });
  const grant = refreshToken({ issuer: fake.issuer, clientId: 'svc', auth, refreshToken: fake.issueRefreshToken({ clientId: 'svc' }) });
  expect((await createTokenManager({ grant }).getToken()).type).toBe('Bearer');
});

it('refuses another fetch beside its own, which would never be used', () => {
  const own = vi.fn<typeof fetch>();
  const auth = mutualTls({ fetch: own });
  expect(thrown(() => clientCredentials({ server, clientId: 'svc', auth, fetch: vi.fn<typeof fetch>() })).message).toContain('"fetch"');
  expect(() => clientCredentials({ server, clientId: 'svc', auth, fetch: own })).not.toThrow();
});

it('fails with the name of the option when a function gives no certificate, and hides what it threw [P13, S6]', async () => {
  const given = (certificate: () => string) => mutualTls({ fetch: fakeServer(json(good)).fetch, certificate }).mutualTls?.thumbprint() ?? Promise.resolve();
  expect(await failure(given(() => one.key))).toMatchObject({ code: 'invalid_option', message: expect.stringContaining('"certificate"') });
  const error = await failure(
    given(() => {
      throw new Error('canary');
    }),
  );
  expect(error).toMatchObject({ code: 'grant_failed', message: expect.not.stringContaining('canary') });
});
