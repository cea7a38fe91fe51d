import { checkBoolean, checkOptions, checkPort, invalidOption } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import { once } from '../core/once.js';
import { checkClock } from '../core/system-clock.js';
import type { AccountStore } from '../core/token-store.js';
import { checkLease, freeLease, type Lease, leaseLock } from '../locks/lease-lock.js';
import { answering } from './answering.js';
import { postgresNews } from './postgres-news.js';
import { checkSchema, migratePostgres } from './postgres-migrations.js';
import { type PostgresPool, rowsOf } from './postgres-pool.js';
import { postgresSession } from './postgres-session.js';
import { checkQuery, indexEntry, pageOf } from './store-query.js';
import { storedAge } from './stored-age.js';

export { type MigratePostgresOptions, migratePostgres, postgresMigrations } from './postgres-migrations.js';
export type { PostgresClient, PostgresPool, PostgresResult } from './postgres-pool.js';

export interface PostgresStoreOptions {
  /** Where the tables `tokenkeep_…` are. @default 'public' */
  readonly schema?: string | undefined;
  /** False: the tables are there, see `migratePostgres`; otherwise the first use creates them, or brings them up to date. @default true */
  readonly migrate?: boolean | undefined;
  /** A process that hangs with a lock keeps it for this long, in milliseconds; one that dies frees it at once. @default 15_000 */
  readonly leaseMs?: number | undefined;
  /** Measures waits. Ages are measured by the server's clock. @default the system's clock */
  readonly clock?: Clock | undefined;
}

// A payload is limited to 8,000 bytes.
const longestHint = 1_000;

/**
 * A store in PostgreSQL 12 or newer, for processes on many machines, with a lock across them. Takes a `pg.Pool` of at least two clients,
 * and never ends it: while a lock is held or somebody has subscribed it borrows one client for all of that, otherwise only for each statement.
 * Locks are advisory locks of that session, so a pooler between must keep sessions (PgBouncer: `pool_mode = session`).
 *
 * Values lie there as they are: put `encryptedStore` around it. Every failure is a `TokenError` `store_unavailable`; no call waits
 * longer than 5 s.
 */
export function postgresStore(pool: PostgresPool, options: PostgresStoreOptions = {}): AccountStore {
  checkPort('pool', pool ?? null, ['query', 'connect']);
  if (pool.options?.max === 1) throw invalidOption('pool', 'a pool of at least 2 clients: one is for the locks', pool);
  checkOptions('postgresStore', options, ['schema', 'migrate', 'leaseMs', 'clock']);
  const schema = checkSchema(options.schema);
  const migrates = checkBoolean('migrate', options.migrate, true);
  const clock = checkClock(options.clock);
  const leaseMs = checkLease(options.leaseMs);
  const ask = answering('PostgreSQL', clock);
  const table = `"${schema}".tokenkeep_records`;
  const channel = `tokenkeep_${schema}`;

  const ready = once(async () => (migrates ? migratePostgres(pool, { schema }) : undefined));
  const query = (text: string, values: unknown[]): ReturnType<typeof rowsOf> =>
    ask(async () => {
      await ready();
      return rowsOf(pool, text, values);
    });
  const swap = async (key: string, text: string, ...values: unknown[]): Promise<boolean> => {
    const hint = key.length > longestHint ? '' : key;
    return (await query(`WITH done AS (${text} RETURNING 1) SELECT pg_notify($1, $2) FROM done`, [channel, hint, ...values])).length > 0;
  };

  const news = postgresNews(clock, () => session());
  const session = postgresSession({ pool, clock, leaseMs, channel, onNews: news.tell });

  async function takeLock(name: string): Promise<Lease | undefined> {
    const { query: run, lost, done } = await session();
    let lease: Lease | undefined;
    try {
      const values = [`${channel}:${name}`];
      const [row] = await run('SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS taken', values);
      if (row?.['taken'] === true) {
        lease = {
          lost,
          extend: async () => (await run('SELECT 1')).length > 0,
          release: () => run('SELECT pg_advisory_unlock(hashtextextended($1, 0))', values).finally(done),
        };
      }
    } finally {
      if (!lease) done();
    }
    return lease;
  }

  return {
    shared: true,

    lock: leaseLock({
      clock,
      leaseMs,
      take: (name) => ask(() => takeLock(name), freeLease),
    }),

    async get(key) {
      const [row] = await query(
        `SELECT value, version, (extract(epoch FROM clock_timestamp() - written_at) * 1000)::float8 AS age FROM ${table} WHERE key = $1`,
        [key],
      );
      return row && { value: String(row['value']), version: String(row['version']), ageMs: storedAge(Number(row['age']), 0) };
    },

    set(key, value, { expected, next, index, ageMs = 0 }) {
      const row = [key, value, next, ageMs, index?.accountId ?? null, index?.state ?? null, index?.dueAt ?? null];
      const written = "clock_timestamp() - $6::float8 * interval '1 millisecond'";
      return expected === undefined
        ? swap(
            key,
            `INSERT INTO ${table} (key, value, version, written_at, account_id, state, due_at)
             VALUES ($3, $4, $5, ${written}, $7, $8, $9) ON CONFLICT (key) DO NOTHING`,
            ...row,
          )
        : swap(
            key,
            `UPDATE ${table} SET value = $4, version = $5, written_at = ${written}, account_id = $7, state = $8, due_at = $9
             WHERE key = $3 AND version = $10`,
            ...row,
            expected,
          );
    },

    delete: (key, expected) => swap(key, `DELETE FROM ${table} WHERE key = $3 AND version = $4`, key, expected),
    subscribe: news.subscribe,

    async list(asked) {
      const { dueBefore, state, cursor, limit } = checkQuery(asked);
      const rows = await query(
        `SELECT key, account_id, state, due_at FROM ${table} WHERE account_id IS NOT NULL AND key > $1
         AND ($2::text IS NULL OR state = $2) AND ($3::float8 IS NULL OR due_at < $3) ORDER BY key LIMIT $4`,
        [cursor ?? '', state ?? null, dueBefore ?? null, limit + 1],
      );
      return pageOf(
        rows.map((row) => indexEntry(row['key'], row['account_id'], row['state'], row['due_at'])),
        limit,
      );
    },
  };
}
