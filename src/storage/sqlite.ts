import { checkCount, checkOptions, checkPort } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import { checkClock } from '../core/system-clock.js';
import type { AccountStore } from '../core/token-store.js';
import { checkLease, leaseLock } from '../locks/lease-lock.js';
import { randomId } from '../core/random.js';
import { pollSqlite } from './poll-sqlite.js';
import { nowMs, type SqliteDatabase, type SqliteValue, useSqlite } from './use-sqlite.js';
import { storedAge } from './stored-age.js';
import { checkQuery, indexEntry, pageOf } from './store-query.js';

export type { SqliteDatabase, SqliteStatement, SqliteValue } from './use-sqlite.js';

export interface SqliteStoreOptions {
  /** A process that dies or hangs with a lock keeps it for this long, in milliseconds. @default 15_000 */
  readonly leaseMs?: number | undefined;
  /** How often a store with subscribers looks for writes of other connections, in milliseconds. @default 500 */
  readonly pollMs?: number | undefined;
  /** Measures waits. Ages and leases are measured by the machine's clock. @default the system's clock */
  readonly clock?: Clock | undefined;
}

const columns = 'value = ?, version = ?, written_at = NOW - ?, account_id = ?, state = ?, due_at = ?';

/**
 * A durable store in a SQLite file that processes of one machine share, with a lock across them. Takes a connection of its own, which
 * stays open and is never closed here: `sqliteStore(new DatabaseSync('tokens.db'))` of `node:sqlite`, or one of better-sqlite3.
 * The first use creates the tables `tokenkeep_…` and sets write-ahead logging. Not for network file systems.
 *
 * Values lie in the file as they are: put `encryptedStore` around it. Every failure is a `TokenError` `store_unavailable`.
 * Nobody waits for another connection in a blocked event loop.
 */
export function sqliteStore(database: SqliteDatabase, options: SqliteStoreOptions = {}): AccountStore {
  checkPort('database', database ?? null, ['prepare', 'exec']);
  checkOptions('sqliteStore', options, ['leaseMs', 'pollMs', 'clock']);
  const clock = checkClock(options.clock);
  const leaseMs = checkLease(options.leaseMs);
  const pollMs = checkCount('pollMs', options.pollMs, 500);
  const query = useSqlite(database, clock);

  const news = pollSqlite(query, pollMs, clock);

  const swap = async (key: string, sql: string, ...values: SqliteValue[]): Promise<boolean> => {
    const [done] = await query(`${sql} RETURNING 1 AS done`, ...values);
    if (done) news.tell(key);
    return done !== undefined;
  };

  return {
    shared: true,

    lock: leaseLock({
      clock,
      leaseMs,
      async take(name) {
        const owner = randomId();
        // An end further ahead than the lease is long: the clock was set back.
        const [taken] = await query(
          `INSERT INTO tokenkeep_locks (name, owner, lease_ms, ends_at) VALUES (?, ?, ?, ${nowMs} + ?)
           ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, lease_ms = excluded.lease_ms, ends_at = excluded.ends_at
           WHERE ends_at <= ${nowMs} OR ends_at > ${nowMs} + tokenkeep_locks.lease_ms RETURNING 1 AS done`,
          name,
          owner,
          leaseMs,
          leaseMs,
        );
        if (!taken) return undefined;
        return {
          extend: async () =>
            (await query(`UPDATE tokenkeep_locks SET ends_at = ${nowMs} + ? WHERE name = ? AND owner = ? RETURNING 1 AS done`, leaseMs, name, owner)).length >
            0,
          release: () => query('DELETE FROM tokenkeep_locks WHERE name = ? AND owner = ? RETURNING 1 AS done', name, owner),
        };
      },
    }),

    async get(key) {
      const [row] = await query(`SELECT value, version, ${nowMs} AS now, written_at AS writtenAt FROM tokenkeep_records WHERE key = ?`, key);
      if (!row) return undefined;
      const { value, version, now, writtenAt } = row;
      return { value: String(value), version: String(version), ageMs: storedAge(Number(now), Number(writtenAt)) };
    },

    set(key, value, write) {
      const { expected, index } = write;
      const row = [value, write.next, write.ageMs ?? 0, index?.accountId ?? null, index?.state ?? null, index?.dueAt ?? null] as const;
      return expected === undefined
        ? swap(
            key,
            `INSERT INTO tokenkeep_records (value, version, written_at, account_id, state, due_at, key)
             VALUES (?, ?, ${nowMs} - ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`,
            ...row,
            key,
          )
        : swap(key, `UPDATE tokenkeep_records SET ${columns.replace('NOW', nowMs)} WHERE key = ? AND version = ?`, ...row, key, expected);
    },

    delete: (key, expected) => swap(key, 'DELETE FROM tokenkeep_records WHERE key = ? AND version = ?', key, expected),
    subscribe: news.subscribe,

    async list(asked) {
      const { dueBefore, state, cursor, limit } = checkQuery(asked);
      const rows = await query(
        `SELECT key, account_id AS accountId, state, due_at AS dueAt FROM tokenkeep_records
         WHERE account_id IS NOT NULL AND key > ? AND (? IS NULL OR state = ?) AND (? IS NULL OR due_at < ?) ORDER BY key LIMIT ?`,
        cursor ?? '',
        state ?? null,
        state ?? null,
        dueBefore ?? null,
        dueBefore ?? null,
        limit + 1,
      );
      return pageOf(
        rows.map((row) => indexEntry(row['key'], row['accountId'], row['state'], row['dueAt'])),
        limit,
      );
    },
  };
}
