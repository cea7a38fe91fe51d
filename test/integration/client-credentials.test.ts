import { type ClientAuth, clientCredentials, clientSecretBasic, clientSecretPost, createTokenManager, type TokenManager } from 'tokenkeep';
import { createServiceClient } from 'tokenkeep/server';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  basicClient,
  callersOf,
  ledger,
  oddClient,
  orders,
  plusClient,
  postClient,
  startTestServer,
  stock,
  type TestClient,
  type TestServer,
} from './support/authorization-server.js';
import { shiftedClock } from './support/shifted-clock.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());
beforeEach(() => {
  server.log.length = 0;
});

const managerOf = (client: TestClient, auth: ClientAuth): TokenManager =>
  createTokenManager({ grant: clientCredentials({ issuer: server.issuer, clientId: client.id, auth, resource: orders, scope: 'api:read' }) });

describe('client authentication', () => {
  const cases: readonly (readonly [name: string, client: TestClient, auth: ClientAuth])[] = [
    ['client_secret_basic', basicClient, clientSecretBasic(basicClient.secret)],
    ['client_secret_basic with an id and a secret full of special characters', oddClient, clientSecretBasic(oddClient.secret)],
    ['client_secret_basic with strict encoding', oddClient, clientSecretBasic(oddClient.secret, { encoding: 'strict' })],
    ['client_secret_basic without encoding, where nothing needs one', basicClient, clientSecretBasic(basicClient.secret, { encoding: 'raw' })],
    ['client_secret_post with a secret full of special characters', postClient, clientSecretPost(postClient.secret)],
  ];
  it.each(cases)('is accepted: %s [P4, P6, P7]', async (_name, client, auth) => {
    const token = await managerOf(client, auth).getToken();
    expect(token.claims()).toMatchObject({ client_id: client.id, aud: orders, scope: 'api:read' });
    expect(token.type).toBe('Bearer');
    expect(token.scope).toEqual(['api:read']);
  });

  it('is refused where the server decodes and the client did not encode, without trying another method [P5, P6, P25]', async () => {
    await expect(managerOf(plusClient, clientSecretBasic(plusClient.secret)).ready()).resolves.toBeUndefined();
    server.log.length = 0;
    const tokens = managerOf(plusClient, clientSecretBasic(plusClient.secret, { encoding: 'raw' }));
    await expect(tokens.getToken()).rejects.toMatchObject({ kind: 'configuration', code: 'client_rejected', oauthError: 'invalid_client', status: 401 });
    expect(server.log.filter((line) => line === 'POST /token')).toHaveLength(1);
  });

  it('heals without a restart once the secret is right again [R24]', async () => {
    const clock = shiftedClock();
    let secret = 'an old secret';
    const auth = clientSecretBasic(() => secret);
    await using client = createServiceClient({ issuer: server.issuer, clientId: basicClient.id, auth, clock });
    await expect(client.tokens.ready()).rejects.toMatchObject({ code: 'client_rejected' });
    secret = basicClient.secret;
    clock.advance(60_001);
    await expect(client.tokens.ready()).resolves.toBeUndefined();
    expect(client.tokens.snapshot().status).toBe('ready');
  });
});

describe('the server', () => {
  it('is discovered once for all renewals [A27]', async () => {
    const tokens = managerOf(basicClient, clientSecretBasic(basicClient.secret));
    const first = await tokens.getToken();
    const second = await tokens.getToken({ invalidToken: first });
    expect(second.value).not.toBe(first.value);
    expect(server.log.filter((line) => line.startsWith('GET /.well-known/'))).toHaveLength(1);
    expect(server.log.filter((line) => line === 'POST /token')).toHaveLength(2);
  });

  it('is used as its metadata say, without discovery, when they are given', async () => {
    const metadata = { issuer: server.issuer, token_endpoint: `${server.issuer}/token` };
    const grant = clientCredentials({ server: metadata, clientId: basicClient.id, auth: clientSecretBasic(basicClient.secret) });
    await createTokenManager({ grant }).ready();
    expect(server.log).toEqual(['POST /token']);
  });
});

describe('tokens for several APIs', () => {
  it('are kept apart, each requested once [R1, R2, P31]', async () => {
    const { tokens } = createServiceClient({ issuer: server.issuer, clientId: basicClient.id, auth: clientSecretBasic(basicClient.secret) });
    const each = [...Array(50).keys()].flatMap(() => [
      tokens.for({ resource: orders }).getToken(),
      tokens.for({ resource: stock, scope: 'api:write' }).getToken(),
    ]);
    const got = await Promise.all(each);
    expect(new Set(got.map((token) => token.value)).size).toBe(2);
    expect(got[0]?.claims()).toMatchObject({ aud: orders });
    expect(got[1]?.claims()).toMatchObject({ aud: stock, scope: 'api:write' });
    expect(server.log.filter((line) => line === 'POST /token')).toHaveLength(2);
  });

  it('may be opaque: no claims, and a lifetime all the same [E12]', async () => {
    const { tokens } = createServiceClient({ issuer: server.issuer, clientId: basicClient.id, auth: clientSecretBasic(basicClient.secret), resource: ledger });
    const token = await tokens.getToken();
    expect(token.claims()).toBeUndefined();
    expect((token.expiresAt ?? 0) - Date.now()).toBeGreaterThan(50_000);
    expect(await server.introspect(token.value)).toBe(true);
  });

  it('fail alone when the server does not know one of the APIs [gap 3]', async () => {
    const { tokens } = createServiceClient({ issuer: server.issuer, clientId: basicClient.id, auth: clientSecretBasic(basicClient.secret) });
    await expect(tokens.for({ resource: 'https://unknown.example' }).getToken()).rejects.toMatchObject({ kind: 'configuration', oauthError: 'invalid_target' });
    await expect(tokens.for({ resource: orders }).getToken()).resolves.toMatchObject({ type: 'Bearer' });
  });
});

describe('revocation', () => {
  it('ends an opaque token at the server, and the next call gets a new one [G11]', async () => {
    const { tokens } = createServiceClient({ issuer: server.issuer, clientId: basicClient.id, auth: clientSecretBasic(basicClient.secret), resource: ledger });
    const token = await tokens.getToken();
    await tokens.revoke();
    expect(await server.introspect(token.value)).toBe(false);
    expect(tokens.peek()).toBeUndefined();
    expect((await tokens.getToken()).value).not.toBe(token.value);
  });

  it('of a token that the server cannot revoke forgets it here [G11]', async () => {
    const tokens = managerOf(basicClient, clientSecretBasic(basicClient.secret));
    const token = await tokens.getToken();
    await expect(tokens.revoke()).resolves.toBeUndefined();
    expect((await tokens.getToken()).value).not.toBe(token.value);
  });
});

describe('one request for all', () => {
  it('serves 10,000 concurrent callers on a cold cache [R2, peer P4]', async () => {
    const tokens = managerOf(basicClient, clientSecretBasic(basicClient.secret));
    expect((await callersOf(tokens, 10_000)).size).toBe(1);
    expect(server.log.filter((line) => line === 'POST /token')).toHaveLength(1);
  });
});
