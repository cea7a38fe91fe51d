import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ProtectedApi, startProtectedApi } from '../../examples/demo/protected-api.js';
import { basicClient, orders, startTestServer, type TestServer } from '../integration/support/authorization-server.js';
import { killProcesses, startProcess } from './support/process.js';
import { type SharedStore, soakS, storeKinds } from './support/shared-stores.js';

const processes = 8;
const lifetimeS = 4;
const lengthMs = (soakS ?? 3.5) * 1_000;
const limits = { timeout: lengthMs + 60_000 };

let server: TestServer;
let api: ProtectedApi;
beforeAll(async () => {
  server = await startTestServer({ tokenLifetimeS: lifetimeS });
  server.delayMs = 50;
  api = await startProtectedApi({ issuer: server.issuer, audience: orders, scopes: { read: 'api:read', write: 'api:write' } });
});
afterAll(async () => {
  await killProcesses();
  await Promise.all([api.close(), server.close()]);
});

interface Calls {
  readonly calls: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly longestMs: number;
  readonly carried: readonly string[];
}

interface Soaked {
  readonly calls: number;
  readonly failures: readonly Calls['failures'][];
  readonly longestMs: number;
  /** How many different tokens the calls carried. */
  readonly tokens: number;
  readonly tokenRequests: number;
  /** Calls that the API answered with a 401 first, since the machine stood still while their token expired: they were repeated. */
  readonly refused: number;
}

/** Eight processes that call the API twenty times a second each, while `meanwhile` goes on. */
async function soaked(store: SharedStore, meanwhile: () => Promise<unknown>, skewsMs: readonly number[] = [0]): Promise<Soaked> {
  const before = { requests: server.tokenRequests(), refused: api.answers.get(401) ?? 0 };
  const fleet = Array.from({ length: processes }, (_, index) => {
    const skewMs = skewsMs[index % skewsMs.length] ?? 0;
    const env = { ISSUER: server.issuer, CLIENT_ID: basicClient.id, CLIENT_SECRET: basicClient.secret, RESOURCE: orders, API: api.url };
    return startProcess('fleet-caller.ts', { env: { ...env, ...store.env, SKEW_MS: String(skewMs) } });
  });
  for (const each of fleet) expect(await each.next()).toBe('ready');
  for (const each of fleet) each.send('begin');
  await meanwhile();
  expect(await Promise.all(fleet.map((each) => each.end()))).toEqual(fleet.map(() => 0));
  const told: Calls[] = await Promise.all(fleet.map(async (each) => JSON.parse(await each.next())));
  return {
    calls: told.reduce((sum, { calls }) => sum + calls, 0),
    failures: told.map(({ failures }) => failures),
    longestMs: Math.max(...told.map(({ longestMs }) => longestMs)),
    tokens: new Set(told.flatMap(({ carried }) => carried)).size,
    tokenRequests: server.tokenRequests() - before.requests,
    refused: (api.answers.get(401) ?? 0) - before.refused,
  };
}

const figures = (what: string, { calls, longestMs, tokens, tokenRequests, refused }: Soaked): string =>
  `${what}, ${lengthMs / 1_000} s: ${calls} calls, ${tokens} tokens, ${tokenRequests} token requests, longest call ${longestMs} ms, ${refused} repeated after a 401`;

describe.each(storeKinds)(`8 processes over $kind with tokens of ${lifetimeS} s`, ({ kind, isMissing, open }) => {
  let store: SharedStore;
  beforeAll(async () => {
    if (!isMissing) store = await open();
  });
  afterAll(() => store?.remove());

  // The short run has the clocks apart at once.
  const long = soakS === undefined ? undefined : it.skipIf(isMissing);
  long?.('request no more tokens than their calls carry, plus one, and no call fails [X19, gap 6, complaint 24]', limits, async () => {
    const seen = await soaked(store, () => pause(lengthMs));
    console.log(figures(kind, seen));
    expect(seen.failures).toEqual(Array.from({ length: processes }, () => ({})));
    expect(seen.calls).toBeGreaterThan((processes * lengthMs) / 200);
    // Renewed at half of their lives.
    expect(seen.tokens).toBeGreaterThanOrEqual(Math.floor(lengthMs / 1_000 / lifetimeS));
    expect(seen.tokenRequests).toBeLessThanOrEqual(seen.tokens + 1);
  });

  it.skipIf(isMissing)(
    'do so also where their clocks are up to 10 minutes apart: the store’s clock counts [E8, X17, X19, gap 6, complaint 24]',
    limits,
    async () => {
      const seen = await soaked(store, () => pause(lengthMs), [0, 300_000, -300_000]);
      console.log(figures(`${kind}, clocks 5 min fast and slow`, seen));
      expect(seen.failures).toEqual(Array.from({ length: processes }, () => ({})));
      expect(seen.tokenRequests).toBeLessThanOrEqual(seen.tokens + 1);
      expect(seen.tokens).toBeLessThanOrEqual(2 + Math.ceil(lengthMs / (lifetimeS * 450)));
    },
  );
});
