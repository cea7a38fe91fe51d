import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DatabaseServer, installed, postgresServer, redisServer } from './database-server.js';

/** A store that processes share, for as long as a test runs. */
export interface SharedStore {
  /** What `openStore` reads, in whichever process. */
  readonly env: Readonly<Record<string, string>>;
  /** SQLite has none. */
  readonly server: DatabaseServer | undefined;
  remove(): Promise<void>;
}

export interface StoreKind {
  readonly kind: 'SQLite' | 'Redis' | 'PostgreSQL';
  readonly isMissing: boolean;
  open(): Promise<SharedStore>;
}

/** The key under which all of them encrypt. */
export const storeKey: string = Buffer.alloc(32, 7).toString('base64url');

async function opened(server: DatabaseServer, variable: string): Promise<SharedStore> {
  await server.start();
  return { env: { [variable]: server.url, STORE_KEY: storeKey }, server, remove: () => server.remove() };
}

async function openFile(): Promise<SharedStore> {
  const folder = mkdtempSync(join(tmpdir(), 'tokenkeep-shared-'));
  return {
    env: { SQLITE_FILE: join(folder, 'shared.db'), STORE_KEY: storeKey },
    server: undefined,
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

const redis = installed('redis-server', '/usr/bin', 'redis-server');
const postgres = installed('postgres', '/usr/lib/postgresql/*/bin', 'postgresql');

/** All stores that processes can share; those whose server is not installed are left out of tests with `skipIf`. */
export const storeKinds: readonly StoreKind[] = [
  { kind: 'SQLite', isMissing: false, open: openFile },
  { kind: 'Redis', isMissing: redis === undefined, open: async () => opened(await redisServer(redis ?? ''), 'REDIS_URL') },
  { kind: 'PostgreSQL', isMissing: postgres === undefined, open: async () => opened(await postgresServer(postgres ?? ''), 'DATABASE_URL') },
];

/** `TOKENKEEP_SOAK_S`: long runs at their full length, of so many seconds. */
export const soakS: number | undefined = Number(process.env['TOKENKEEP_SOAK_S']) || undefined;
