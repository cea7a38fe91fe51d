import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Pool } from 'pg';
import { createClient } from 'redis';
import { type AccountStore, clientSecretBasic } from 'tokenkeep';
import { type Accounts, createAccounts, createServiceClient } from 'tokenkeep/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenedStore, openStore } from '../../examples/fleet/open-store.js';
import { basicClient, orders, startTestServer, type TestServer } from '../integration/support/authorization-server.js';
import { type SharedStore, storeKinds } from './support/shared-stores.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

/** All that lies in a store, as whoever gets at its server or its files finds it. */
async function dump({ SQLITE_FILE, REDIS_URL, DATABASE_URL }: Readonly<Record<string, string>>): Promise<string> {
  if (REDIS_URL) return dumpRedis(REDIS_URL);
  if (DATABASE_URL) return dumpPostgres(DATABASE_URL);
  const folder = dirname(SQLITE_FILE ?? '');
  // The journals of writes as well.
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('\n');
}

async function dumpRedis(url: string): Promise<string> {
  const client = await createClient({ url }).connect();
  const found: unknown[] = [];
  for (const key of await client.keys('*')) {
    const kind = await client.type(key);
    found.push([key, kind === 'hash' ? await client.hGetAll(key) : kind === 'zset' ? await client.zRange(key, 0, -1) : await client.get(key)]);
  }
  client.destroy();
  return JSON.stringify(found);
}

async function dumpPostgres(connectionString: string): Promise<string> {
  const pool = new Pool({ connectionString });
  const { rows } = await pool.query("SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')");
  const tables: unknown[] = [];
  for (const { schemaname, tablename } of rows) tables.push(tablename, (await pool.query(`SELECT * FROM "${schemaname}"."${tablename}"`)).rows);
  await pool.end();
  return JSON.stringify(tables);
}

/** A secret as it is, and as it is usually wrapped. */
const shapesOf = (secret: string): string[] => [
  secret,
  ...(['base64', 'base64url', 'hex'] as const).map((shape) => Buffer.from(secret).toString(shape).slice(0, 24)),
];

describe.each(storeKinds)('what lies in $kind', ({ isMissing, open }) => {
  let shared: SharedStore;
  const opened: OpenedStore[] = [];
  beforeAll(async () => {
    if (!isMissing) shared = await open();
  });
  afterAll(async () => {
    await Promise.all(opened.map(({ close }) => close()));
    await shared?.remove();
  });

  async function storeOf(env: Readonly<Record<string, string>>): Promise<AccountStore> {
    const one = await openStore(env);
    opened.push(one);
    return one.store;
  }
  const client = { clientId: basicClient.id, auth: clientSecretBasic(basicClient.secret), resource: orders };
  const accountsOver = (store: AccountStore): Accounts => createAccounts({ issuer: server.issuer, ...client, redirectUri: 'http://localhost:4711/cb', store });

  it.skipIf(isMissing)('holds no token, no secret and no subject in clear [S2, S5]', async () => {
    const store = await storeOf(shared.env);
    const accounts = accountsOver(store);
    const service = createServiceClient({ issuer: server.issuer, ...client, store });
    const secrets: string[] = [basicClient.secret, (await service.tokens.getToken()).value];
    for (const accountId of ['acme', 'beta']) {
      const { refreshToken, grantId } = await server.issueRefreshToken(basicClient.id, [orders]);
      const subject = `the-subject-of-${accountId}`;
      await accounts.import(accountId, { refreshToken, subject, raw: { tenant: `the-tenant-of-${accountId}` } });
      secrets.push(refreshToken, grantId, subject, `the-tenant-of-${accountId}`, (await accounts.account(accountId).getToken()).value);
      expect((await accounts.details(accountId))?.subject).toBe(subject);
    }
    const { url, transaction } = await accounts.authorize('core');
    secrets.push(transaction, new URL(url).searchParams.get('state') ?? '');
    const found = await dump(shared.env);
    for (const shape of secrets.flatMap(shapesOf)) expect(found).not.toContain(shape);
    // It is the right place: this does lie there in clear.
    for (const clear of ['acme', 'beta', 'healthy']) expect(found).toContain(clear);
    await Promise.all([accounts.dispose(), service.dispose()]);
  });

  it.skipIf(isMissing)('opens for nobody when it was swapped: the record of one account under the key of another [S2]', async () => {
    const { STORE_KEY: _key, ...clear } = shared.env;
    const raw = await storeOf(clear);
    const { entries } = await raw.list({ limit: 100 });
    const keyOf = (accountId: string): string => entries.find((entry) => entry.accountId === accountId)?.key ?? '';
    const [acme, beta] = [await raw.get(keyOf('acme')), await raw.get(keyOf('beta'))];
    const index = { accountId: 'beta', state: 'healthy' };
    const reader = await storeOf(shared.env);
    expect((await reader.get(keyOf('beta')))?.value).toContain('the-subject-of-beta');
    // Under the version that it was sealed for: the key alone is another one.
    expect(await raw.set(keyOf('beta'), acme?.value ?? '', { expected: beta?.version, next: acme?.version ?? '', index })).toBe(true);
    expect((await reader.get(keyOf('beta')))?.value).toBe('');
    const accounts = accountsOver(reader);
    await expect(accounts.account('beta').getToken()).rejects.toMatchObject({ code: 'login_required', kind: 'interaction' });
    expect(await accounts.details('beta')).toBeUndefined();
    // Nor does what was written for another version of the same record.
    expect(await raw.set(keyOf('acme'), acme?.value ?? '', { expected: acme?.version, next: 'another-version', index: { ...index, accountId: 'acme' } })).toBe(
      true,
    );
    expect((await reader.get(keyOf('acme')))?.value).toBe('');
    await accounts.dispose();
  });
});
