import {
  clientSecretBasic,
  createTokenManager,
  type JournalEntry,
  memoryStore,
  none,
  type RefreshTokenOptions,
  refreshToken,
  type TokenManagerOptions,
} from 'tokenkeep';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { callersOf, oddClient, orders, publicClient, startTestServer, stock, type TestServer } from './support/authorization-server.js';
import { shiftedClock } from './support/shifted-clock.js';

// The server replaces the refresh token at each use and ends the grant when one is used twice: whoever sends two
// requests at a time, or loses an answer, is found out.
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());
beforeEach(() => {
  server.log.length = 0;
  server.refusals.length = 0;
  server.delayMs = 0;
  server.intercept = undefined;
});

const tokenRequests = (): number => server.log.filter((line) => line === 'POST /token').length;

function managerOf(token: string, options: Partial<TokenManagerOptions> = {}, grantOptions: Partial<RefreshTokenOptions> = {}) {
  const events: JournalEntry[] = [];
  const grant = refreshToken({ issuer: server.issuer, clientId: publicClient.id, auth: none(), refreshToken: token, ...grantOptions });
  const tokens = createTokenManager({ grant, onEvent: (entry) => events.push(entry), ...options });
  return { tokens, events };
}

describe('a refresh token that is replaced at each use', () => {
  it('is dead, and all that came from it, when it is sent twice: so the server sees what these tests want to see', async () => {
    const { refreshToken: token } = await server.issueRefreshToken(publicClient.id);
    const send = () =>
      fetch(`${server.issuer}/token`, {
        method: 'POST',
        body: new URLSearchParams({ grant_type: 'refresh_token', client_id: publicClient.id, refresh_token: token }),
      });
    expect([(await send()).status, (await send()).status]).toEqual([200, 400]);
    expect(server.refusals).toEqual(['refresh token already used']);
  });

  it('is sent once for 200 concurrent callers [R2, R3]', async () => {
    const { refreshToken: token } = await server.issueRefreshToken(publicClient.id);
    const { tokens } = managerOf(token);
    expect((await callersOf(tokens, 200)).size).toBe(1);
    expect(tokenRequests()).toBe(1);
  });

  it('gives tokens for several APIs one after the other, each from the latest one [R3]', async () => {
    server.delayMs = 20;
    const { refreshToken: token } = await server.issueRefreshToken(publicClient.id, [orders, stock]);
    const { tokens } = managerOf(token);
    const targets = [tokens.for({ resource: orders }), tokens.for({ resource: stock }), tokens];
    const got = await Promise.all([...targets, ...targets].map((source) => source.getToken()));
    expect(got.slice(0, 2).map((each) => each.claims()?.aud)).toEqual([orders, stock]);
    expect(new Set(got.map((each) => each.value)).size).toBe(3);
    expect(tokenRequests()).toBe(3);
    expect(server.refusals).toEqual([]);
  });

  it('survives twelve expiries under load without ever being sent twice [R3, R6, complaint 3]', async () => {
    const clock = shiftedClock();
    const { refreshToken: token } = await server.issueRefreshToken(publicClient.id, [orders]);
    const { tokens } = managerOf(token, { clock });
    for (let cycle = 0; cycle < 12; cycle++) {
      expect((await callersOf(tokens, 20)).size).toBe(1);
      // Odd ones end in the renewal window, where callers are served meanwhile; even ones past the end.
      clock.advance(cycle % 2 === 0 ? 61_000 : 40_000);
      await callersOf(tokens, 20);
      while (tokens.snapshot().status === 'renewing') await new Promise((resolve) => tokens.subscribe(() => resolve(undefined)));
    }
    expect(tokenRequests()).toBe(13);
    expect(server.refusals).toEqual([]);
  });

  it('is renewed by one of two managers on one store, and the other adopts the result [R5, gap 5, complaint 3]', async () => {
    const clock = shiftedClock();
    const store = memoryStore({ clock });
    const { refreshToken: token } = await server.issueRefreshToken(publicClient.id, [orders]);
    const [one, two] = [managerOf(token, { store, clock }), managerOf(token, { store, clock })];
    for (let cycle = 0; cycle < 5; cycle++) {
      const [ones, twos] = await Promise.all([callersOf(one.tokens, 10), callersOf(two.tokens, 10)]);
      expect(ones).toEqual(twos);
      expect(tokenRequests()).toBe(cycle + 1);
      clock.advance(61_000);
    }
    const adopted = [...one.events, ...two.events].filter((event) => event.type === 'token' && event.source === 'store');
    expect(adopted).toHaveLength(5);
    expect(server.refusals).toEqual([]);
  });

  it('is replaced once when both managers bring the same refused token [R4, R5]', async () => {
    const store = memoryStore();
    const { refreshToken: token } = await server.issueRefreshToken(publicClient.id);
    const [one, two] = [managerOf(token, { store }), managerOf(token, { store })];
    const refused = await one.tokens.getToken();
    await two.tokens.getToken();
    const got = await Promise.all([one, two, one, two].map(({ tokens }) => tokens.getToken({ invalidToken: refused })));
    expect(new Set(got.map((each) => each.value)).size).toBe(1);
    expect(got[0]?.value).not.toBe(refused.value);
    expect(tokenRequests()).toBe(2);
    expect(server.refusals).toEqual([]);
  });
});

describe('a grant that is gone', () => {
  it('ends the session once, and nothing more is asked [R9, R24, complaint 10]', async () => {
    const clock = shiftedClock();
    const { refreshToken: token, grantId } = await server.issueRefreshToken(publicClient.id);
    const { tokens, events } = managerOf(token, { clock });
    await tokens.ready();
    await (await server.provider.Grant.find(grantId))?.destroy();
    clock.advance(61_000);
    const calls = await Promise.allSettled(Array.from({ length: 50 }, () => tokens.getToken()));
    for (const call of calls) expect(call).toMatchObject({ status: 'rejected', reason: { code: 'grant_revoked', kind: 'interaction' } });
    await expect(tokens.getToken()).rejects.toMatchObject({ code: 'grant_revoked' });
    clock.advance(3_600_000);
    await expect(tokens.getToken()).rejects.toMatchObject({ code: 'grant_revoked' });
    expect(events.filter((event) => event.type === 'session_ended')).toMatchObject([{ reason: 'grant_revoked' }]);
    expect(tokenRequests()).toBe(2);
  });

  it('is gone at the server too after revoke(): refresh token and access token [G11]', async () => {
    const { refreshToken: token } = await server.issueRefreshToken(publicClient.id);
    const { tokens, events } = managerOf(token);
    const access = await tokens.getToken();
    expect(await server.introspect(access.value)).toBe(true);
    await tokens.revoke();
    expect(await server.introspect(access.value)).toBe(false);
    await expect(tokens.getToken()).rejects.toMatchObject({ kind: 'interaction' });
    expect(events.filter((event) => event.type === 'session_ended')).toMatchObject([{ reason: 'revoked' }]);
    expect(server.log.filter((line) => line === 'POST /token/revocation')).toHaveLength(2);
  });
});

describe('a grant that is not gone', () => {
  it('outlives a wrong client secret: the right one heals it without a sign-in [R11, complaint 4]', async () => {
    const clock = shiftedClock();
    const { refreshToken: token } = await server.issueRefreshToken(oddClient.id);
    let secret = oddClient.secret;
    const { tokens, events } = managerOf(token, { clock }, { clientId: oddClient.id, auth: clientSecretBasic(() => secret) });
    const first = await tokens.getToken();
    secret = 'rotated too early';
    clock.advance(61_000);
    await expect(tokens.getToken()).rejects.toMatchObject({ code: 'client_rejected', kind: 'configuration' });
    secret = oddClient.secret;
    clock.advance(61_000);
    expect((await tokens.getToken()).value).not.toBe(first.value);
    expect(events.filter((event) => event.type === 'session_ended')).toEqual([]);
  });

  it('outlives a server that is down and asks for an hour of peace [R22, complaint 4, gap 13, gap 14]', async () => {
    const clock = shiftedClock();
    const { refreshToken: token } = await server.issueRefreshToken(publicClient.id);
    const { tokens, events } = managerOf(token, { clock });
    const first = await tokens.getToken();
    server.intercept = (_request, response) => {
      response.writeHead(503, { 'retry-after': '3600' }).end('<html>down for maintenance</html>');
      return true;
    };
    clock.advance(61_000);
    await expect(tokens.getToken()).rejects.toMatchObject({ kind: 'transient', code: 'server_error', status: 503 });
    await expect(tokens.getToken()).rejects.toMatchObject({ kind: 'transient', fromCache: true });
    expect(tokenRequests()).toBe(2);
    server.intercept = undefined;
    clock.advance(4_000_000);
    // The server counts in its own time, so its refresh token still lives.
    expect((await tokens.getToken()).value).not.toBe(first.value);
    expect(events.filter((event) => event.type === 'session_ended')).toEqual([]);
  });
});
