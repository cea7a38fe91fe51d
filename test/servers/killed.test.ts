import { setTimeout as pause } from 'node:timers/promises';
import { clientSecretBasic, isTokenError } from 'tokenkeep';
import { type Accounts, createAccounts } from 'tokenkeep/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenedStore, openStore } from '../../examples/fleet/open-store.js';
import { basicClient, orders, startTestServer, type TestServer } from '../integration/support/authorization-server.js';
import { Random } from '../simulation/world/random.js';
import { seed } from '../support/seed.js';
import { killProcesses, type Process, startProcess } from './support/process.js';
import { type Rotations, rotationsOf, type Use } from './support/rotations.js';
import { type SharedStore, soakS, storeKinds } from './support/shared-stores.js';

const names = ['acme', 'beta', 'core', 'dune', 'echo', 'fern', 'gale', 'hale', 'iris', 'jade', 'kite', 'lark'];
const processes = 4;
// A process that stands still for longer than that has lost its lock, and what it sent is sent again: machines that run tests stand still for seconds.
const leaseMs = 4_000;
// Of those who had to have a token while a machine stood still.
const transient = ['lock_lost', 'lock_timeout', 'store_unavailable'];
const lengthMs = (soakS ?? 0) * 1_000;
const leastKills = soakS === undefined ? 3 : 100;

let server: TestServer;
let rotations: Rotations;
beforeAll(async () => {
  server = await startTestServer({ tokenLifetimeS: 2 });
  server.delayMs = 20;
  rotations = rotationsOf(server);
});
afterAll(async () => {
  await killProcesses();
  await server.close();
});

describe.each(storeKinds)('accounts over $kind, at a server that rotates and ends a grant at a reuse', ({ kind, isMissing, open }) => {
  const random = new Random(seed, 6);
  const killed = new Set<number>();
  const everStarted: Process[] = [];
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
    rotations.during = undefined;
    await killProcesses();
    await accounts?.dispose();
    await opened?.close();
    await store?.remove();
  });

  async function connect(accountId: string): Promise<void> {
    const { refreshToken } = await server.issueRefreshToken(basicClient.id, [orders]);
    rotations.own(refreshToken, accountId);
    expect(await accounts.import(accountId, { refreshToken, replace: true })).toBe(true);
  }

  /** What a process has printed. */
  const told = (pid: number): readonly Readonly<Record<string, string>>[] =>
    everStarted.filter((each) => each.pid === pid).flatMap(({ lines }) => lines.slice(1).map((line) => JSON.parse(line)));

  /** Its process was killed before it could tell that the store has the answer. */
  function diedWith(use: Use): boolean {
    const { pid, account, answer } = use;
    const alike = rotations.uses.filter((each) => each.pid === pid && each.account === account && each.answer === answer);
    const stored = told(pid).filter((line) => line[answer === 'rotated' ? 'renewed' : 'reconnect'] === account).length;
    return killed.has(pid) && alike.indexOf(use) >= stored;
  }

  async function start(): Promise<Process> {
    const env = {
      ISSUER: server.issuer,
      CLIENT_ID: basicClient.id,
      CLIENT_SECRET: basicClient.secret,
      RESOURCE: orders,
      ACCOUNTS: names.join(),
      LEASE_MS: String(leaseMs),
    };
    const user = startProcess('account-user.ts', { env: { ...env, ...store.env } });
    everStarted.push(user);
    expect(await user.next()).toBe('ready');
    return user;
  }

  /** Kills one of them: at any moment, when its refresh token has arrived, before the answer to it is sent, or just after. */
  async function killOne(running: readonly Process[]): Promise<Process> {
    const moment = random.pick('any', 'asked', 'answering', 'answered');
    const any = running[random.int(0, running.length - 1)];
    if (any === undefined) throw new Error('none is running');
    const delayMs = random.int(0, 9);
    const chosen = Promise.withResolvers<number>();
    if (moment === 'any') setTimeout(() => chosen.resolve(any.pid), random.int(0, 299));
    rotations.during = ({ pid }, now) => {
      if (!running.some((each) => each.pid === pid)) return;
      if (moment === 'answered' && now === 'answering') setTimeout(() => chosen.resolve(pid), delayMs);
      if (moment !== now) return;
      rotations.during = undefined;
      // Here and now: the answer must find nobody.
      process.kill(pid, 'SIGKILL');
      killed.add(pid);
      chosen.resolve(pid);
    };
    const pid = await Promise.race([chosen.promise, pause(3_000, any.pid)]);
    rotations.during = undefined;
    const victim = running.find((each) => each.pid === pid) ?? any;
    killed.add(victim.pid);
    await victim.kill();
    return victim;
  }

  it.skipIf(isMissing)(
    'are lost only where an answer died with its process, and are reported as such, however often processes are killed [R8, R14, gap 7, complaints 23 and 24]',
    { timeout: lengthMs * 8 + 120_000 },
    async () => {
      await Promise.all(names.map(connect));
      const begun = rotations.uses.length;
      let running: readonly Process[] = await Promise.all(Array.from({ length: processes }, start));
      const lost: { readonly accountId: string; readonly heard: number }[] = [];

      async function reconnectLost(): Promise<void> {
        for await (const { accountId, reason } of accounts.list({ state: 'needs_reconnect' })) {
          const uses = rotations.latestOf(accountId);
          const latest = uses.findLast(({ answer }) => answer === 'rotated');
          expect([accountId, reason, latest && diedWith(latest)]).toEqual([accountId, 'rotation_lost', true]);
          lost.push({ accountId, heard: uses.filter((use) => use.answer === 'refused' && !diedWith(use)).length });
          await connect(accountId);
        }
      }

      const began = performance.now();
      while (killed.size < leastKills || performance.now() - began < lengthMs) {
        const victim = await killOne(running);
        const next = await start();
        running = running.map((each) => (each === victim ? next : each));
        await reconnectLost();
      }
      const tookMs = performance.now() - began;
      expect(await Promise.all(running.map((each) => each.end()))).toEqual(running.map(() => 0));
      // What nobody has asked for since the last kill shows now.
      for (const accountId of names) {
        const tokens = accounts.account(accountId);
        const lastUse = await tokens
          .getToken()
          .then((invalidToken) => tokens.getToken({ invalidToken }))
          .catch((error: unknown) => error);
        if (isTokenError(lastUse)) await reconnectLost();
      }
      for (const accountId of names) expect((await accounts.account(accountId).getToken()).value).toMatch(/./);

      const uses = rotations.uses.slice(begun);
      const failed = everStarted.flatMap(({ pid }) => told(pid)).filter((line) => line['failed'] !== undefined);
      const answersLost = uses.filter((use) => use.answer === 'rotated' && diedWith(use)).length;
      console.log(
        `${kind}: ${killed.size} kills in ${Math.round(tookMs / 1_000)} s, ${uses.length} refresh requests, ` +
          `${uses.filter(({ answer }) => answer === undefined).length} of them gone before the server had looked, ` +
          `${answersLost} answers died with their process, ${lost.length} accounts lost, ${failed.filter((line) => transient.includes(line['failed'] ?? '')).length} calls told to try later`,
      );
      // Nobody asks again for an account that is lost, unless the process that heard of it died with the news.
      for (const { heard } of lost) expect(heard).toBeLessThanOrEqual(1);
      expect(lost.length).toBeLessThanOrEqual(answersLost);
      // Everybody else noticed nothing: they waited for the lease of the dead at most. A reconnect ends what was under way.
      const lostNames = new Set(lost.map(({ accountId }) => accountId));
      for (const { accountId = '', failed: code = '' } of failed) {
        if (transient.includes(code)) continue;
        expect(['rotation_lost', 'session_changed']).toContain(code);
        expect(lostNames).toContain(accountId);
      }
    },
  );
});
