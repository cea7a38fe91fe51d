import { setTimeout as pause } from 'node:timers/promises';
import { clientSecretBasic } from 'tokenkeep';
import { type Accounts, createAccounts } from 'tokenkeep/server';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type OpenedStore, openStore } from '../../examples/fleet/open-store.js';
import { basicClient, orders, startTestServer, type TestServer } from '../integration/support/authorization-server.js';
import type { DatabaseServer } from './support/database-server.js';
import { killProcesses, startProcess } from './support/process.js';
import { type Rotations, rotationsOf } from './support/rotations.js';
import { type SharedStore, soakS, storeKinds } from './support/shared-stores.js';

const names = ['acme', 'beta', 'core', 'dune'];
const processes = 4;
const hangMs = 30_000;
const kills = soakS === undefined ? 1 : 3;
const leaseMs = 1_500;
// Those who had to have a token just then may try later.
const transient = ['store_unavailable', 'lock_lost', 'lock_timeout'];

let server: TestServer;
let rotations: Rotations;
beforeAll(async () => {
  server = await startTestServer({ tokenLifetimeS: 2 });
  server.delayMs = 20;
  rotations = rotationsOf(server);
});
beforeEach(() => {
  server.refusals.length = 0;
  rotations.during = undefined;
});
afterAll(async () => {
  await killProcesses();
  await server.close();
});

describe.each(storeKinds.filter(({ kind }) => kind !== 'SQLite'))('accounts over $kind, used by 4 processes', ({ kind, isMissing, open }) => {
  let store: SharedStore;
  let opened: OpenedStore;
  let accounts: Accounts;
  beforeAll(async () => {
    if (isMissing) return;
    store = await open();
    opened = await openStore(store.env, { leaseMs });
    const client = { issuer: server.issuer, clientId: basicClient.id, auth: clientSecretBasic(basicClient.secret), resource: orders };
    accounts = createAccounts({ ...client, redirectUri: 'http://localhost:4711/cb', store: opened.store });
  });
  afterAll(async () => {
    await accounts?.dispose();
    await opened?.close();
    await store?.remove();
  });

  /** What the processes heard while their store was gone, and how long they took to be well again. */
  async function through(outage: (database: DatabaseServer) => Promise<void>): Promise<{ readonly failed: readonly string[]; readonly healedMs: number }> {
    for (const accountId of names) {
      const { refreshToken } = await server.issueRefreshToken(basicClient.id, [orders]);
      rotations.own(refreshToken, accountId);
      await accounts.import(accountId, { refreshToken, replace: true });
    }
    const env = { ISSUER: server.issuer, CLIENT_ID: basicClient.id, CLIENT_SECRET: basicClient.secret, RESOURCE: orders, ACCOUNTS: names.join() };
    const running = Array.from({ length: processes }, () => startProcess('account-user.ts', { env: { ...env, ...store.env, LEASE_MS: String(leaseMs) } }));
    for (const each of running) expect(await each.next()).toBe('ready');
    await expect.poll(() => rotations.uses.length, { timeout: 10_000 }).toBeGreaterThan(names.length);
    if (store.server) await outage(store.server);
    const began = performance.now();
    const failures = (): readonly string[] => running.flatMap(({ lines }) => lines.slice(1).flatMap((line) => JSON.parse(line).failed ?? []));
    // Well again: a whole lifetime without a failure.
    for (let before = -1; before !== failures().length; ) {
      if (performance.now() - began > 40_000) expect([new Set(failures().slice(before)), server.refusals]).toEqual([new Set(), []]);
      before = failures().length;
      await pause(2_000);
    }
    const healedMs = performance.now() - began - 2_000;
    expect(await Promise.all(running.map((each) => each.end()))).toEqual(running.map(() => 0));
    // The refresh token that is stored is the one that the server takes.
    for (const accountId of names) {
      const tokens = accounts.account(accountId);
      await tokens.getToken({ invalidToken: await tokens.getToken() });
      expect([accountId, (await accounts.details(accountId))?.state]).toEqual([accountId, 'healthy']);
    }
    return { failed: failures(), healedMs };
  }

  const figures = (what: string, { failed, healedMs }: Awaited<ReturnType<typeof through>>, before: number): void =>
    console.log(
      `${kind}, ${what}: ${failed.length} calls failed meanwhile, well again after ${Math.round(healedMs / 1_000)} s, ` +
        `${rotations.uses.length - before} refresh requests, ${server.refusals.length} refused`,
    );

  // The stores’ own tests have a hang that is short.
  const long = soakS === undefined ? undefined : it.skipIf(isMissing);
  long?.(`are all there after it hung for ${hangMs / 1_000} s [X18, complaint 27]`, { timeout: hangMs + 120_000 }, async () => {
    const before = rotations.uses.length;
    const seen = await through(async (database) => {
      database.hang();
      await pause(hangMs);
      database.resume();
    });
    figures(`silent for ${hangMs / 1_000} s`, seen, before);
    expect(server.refusals).toEqual([]);
    expect([...new Set(seen.failed)].filter((code) => !transient.includes(code))).toEqual([]);
  });

  it.skipIf(isMissing)(
    'are all there after it was killed with an answer of the server under way, and restarted [R6, R14, X18, complaint 23]',
    { timeout: 120_000 },
    async () => {
      const before = rotations.uses.length;
      const seen = await through(async (database) => {
        for (let round = 0; round < kills; round++) {
          const answering = Promise.withResolvers<void>();
          rotations.during = (_use, moment) => {
            if (moment === 'answering') answering.resolve();
          };
          await answering.promise;
          await database.kill();
          rotations.during = undefined;
          await pause(500);
          await database.start();
          await pause(2_000);
        }
      });
      figures(`killed and restarted, ${kills} times`, seen, before);
      expect(server.refusals).toEqual([]);
      expect([...new Set(seen.failed)].filter((code) => !transient.includes(code))).toEqual([]);
    },
  );
});
