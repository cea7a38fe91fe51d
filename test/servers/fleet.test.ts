import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { basicClient, orders, startTestServer, type TestServer } from '../integration/support/authorization-server.js';
import { runNode } from '../support/run.js';
import { type DatabaseServer, installed, postgresServer, redisServer } from './support/database-server.js';

const redis = installed('redis-server', '/usr/bin', 'redis-server');
const postgres = installed('postgres', '/usr/lib/postgresql/*/bin', 'postgresql');
const processes = 8;
const key = Buffer.alloc(32, 7).toString('base64url');

interface Member {
  /** The token that the process got, or why not; `refused`: instead of the one that it got before. */
  ask(command?: 'token' | 'refused'): Promise<string>;
  end(): Promise<void>;
}

let server: TestServer;
const folder = mkdtempSync(join(tmpdir(), 'tokenkeep-fleet-'));
beforeAll(async () => {
  server = await startTestServer();
});
beforeEach(() => {
  server.log.length = 0;
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});
const tokenRequests = (): number => server.log.filter((line) => line === 'POST /token').length;

const children: ChildProcess[] = [];
afterAll(() => {
  // Who is still waiting for a server that is gone would wait on.
  for (const child of children) child.kill('SIGKILL');
});

function join8(store: Readonly<Record<string, string>>, count = processes): Promise<Member[]> {
  return Promise.all(Array.from({ length: count }, () => member(store)));
}

async function member(store: Readonly<Record<string, string>>): Promise<Member> {
  const { NODE_OPTIONS: _options, VITEST: _vitest, NODE_ENV: _env, ...inherited } = process.env;
  const env = { ...inherited, ISSUER: server.issuer, CLIENT_ID: basicClient.id, CLIENT_SECRET: basicClient.secret, RESOURCE: orders, STORE_KEY: key, ...store };
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(process.execPath, ['--no-warnings', 'test/servers/fixtures/fleet-member.ts'], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => String((await lines.next()).value);
  expect(await line()).toBe('ready');
  return {
    async ask(command = 'token') {
      child.stdin.write(`${command}\n`);
      const { token, error } = JSON.parse(await line());
      return token ?? error;
    },
    async end() {
      const gone = once(child, 'exit');
      child.stdin.end('end\n');
      expect(await gone).toEqual([0, null]);
    },
  };
}

const ask = (fleet: readonly Member[], command?: 'token' | 'refused'): Promise<string[]> => Promise.all(fleet.map((each) => each.ask(command)));

async function drawsOne(store: Readonly<Record<string, string>>): Promise<Member[]> {
  const fleet = await join8(store);
  expect(new Set(await ask(fleet)).size).toBe(1);
  const late = await join8(store, 1);
  expect(new Set([...(await ask(late)), ...(await ask(fleet))]).size).toBe(1);
  expect(tokenRequests()).toBe(1);
  // All of them report it as refused: one request brings the next one for all.
  expect(new Set(await ask(fleet, 'refused')).size).toBe(1);
  expect(tokenRequests()).toBe(2);
  await Promise.all(late.map((member) => member.end()));
  return fleet;
}

const stores: readonly (readonly [kind: string, command: string | undefined, start: (command: string) => Promise<DatabaseServer>, variable: string])[] = [
  ['Redis', redis, redisServer, 'REDIS_URL'],
  ['PostgreSQL', postgres, postgresServer, 'DATABASE_URL'],
];

it('8 processes over one SQLite file draw one token, and one that starts later reads it [X19, gap 6]', async () => {
  const fleet = await drawsOne({ SQLITE_FILE: join(folder, 'fleet.db') });
  // And again, however often.
  const rounds = 50;
  const seen = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    const got = await ask(fleet.slice(0, 4), 'refused');
    expect(new Set(got).size).toBe(1);
    seen.add(got[0] ?? '');
  }
  expect([seen.size, tokenRequests()]).toEqual([rounds, 2 + rounds]);
  await Promise.all(fleet.map((member) => member.end()));
});

describe.each(stores)('8 processes over %s', (_kind, command, start, variable) => {
  let database: DatabaseServer | undefined;
  let fleet: Member[] = [];
  beforeAll(async () => {
    database = command === undefined ? undefined : await start(command);
    await database?.start();
  });
  afterAll(() => database?.remove());

  it.skipIf(command === undefined)('draw one token, and one that starts later reads it [X19, gap 6]', async () => {
    fleet = await drawsOne({ [variable]: database?.url ?? '' });
  });

  it.skipIf(command === undefined)('each draw one token of their own while it is down, and share again by themselves [X18]', async () => {
    await database?.kill();
    const own = await ask(fleet, 'refused');
    expect(new Set(own).size).toBe(processes);
    expect(await ask(fleet)).toEqual(own);
    // A bounded extra load: one request for each process.
    expect(tokenRequests()).toBe(processes);
    await database?.start();
    // Clients reconnect when they like; from then on one of the processes draws, and the others read.
    await expect.poll(async () => new Set(await ask(fleet, 'refused')).size, { timeout: 20_000, interval: 500 }).toBe(1);
    const before = tokenRequests();
    expect(new Set(await ask(fleet, 'refused')).size).toBe(1);
    expect(tokenRequests()).toBe(before + 1);
    await Promise.all(fleet.map((member) => member.end()));
  });
});

it('the example draws one token for its four processes', async () => {
  const env = {
    ISSUER: server.issuer,
    CLIENT_ID: basicClient.id,
    CLIENT_SECRET: basicClient.secret,
    RESOURCE: orders,
    SQLITE_FILE: join(folder, 'example.db'),
    STORE_KEY: key,
  };
  const { code, output } = await runNode(['--no-warnings', 'examples/fleet/main.ts'], { env });
  expect([code, output.match(/drawn from the server/g)?.length, output.match(/read from SQLite/g)?.length]).toEqual([0, 1, 3]);
  expect(new Set(output.match(/token [\da-f]{8}/g)).size).toBe(1);
  expect(tokenRequests()).toBe(1);
});
