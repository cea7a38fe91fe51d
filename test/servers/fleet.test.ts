import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { basicClient, orders, startTestServer, type TestServer } from '../integration/support/authorization-server.js';
import { runNode } from '../support/run.js';
import { type DatabaseServer, installed, postgresServer, redisServer } from './support/database-server.js';

const redis = installed('redis-server', '/usr/bin', 'redis-server');
const postgres = installed('postgres', '/usr/lib/postgresql/*/bin', 'postgresql');
const processes = 8;
const key = Buffer.alloc(32, 7).toString('base64url');

interface Member {
  /** The token that the process got, or why not. */
  ask(): Promise<string>;
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

const members: Member[] = [];
afterEach(async () => {
  await Promise.all(members.splice(0).map((member) => member.end()));
});

async function join8(store: Readonly<Record<string, string>>, count = processes): Promise<Member[]> {
  const joined = await Promise.all(Array.from({ length: count }, () => member(store)));
  members.push(...joined);
  return joined;
}

async function member(store: Readonly<Record<string, string>>): Promise<Member> {
  const { NODE_OPTIONS: _options, VITEST: _vitest, NODE_ENV: _env, ...inherited } = process.env;
  const env = { ...inherited, ISSUER: server.issuer, CLIENT_ID: basicClient.id, CLIENT_SECRET: basicClient.secret, RESOURCE: orders, STORE_KEY: key, ...store };
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(process.execPath, ['--no-warnings', 'test/servers/fixtures/fleet-member.ts'], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => String((await lines.next()).value);
  expect(await line()).toBe('ready');
  return {
    async ask() {
      child.stdin.write('token\n');
      const { token, error } = JSON.parse(await line());
      return token ?? error;
    },
    async end() {
      if (child.exitCode !== null) return;
      const gone = once(child, 'exit');
      child.stdin.end('end\n');
      const stuck = setTimeout(() => child.kill('SIGKILL'), 8_000);
      await gone;
      clearTimeout(stuck);
    },
  };
}

const ask = (fleet: readonly Member[]): Promise<string[]> => Promise.all(fleet.map((each) => each.ask()));

const stores: readonly (readonly [kind: string, command: string | undefined, start: (command: string) => Promise<DatabaseServer>, variable: string])[] = [
  ['Redis', redis, redisServer, 'REDIS_URL'],
  ['PostgreSQL', postgres, postgresServer, 'DATABASE_URL'],
];

it('8 processes over one SQLite file draw one token, and one that starts later reads it [X19, gap 6]', async () => {
  const store = { SQLITE_FILE: join(folder, 'fleet.db') };
  const fleet = await join8(store);
  expect(new Set(await ask(fleet)).size).toBe(1);
  const [late] = await join8(store, 1);
  expect(new Set([await late?.ask(), ...(await ask(fleet))]).size).toBe(1);
  expect(tokenRequests()).toBe(1);
});

describe.each(stores)('8 processes over %s', (_kind, command, start, variable) => {
  let database: DatabaseServer | undefined;
  beforeAll(async () => {
    database = command === undefined ? undefined : await start(command);
    await database?.start();
  });
  afterAll(() => database?.remove());

  it.skipIf(command === undefined)('draw one token, and one that starts later reads it [X19, gap 6]', async () => {
    const store = { [variable]: database?.url ?? '' };
    const fleet = await join8(store);
    expect(new Set(await ask(fleet)).size).toBe(1);
    const [late] = await join8(store, 1);
    expect(new Set([await late?.ask(), ...(await ask(fleet))]).size).toBe(1);
    expect(tokenRequests()).toBe(1);
  });

  it.skipIf(command === undefined)('each draw one token of their own while it is down, and share again by themselves [X18]', async () => {
    const store = { [variable]: database?.url ?? '' };
    const fleet = await join8(store, 3);
    await database?.kill();
    const own = await ask(fleet);
    expect(new Set(own).size).toBe(3);
    expect(await ask(fleet)).toEqual(own);
    // A bounded extra load: one request for each process.
    expect(tokenRequests()).toBe(3);
    await database?.start();
    const joined = await join8(store, 2);
    expect(new Set(await ask(joined)).size).toBe(1);
    expect(tokenRequests()).toBeLessThanOrEqual(4);
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
