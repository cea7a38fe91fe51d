import { randomBytes } from 'node:crypto';
import {
  type AccessToken,
  clientCredentials,
  clientSecretBasic,
  createTokenManager,
  type Dpop,
  dpop,
  memoryStore,
  none,
  type RefreshTokenOptions,
  refreshToken,
} from 'tokenkeep';
import { createServiceClient, type ServiceClient, type ServiceClientOptions } from 'tokenkeep/server';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AuthorizationServer, startAuthorizationServer } from '../../examples/demo/authorization-server.js';
import { callersOf, orders } from './support/authorization-server.js';
import { type DpopApi, startDpopApi } from './support/dpop-api.js';
import { shiftedClock } from './support/shifted-clock.js';

const scope = 'api:read api:write';
const clientId = 'bound-service';
const secret = 'secret-of-the-bound-service';
const app = 'bound-app';

let nonceRequired = false;
let server: AuthorizationServer;
let api: DpopApi;

beforeAll(async () => {
  server = await startAuthorizationServer({
    clients: [
      { client_id: clientId, client_secret: secret, grant_types: ['client_credentials'], dpop_bound_access_tokens: true },
      { client_id: app, grant_types: ['refresh_token'], token_endpoint_auth_method: 'none', dpop_bound_access_tokens: true },
    ],
    resources: { [orders]: { scope } },
    tokenLifetimeS: 60,
    configuration: {
      rotateRefreshToken: () => true,
      enabledJWA: { dPoPSigningAlgValues: ['ES256', 'PS256', 'RS256', 'EdDSA'] },
      findAccount: async (_context: unknown, accountId: string) => ({ accountId, claims: async () => ({ sub: accountId }) }),
      features: { dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => nonceRequired } },
    },
  });
  api = await startDpopApi(server.issuer);
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await server.close();
});

let sent = 0;
beforeEach(() => {
  nonceRequired = false;
  api.nonces = undefined;
  api.log.length = 0;
  sent = server.tokenRequests();
});
const tokenRequests = (): number => server.tokenRequests() - sent;

function clientOf(options: Partial<ServiceClientOptions> = {}): ServiceClient {
  return createServiceClient({ issuer: server.issuer, clientId, auth: clientSecretBasic(secret), resource: orders, scope, dpop: dpop(), ...options });
}

async function present(token: AccessToken, nonce?: string): Promise<number> {
  const url = `${api.url}/orders?page=1`;
  const { status } = await fetch(url, { headers: await token.headers({ method: 'GET', url, nonce }) });
  return status;
}

describe('client credentials with DPoP, against oidc-provider', () => {
  it.each(['ES256', 'EdDSA', 'PS256', 'RS256'] as const)('give a token that is bound to an %s key, which a verifying API takes [H19] [P18]', async (alg) => {
    const key = dpop({ alg });
    await using client = clientOf({ dpop: key });
    const token = await client.tokens.getToken();
    expect(token.type).toBe('DPoP');
    expect(token.claims()).toMatchObject({ cnf: { jkt: await key.thumbprint() } });
    expect(await present(token)).toBe(200);
    expect(tokenRequests()).toBe(1);
  });

  it('are refused without a proof, where the client is registered for bound tokens', async () => {
    await using client = clientOf({ dpop: undefined });
    await expect(client.tokens.getToken()).rejects.toMatchObject({ kind: 'configuration' });
  });

  it('send the nonce that the server asks for, once, and know it afterwards [H21] [H20]', async () => {
    nonceRequired = true;
    await using client = clientOf();
    const first = await client.tokens.getToken();
    expect(tokenRequests()).toBe(2);
    await client.tokens.getToken({ invalidToken: first });
    expect(tokenRequests()).toBe(3);
    expect(client.tokens.explain().map(({ type }) => type)).toEqual(['token', 'refused', 'token']);
  });

  it('need one token for 1,000 callers, nonce and all [R2] [gap 3]', async () => {
    nonceRequired = true;
    await using client = clientOf();
    expect((await callersOf(client.tokens, 1_000)).size).toBe(1);
    expect(tokenRequests()).toBe(2);
  });

  it.each([-600_000, 600_000])('work with a clock that is wrong by %d ms, after one repeated request [E13] [gap 10]', async (offset) => {
    const clock = shiftedClock();
    clock.advance(offset);
    await using client = clientOf({ clock });
    const token = await client.tokens.getToken();
    expect(tokenRequests()).toBe(2);
    expect(await present(token)).toBe(200);
    await client.tokens.getToken({ invalidToken: token });
    expect(tokenRequests()).toBe(3);
  });

  it('share a stored token with whoever has the key, and with nobody else [R1]', async () => {
    const store = memoryStore();
    const managerOf = (key: Dpop) =>
      createTokenManager({
        grant: clientCredentials({ issuer: server.issuer, clientId, auth: clientSecretBasic(secret), resource: orders, dpop: key }),
        store,
      });
    const key = dpop();
    const first = await managerOf(key).getToken();
    const restored = await managerOf(key).getToken();
    expect(restored.value).toBe(first.value);
    expect(await present(restored)).toBe(200);
    expect((await managerOf(dpop()).getToken()).value).not.toBe(first.value);
    expect(tokenRequests()).toBe(2);
  });
});

describe('a refresh token of a public client that is bound to the key, against oidc-provider', () => {
  async function signIn(key: Dpop): Promise<string> {
    const { Client, Grant, RefreshToken } = server.provider;
    const client = await Client.find(app);
    if (client === undefined) throw new Error('no client');
    const grant = new Grant({ clientId: app, accountId: 'alice' });
    grant.addOIDCScope('offline_access');
    grant.addResourceScope(orders, scope);
    const fields = { client, accountId: 'alice', grantId: await grant.save(), gty: 'authorization_code', scope: `offline_access ${scope}`, resource: [orders] };
    return new RefreshToken({ ...fields, jkt: await key.thumbprint() }).save();
  }
  const managerOf = (options: Pick<RefreshTokenOptions, 'refreshToken' | 'dpop'>) =>
    createTokenManager({ grant: refreshToken({ issuer: server.issuer, clientId: app, auth: none(), resource: orders, ...options }) });

  it('is renewed with it, rotation and nonces included [H19] [H21] [P18]', async () => {
    nonceRequired = true;
    const key = dpop();
    const tokens = managerOf({ refreshToken: await signIn(key), dpop: key });
    const first = await tokens.getToken();
    const second = await tokens.getToken({ invalidToken: first });
    expect(second.value).not.toBe(first.value);
    expect(await present(second)).toBe(200);
    expect(tokenRequests()).toBe(3);
  });

  it('is of no use with another key: key_lost where that key is new [H22]', async () => {
    const tokens = managerOf({ refreshToken: await signIn(dpop()), dpop: dpop() });
    await expect(tokens.getToken()).rejects.toMatchObject({ kind: 'interaction', code: 'key_lost', oauthError: 'invalid_grant' });
    expect(tokenRequests()).toBe(1);
  });
});

describe('a service that calls an API which verifies proofs', () => {
  it('learns the nonces of both servers, each at the price of one repeated request [H20] [H21]', async () => {
    nonceRequired = true;
    api.nonces = 'known';
    await using client = clientOf();
    const http = client.http({ prefix: api.url });
    for (let count = 0; count < 3; count++) await http.get('orders', { searchParams: { page: count } });
    expect(api.log).toEqual(['GET /orders?page=0 401 use_dpop_nonce', 'GET /orders?page=0 200', 'GET /orders?page=1 200', 'GET /orders?page=2 200']);
    expect(tokenRequests()).toBe(2);
  });

  it('learns a nonce that is good for one request from each success [H20]', async () => {
    api.nonces = 'once';
    await using client = clientOf();
    const http = client.http({ prefix: api.url });
    for (let count = 0; count < 5; count++) await http.get('orders');
    expect(api.log).toHaveLength(6);
  });

  it('sends nonce, refused token and success: three sends, one renewal, the body byte for byte [H21] [H10] [gap 16]', async () => {
    api.nonces = 'known';
    await using client = clientOf();
    api.revoked.add((await client.tokens.getToken()).value);
    const answer = await client
      .http({ prefix: api.url })
      .post('orders', { json: { count: 1 } })
      .json();
    expect(answer).toMatchObject({ method: 'POST', body: '{"count":1}' });
    expect(api.log).toEqual(['POST /orders 401 use_dpop_nonce', 'POST /orders 401 invalid_token', 'POST /orders 200']);
    expect(tokenRequests()).toBe(2);
  });

  it('needs one token for 200 calls on a cold cache, and no call fails [R2] [gap 3]', async () => {
    nonceRequired = true;
    api.nonces = 'once';
    await using client = clientOf();
    const http = client.http({ prefix: api.url });
    const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => http.post('orders', { body: `order ${index}` }).json<{ body: string }>()));
    expect(answers.map(({ body }) => body)).toEqual(Array.from({ length: 200 }, (_, index) => `order ${index}`));
    expect(tokenRequests()).toBe(2);
  });

  it('with a clock that is wrong by a day is served all the same [E13] [gap 10]', async () => {
    const clock = shiftedClock();
    clock.advance(-86_000_000);
    await using client = clientOf({ clock });
    expect((await client.http({ prefix: api.url }).get('orders')).status).toBe(200);
    expect(api.log).toEqual(['GET /orders 200']);
  });

  it('renews once for 50 calls that a revoked token meets, each repeated once with a proof of its own [R4] [H10]', async () => {
    await using client = clientOf();
    const http = client.http({ prefix: api.url });
    await http.get('orders');
    api.revoked.add((await client.tokens.getToken()).value);
    await Promise.all(Array.from({ length: 50 }, () => http.get('orders')));
    expect(api.log.filter((line) => line.endsWith('invalid_token'))).toHaveLength(50);
    expect(tokenRequests()).toBe(2);
  });
});
