// The store that all processes of the fleet share. The program opens what it uses, and closes it: tokenkeep closes nothing that it was given.
import { DatabaseSync } from 'node:sqlite';
import type { AccountStore, Clock } from 'tokenkeep';
import { encryptedStore } from 'tokenkeep/storage/encrypted';
import { jweCipher } from 'tokenkeep/storage/jwe-cipher';
import { postgresStore } from 'tokenkeep/storage/postgres';
import { redisStore } from 'tokenkeep/storage/redis';
import { sqliteStore } from 'tokenkeep/storage/sqlite';

export interface OpenedStore {
  readonly kind: 'SQLite' | 'Redis' | 'PostgreSQL';
  readonly store: AccountStore;
  close(): Promise<unknown>;
}

export interface StoreEnvironment {
  readonly REDIS_URL?: string | undefined;
  readonly DATABASE_URL?: string | undefined;
  /** @default 'fleet.db' */
  readonly SQLITE_FILE?: string | undefined;
  /** 32 bytes in base64url; left out: the tokens lie in the store as they are. */
  readonly STORE_KEY?: string | undefined;
}

/** What all stores take; see the options of each. */
export interface StoreOptions {
  readonly leaseMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

export async function openStore(environment: StoreEnvironment, options: StoreOptions = {}): Promise<OpenedStore> {
  const opened = await open(environment, options);
  const { STORE_KEY } = environment;
  return STORE_KEY ? { ...opened, store: encryptedStore(opened.store, jweCipher({ keys: [{ kid: '1', key: STORE_KEY }] })) } : opened;
}

async function open({ REDIS_URL, DATABASE_URL, SQLITE_FILE = 'fleet.db' }: StoreEnvironment, options: StoreOptions): Promise<OpenedStore> {
  if (REDIS_URL) {
    const { createClient } = await import('redis');
    const client = createClient({ url: REDIS_URL });
    const subscriber = client.duplicate();
    // Without a listener an outage would end the process.
    for (const each of [client, subscriber]) each.on('error', () => undefined);
    await Promise.all([client.connect(), subscriber.connect()]);
    const close = async (): Promise<void> => {
      for (const each of [client, subscriber]) each.destroy();
    };
    return { kind: 'Redis', store: redisStore(client, { ...options, subscriber }), close };
  }
  if (DATABASE_URL) {
    const { Pool } = await import('pg');
    const pool = new Pool({ connectionString: DATABASE_URL, max: 4, connectionTimeoutMillis: 3_000 });
    pool.on('error', () => undefined);
    return { kind: 'PostgreSQL', store: postgresStore(pool, options), close: () => pool.end() };
  }
  const database = new DatabaseSync(SQLITE_FILE);
  return { kind: 'SQLite', store: sqliteStore(database, options), close: async () => database.close() };
}
