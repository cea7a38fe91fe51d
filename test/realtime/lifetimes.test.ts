import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AccessToken, clientSecretBasic, createTokenManager, type JournalEntry, none, refreshToken, type TokenSource } from 'tokenkeep';
import { createServiceClient } from 'tokenkeep/server';
import { describe, it } from 'vitest';
import { startProtectedApi } from '../../examples/demo/protected-api.js';
import { basicClient, orders, publicClient, startTestServer } from '../integration/support/authorization-server.js';
import { runNode } from '../support/run.js';

const lifetimeMs = 4_000;
const lifetimes = process.env['CI'] ? 12 : 3;
const everyMs = 10;

const environment = (issuer: string): Record<string, string> => ({ ISSUER: issuer, CLIENT_ID: basicClient.id, CLIENT_SECRET: basicClient.secret });

/** How long each use waited for its token, the shortest first, and the longest time for which this process stood still, in milliseconds. */
interface Waits {
  readonly waits: readonly number[];
  readonly stallMs: number;
}

/** A hundred uses a second, evenly. */
async function useAllTheTime(tokens: TokenSource, use: (token: AccessToken) => void): Promise<Waits> {
  const waits: number[] = [];
  const stalls = monitorEventLoopDelay({ resolution: 5 });
  stalls.enable();
  const pending: Promise<void>[] = [];
  const began = performance.now();
  for (let call = 0; performance.now() - began < lifetimes * lifetimeMs; call++) {
    const asked = performance.now();
    pending.push(
      tokens.getToken().then((token) => {
        waits.push(performance.now() - asked);
        use(token);
      }),
    );
    await sleep(Math.max(0, began + (call + 1) * everyMs - performance.now()));
  }
  await Promise.all(pending);
  stalls.disable();
  return { waits: waits.sort((a, b) => a - b), stallMs: stalls.max / 1e6 };
}

const describeWaits = (what: string, { waits, stallMs }: Waits): string =>
  `${what}: ${waits.length} calls, waited p50 ${at(waits, 0.5)} ms, p99 ${at(waits, 0.99)} ms, longest ${at(waits, 1)} ms; the process stood still for ${stallMs.toFixed(0)} ms at most`;
const at = (sorted: readonly number[], share: number): string => (sorted[Math.ceil(share * sorted.length) - 1] ?? 0).toFixed(3);

// Half of what a renewal takes; a machine that stands still makes everybody wait.
const longestWait = ({ stallMs }: Pick<Waits, 'stallMs'>): number => 100 + stallMs;

describe.concurrent(`tokens that live ${lifetimeMs / 1000} s from an endpoint that takes 200 ms, over ${lifetimes} lifetimes`, () => {
  it('of a service: no call waits for a renewal, and the API refuses none [E2, R2, H10, peer P18, gap 15]', async ({ expect }) => {
    await using server = await startTestServer({ tokenLifetimeS: lifetimeMs / 1000 });
    const api = await startProtectedApi({ issuer: server.issuer, audience: orders, scopes: { read: 'api:read', write: 'api:write' } });
    server.delayMs = 200;
    const events: JournalEntry[] = [];
    await using client = createServiceClient({
      issuer: server.issuer,
      clientId: basicClient.id,
      auth: clientSecretBasic(basicClient.secret),
      resource: orders,
      scope: 'api:read',
      onEvent: (entry) => events.push(entry),
    });
    await client.tokens.ready();
    const http = client.http({ baseUrl: api.url, retry: 0 });
    const calls: Promise<unknown>[] = [];
    const used = await useAllTheTime(client.tokens, () => calls.push(http.get('/orders').json()));
    await Promise.all(calls);
    await api.close();
    console.log(describeWaits('client credentials', used));
    const { waits } = used;

    const got = events.filter((event) => event.type === 'token');
    expect(got.slice(1).every((event) => event.background && event.reason === 'expiring')).toBe(true);
    expect(got.length - 1).toBeGreaterThanOrEqual(lifetimes);
    expect(events.map((event) => event.type)).not.toContain('expired');
    expect(waits.at(-1)).toBeLessThan(longestWait(used));
    expect(waits.length).toBeGreaterThan((lifetimes * lifetimeMs) / everyMs / 2);
    expect([...api.answers.keys()]).toEqual([200]);
    expect(api.answers.get(200)).toBe(waits.length);
    expect(server.tokenRequests() - got.length).toBeLessThanOrEqual(1);
  });

  it('of a rotating refresh token: no call waits, and no refresh token is sent twice [E2, R3, R6, complaint 3]', async ({ expect }) => {
    await using server = await startTestServer({ tokenLifetimeS: lifetimeMs / 1000 });
    server.delayMs = 200;
    const { refreshToken: token } = await server.issueRefreshToken(publicClient.id, [orders]);
    const events: JournalEntry[] = [];
    const grant = refreshToken({ issuer: server.issuer, clientId: publicClient.id, auth: none(), refreshToken: token });
    await using tokens = createTokenManager({ grant, onEvent: (entry) => events.push(entry) });
    await tokens.ready();
    const used = new Set<AccessToken>();
    const measured = await useAllTheTime(tokens, (each) => used.add(each));
    console.log(describeWaits('refresh token', measured));

    const got = events.filter((event) => event.type === 'token');
    expect(got.slice(1).every((event) => event.background && event.reason === 'expiring')).toBe(true);
    expect(used.size).toBeGreaterThan(lifetimes);
    expect(events.map((event) => event.type)).not.toContain('expired');
    expect(measured.waits.at(-1)).toBeLessThan(longestWait(measured));
    expect(server.refusals).toEqual([]);
  });
});

describe.concurrent(`keepFresh, over ${lifetimes} lifetimes`, () => {
  it('holds a token that is good for use at every moment, though nobody asks [E2, E5]', async ({ expect }) => {
    await using server = await startTestServer({ tokenLifetimeS: lifetimeMs / 1000 });
    server.delayMs = 200;
    await using client = createServiceClient({ issuer: server.issuer, clientId: basicClient.id, auth: clientSecretBasic(basicClient.secret), keepFresh: true });
    await client.tokens.ready();
    const leftMs: number[] = [];
    const began = performance.now();
    while (performance.now() - began < lifetimes * lifetimeMs) {
      leftMs.push((client.tokens.peek()?.expiresAt ?? 0) - Date.now());
      await sleep(20);
    }
    expect(Math.min(...leftMs)).toBeGreaterThan(lifetimeMs / 4);
    expect(server.tokenRequests()).toBeGreaterThan(lifetimes);
    // Renewal starts at half of a lifetime, and up to a tenth of that earlier (E4).
    expect(server.tokenRequests()).toBeLessThanOrEqual(1 + Math.ceil(lifetimes / 0.45));
  });
});

describe.concurrent('a process', () => {
  it.for([false, true])('that has a token and nothing to do ends by itself, keepFresh: %s [E5]', async (keepFresh, { expect }) => {
    await using server = await startTestServer();
    const { code, output } = await runNode(['test/realtime/fixtures/idle.ts'], { env: { ...environment(server.issuer), KEEP_FRESH: String(keepFresh) } });
    expect({ code, output }).toEqual({ code: 0, output: expect.stringMatching(/^\d+\n$/) });
    // Its token lives for a minute and would be renewed after half of it.
    expect(Number(output)).toBeLessThan(5_000);
  });

  it('that waits for a token does not end before it has the failure [R20]', async ({ expect }) => {
    const server = await startTestServer();
    await server.close();
    const { code, output } = await runNode(['test/realtime/fixtures/wait.ts'], { env: environment(server.issuer) });
    expect({ code, output }).toEqual({ code: 0, output: 'transient network_error after 3 attempts\n' });
  });

  it('whose renewals fail behind it notices nothing until the token ends, and no rejection is unhandled [E3, peer P3, complaint 4]', async ({ expect }) => {
    await using server = await startTestServer({ tokenLifetimeS: 8 });
    server.intercept = (request) => {
      if (server.tokenRequests() < 1 || request.url !== '/token') return false;
      request.socket.destroy();
      return true;
    };
    const { code, output } = await runNode(['test/realtime/fixtures/outage.ts'], { env: environment(server.issuer) });
    expect(code, output).toBe(0);
    const seen: { readonly longestMs: number; readonly stallMs: number; readonly livedMs: number } = JSON.parse(output);
    expect(seen).toMatchObject({ failure: 'transient network_error', unhandled: 0 });
    expect(seen.longestMs).toBeLessThan(longestWait(seen));
    // It asked every 50 ms, or as often as the machine let it, until the token ended.
    expect(seen.livedMs).toBeGreaterThan(6_000);
    expect(seen).toMatchObject({ served: expect.toSatisfy((count: number) => count > 60) });
    expect(seen).toMatchObject({ failedBehind: expect.toSatisfy((count: number) => count >= 1 && count <= 3) });
  });
});
