import { DatabaseSync } from 'node:sqlite';
import { Pool } from 'pg';
import { createClient } from 'redis';
import { type AccountStore, clientSecretBasic } from 'tokenkeep';
import { createServiceClient, type ServiceClient } from 'tokenkeep/server';
import { encryptedStore } from 'tokenkeep/storage/encrypted';
import { jweCipher } from 'tokenkeep/storage/jwe-cipher';
import { migratePostgres, postgresStore } from 'tokenkeep/storage/postgres';
import { redisStore } from 'tokenkeep/storage/redis';
import { sqliteStore } from 'tokenkeep/storage/sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basicClient, orders, startTestServer, type TestServer } from '../integration/support/authorization-server.js';
import { type SharedStore, storeKey, storeKinds } from './support/shared-stores.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

/** A store with a connection of its own, and how often that was asked for anything. */
interface Counted {
  readonly store: AccountStore;
  readonly count: () => number;
  close(): Promise<unknown>;
}

/** The object, with every call of these methods counted. */
function counting<T extends object>(target: T, methods: readonly string[]): { readonly target: T; readonly count: () => number } {
  let calls = 0;
  const handler: ProxyHandler<T> = {
    get(_target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      if (!methods.includes(String(name))) return member.bind(target);
      return (...given: unknown[]): unknown => {
        calls++;
        return Reflect.apply(member, target, given);
      };
    },
  };
  return { target: new Proxy(target, handler), count: () => calls };
}

async function connect({ SQLITE_FILE, REDIS_URL, DATABASE_URL }: Readonly<Record<string, string>>): Promise<Counted> {
  if (REDIS_URL) {
    const client = await createClient({ url: REDIS_URL }).connect();
    const { target, count } = counting(client, ['eval', 'sendCommand']);
    return { store: redisStore(target), count, close: async () => client.destroy() };
  }
  if (DATABASE_URL) {
    const pool = new Pool({ connectionString: DATABASE_URL });
    await migratePostgres(pool);
    const { target, count } = counting(pool, ['query', 'connect']);
    return { store: postgresStore(target, { migrate: false }), count, close: () => pool.end() };
  }
  const database = new DatabaseSync(SQLITE_FILE ?? '');
  // Statements without a result set up the connection, once.
  const inner = sqliteStore(database);
  await inner.get('');
  const { target, count } = counting(inner, ['get', 'set', 'delete', 'list']);
  return { store: target, count, close: async () => database.close() };
}

describe.each(storeKinds)('a service over $kind', ({ kind, isMissing, open }) => {
  let shared: SharedStore;
  const all: Counted[] = [];
  beforeAll(async () => {
    if (!isMissing) shared = await open();
  });
  afterAll(async () => {
    await Promise.all(all.map(({ close }) => close()));
    await shared?.remove();
  });

  async function process(): Promise<Counted & { readonly client: ServiceClient }> {
    const counted = await connect(shared.env);
    all.push(counted);
    const store = encryptedStore(counted.store, jweCipher({ keys: [{ kid: '1', key: storeKey }] }));
    const options = { issuer: server.issuer, clientId: basicClient.id, auth: clientSecretBasic(basicClient.secret), resource: orders, store };
    return { ...counted, client: createServiceClient(options) };
  }

  it.skipIf(isMissing)('gets the shared token in at most 2 round trips when its process is cold, and in none when it is warm [rule 14, X19]', async () => {
    const before = server.tokenRequests();
    const first = await process();
    const { value } = await first.client.tokens.getToken();
    const cold = await process();
    expect((await cold.client.tokens.getToken()).value).toBe(value);
    const trips = cold.count();
    console.log(`${kind}: ${trips} round trips for a cold process`);
    expect(trips).toBeGreaterThanOrEqual(1);
    expect(trips).toBeLessThanOrEqual(2);
    for (let call = 0; call < 1_000; call++) await cold.client.tokens.getToken();
    expect(cold.count()).toBe(trips);
    expect(server.tokenRequests() - before).toBe(1);
    await Promise.all([first, cold].map(({ client }) => client.dispose()));
  });
});
