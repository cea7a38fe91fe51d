import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { fakeAuthorizationServer, type FakeAuthorizationServer, type FakeAuthorizationServerOptions, type VirtualClock, virtualClock } from 'tokenkeep/testing';
import { type TestKey, testKey } from '../protocol/signing.js';

const grantTypes = 'urn:ietf:params:oauth:grant-type:';

async function post(server: FakeAuthorizationServer, path: string, params: Record<string, string>): Promise<Record<string, unknown> & { status: number }> {
  const response = await server.fetch(`https://as.test/${path}`, { method: 'POST', body: new URLSearchParams(params) });
  const body: unknown = await response.json().catch(() => undefined);
  return { ...Object(body), status: response.status };
}

describe('device codes of the fake server [gap 18]', () => {
  const polling = (server: FakeAuthorizationServer, code: unknown, clientId = 'tv') =>
    post(server, 'token', { grant_type: `${grantTypes}device_code`, device_code: String(code), client_id: clientId });

  it('are pending until the user has decided, and good for one use and one client', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, knobs: { devicePending: 1, deviceInterval: 2 } });
    const { device_code: code, interval, expires_in: expiresIn } = await post(server, 'device_authorization', { client_id: 'tv', scope: 'a b' });
    expect([interval, expiresIn]).toEqual([2, 600]);
    await clock.advance(2_000);
    expect(await polling(server, code)).toMatchObject({ status: 400, error: 'authorization_pending' });
    expect(await polling(server, code, 'other')).toMatchObject({ error: 'invalid_grant' });
    await clock.advance(2_000);
    expect(await polling(server, code)).toMatchObject({ status: 200, scope: 'a b', refresh_token: expect.stringMatching(/^rt-/) });
    expect(await polling(server, code)).toMatchObject({ error: 'invalid_grant' });
  });

  it('may be asked after no oftener than the interval, which grows with each slow_down and may be named', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, knobs: { slowDownNamesInterval: true } });
    const { device_code: code } = await post(server, 'device_authorization', { client_id: 'tv' });
    expect(await polling(server, code)).toMatchObject({ error: 'slow_down', interval: 10 });
    await clock.advance(9_000);
    expect(await polling(server, code)).toMatchObject({ error: 'slow_down', interval: 15 });
    await clock.advance(15_000);
    expect(await polling(server, code)).toMatchObject({ status: 200 });
  });

  it('run out, in either spelling, and may be refused', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, knobs: { deviceExpiresIn: 10, deviceExpiredError: 'token_expired' } });
    const { device_code: code } = await post(server, 'device_authorization', { client_id: 'tv' });
    await clock.advance(10_000);
    expect(await polling(server, code)).toMatchObject({ error: 'token_expired' });
    server.set({ deviceDecision: 'denied' });
    const { device_code: other } = await post(server, 'device_authorization', { client_id: 'tv' });
    await clock.advance(5_000);
    expect(await polling(server, other)).toMatchObject({ error: 'access_denied' });
  });
});

describe('token exchange at the fake server [gap 18]', () => {
  it('says what it issued, and wants tokens with their types', async () => {
    const server = fakeAuthorizationServer();
    const exchange = (params: Record<string, string>) => post(server, 'token', { grant_type: `${grantTypes}token-exchange`, client_id: 'app', ...params });
    const subject = { subject_token: 's', subject_token_type: 'urn:x' };
    expect(await exchange(subject)).toMatchObject({ status: 200, issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' });
    expect(await exchange({ ...subject, requested_token_type: 'urn:y' })).toMatchObject({ issued_token_type: 'urn:y' });
    for (const params of [{}, { subject_token: 's' }, { ...subject, actor_token: 'a' }, { ...subject, actor_token_type: 'urn:x' }])
      expect(await exchange(params)).toMatchObject({ status: 400, error: 'invalid_request' });
    server.set({ members: { issued_token_type: undefined } });
    expect(await exchange(subject)).not.toHaveProperty('issued_token_type');
  });
});

describe('JWT bearer assertions at the fake server [gap 18]', () => {
  const scene = async (options: FakeAuthorizationServerOptions = {}): Promise<{ clock: VirtualClock; server: FakeAuthorizationServer; key: TestKey }> => {
    const clock = virtualClock();
    const key = await testKey('ES256');
    return { clock, key, server: fakeAuthorizationServer({ clock, assertionIssuers: { robot: key.publicJwk }, ...options }) };
  };
  const signed = (key: TestKey, clock: VirtualClock, claims: Record<string, unknown> = {}): Promise<string> => {
    const iat = Math.floor(clock.now() / 1000);
    const all = { iss: 'robot', aud: 'https://as.test', iat, exp: iat + 60, jti: crypto.randomUUID(), ...claims };
    return new SignJWT(all).setProtectedHeader({ alg: 'ES256' }).sign(key.cryptoKey);
  };
  const bearing = (server: FakeAuthorizationServer, assertion: string) => post(server, 'token', { grant_type: `${grantTypes}jwt-bearer`, assertion });

  it('are taken once, from whose keys are known, without any client beside', async () => {
    const { clock, server, key } = await scene();
    const assertion = await signed(key, clock, { scope: 'a b' });
    expect(await bearing(server, assertion)).toMatchObject({ status: 200, scope: 'a b' });
    expect(await bearing(server, assertion)).toMatchObject({ status: 400, error: 'invalid_grant', error_description: 'the assertion was used before' });
  });

  it.each([
    ['a stranger', { iss: 'stranger' }, 'the signature is wrong'],
    ['no issuer', { iss: undefined }, 'iss is missing'],
    ['another audience', { aud: 'https://other.test' }, 'aud is somebody else'],
    ['two audiences', { aud: ['https://as.test', 'https://as.test/token'] }, 'aud is somebody else'],
    ['an end long ago', { exp: 1 }, 'the assertion has expired'],
    ['no end', { exp: undefined }, 'the assertion has expired'],
    ['a date to come', { iat: 4_000_000_000, exp: 4_000_000_060 }, 'the assertion comes from the future'],
    ['a life of a day', { exp: Date.UTC(2026, 0, 2) / 1000 }, 'the assertion lives too long'],
  ])('are refused with %s', async (_, claims, description) => {
    const { clock, server, key } = await scene();
    expect(await bearing(server, await signed(key, clock, claims))).toMatchObject({ error: 'invalid_grant', error_description: description });
  });

  it('are refused with a signature by another key, and taken from everybody where nobody is known', async () => {
    const { clock, server, key } = await scene({ assertionIssuers: { robot: (await testKey('ES256')).publicJwk } });
    expect(await bearing(server, await signed(key, clock))).toMatchObject({ error: 'invalid_grant' });
    const open = await scene({ assertionIssuers: undefined });
    expect(await bearing(open.server, await signed(key, open.clock, { iss: 'anybody' }))).toMatchObject({ status: 200 });
    expect(await bearing(open.server, 'no-jwt')).toMatchObject({ error: 'invalid_grant', error_description: 'the assertion is no JWT' });
  });

  it('must be for whom the knob says', async () => {
    const { clock, server, key } = await scene({ knobs: { bearerAudience: 'token_endpoint' } });
    expect(await bearing(server, await signed(key, clock))).toMatchObject({ error: 'invalid_grant' });
    expect(await bearing(server, await signed(key, clock, { aud: 'https://as.test/token' }))).toMatchObject({ status: 200 });
  });
});

describe('introspection at the fake server [gap 18]', () => {
  it('tells of live tokens, of nothing else, and only to clients that prove who they are', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, clients: { api: 'secret' }, knobs: { introspectionMembers: { tenant: 't' } } });
    const asking = (token: string, secret = 'secret') => post(server, 'introspect', { client_id: 'api', client_secret: secret, token });
    const token = server.issueAccessToken({ clientId: 'svc', scope: 'a' });
    const exp = Date.UTC(2026, 0, 1, 1) / 1000;
    expect(await asking(token)).toMatchObject({ active: true, client_id: 'svc', scope: 'a', exp, tenant: 't' });
    expect(await asking(server.issueRefreshToken())).toEqual({ active: true, status: 200 });
    server.revokeAccessToken(token);
    expect([await asking(token), await asking('unknown')]).toEqual([
      { active: false, status: 200 },
      { active: false, status: 200 },
    ]);
    expect(await asking(token, 'wrong')).toMatchObject({ status: 401, error: 'invalid_client' });
    server.set({ introspection: false });
    expect((await asking(token)).status).toBe(404);
    expect(server.metadata.introspection_endpoint).toBeUndefined();
  });
});
