import type { Clock } from '../core/clock.js';
import { once } from '../core/once.js';
import { TokenError } from '../core/errors.js';
import { ageMs, instant } from '../core/instant.js';
import { randomFraction } from '../core/random.js';
import { unavailable } from '../core/unavailable.js';

export type SqliteValue = string | number | null;

/** What is used of a prepared statement of `node:sqlite` or better-sqlite3. */
export interface SqliteStatement {
  all(...values: SqliteValue[]): unknown[];
}

/** What is used of a connection of `node:sqlite` or better-sqlite3. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
}

/** The machine's clock as SQLite reads it, in epoch milliseconds. */
export const nowMs = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";

/** Each brings the schema one version further. */
const migrations = [
  `CREATE TABLE tokenkeep_records (key TEXT PRIMARY KEY, value TEXT NOT NULL, version TEXT NOT NULL, written_at INTEGER NOT NULL,
     account_id TEXT, state TEXT, due_at REAL);
   CREATE INDEX tokenkeep_records_index ON tokenkeep_records (key, account_id, state, due_at) WHERE account_id IS NOT NULL;
   CREATE TABLE tokenkeep_locks (name TEXT PRIMARY KEY, owner TEXT NOT NULL, lease_ms INTEGER NOT NULL, ends_at INTEGER NOT NULL)`,
];

const busyLimitMs = 5_000;
const longestPauseMs = 25;

export type SqliteRow = Readonly<Record<string, unknown>>;

/** Runs statements that return rows, each a transaction of its own. The first one prepares the connection and the tables. */
export type SqliteQuery = (sql: string, ...values: SqliteValue[]) => Promise<SqliteRow[]>;

export function useSqlite(database: SqliteDatabase, clock: Clock): SqliteQuery {
  const prepared = new Map<string, SqliteStatement>();
  const ready = once(() => patiently(setUp));

  function prepare(sql: string): SqliteStatement {
    const statement = prepared.get(sql) ?? database.prepare(sql);
    prepared.set(sql, statement);
    return statement;
  }

  // SQLite answers at once. While another connection writes it says so, and is asked again after a pause: its own way to wait
  // blocks the event loop.
  async function patiently<T>(task: () => T): Promise<T> {
    for (const began = instant(clock); ; ) {
      try {
        return task();
      } catch (error) {
        if (error instanceof TokenError) throw error;
        // What SQLite says may quote what was written.
        if (!isBusy(error)) throw unavailable(`SQLite failed${isFull(error) ? ': the disk is full' : ''}`);
        if (ageMs(began, clock) >= busyLimitMs) throw unavailable(`the SQLite file was locked for ${busyLimitMs} ms`);
      }
      await clock.sleep(1 + randomFraction() * longestPauseMs);
    }
  }

  function setUp(): void {
    // Rotated refresh tokens have to outlive a power failure, so every commit reaches the disk.
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    database.exec('BEGIN IMMEDIATE');
    try {
      database.exec('CREATE TABLE IF NOT EXISTS tokenkeep_migrations (version INTEGER PRIMARY KEY)');
      const [row] = rowsOf(database.prepare('SELECT coalesce(max(version), 0) AS version FROM tokenkeep_migrations').all());
      const version = Number(row?.['version']);
      if (version > migrations.length) throw unavailable('the tables were made by a newer version of tokenkeep');
      for (const [index, migration] of migrations.entries()) {
        if (index < version) continue;
        database.exec(migration);
        database.prepare('INSERT INTO tokenkeep_migrations (version) VALUES (?) RETURNING version').all(index + 1);
      }
      database.exec('COMMIT');
    } catch (error) {
      database.exec('ROLLBACK');
      throw error;
    }
  }

  return async (sql, ...values) => {
    await ready();
    return patiently(() => rowsOf(prepare(sql).all(...values)));
  };
}

function rowsOf(rows: readonly unknown[]): SqliteRow[] {
  return rows.map((row) => ({ ...Object(row) }));
}

// `node:sqlite` gives SQLite's number, better-sqlite3 its name.
function isBusy(error: unknown): boolean {
  const { errcode, code } = Object(error);
  return [5, 6].includes(errcode & 255) || /^SQLITE_(?:BUSY|LOCKED)/.test(String(code));
}

function isFull(error: unknown): boolean {
  const { errcode, code } = Object(error);
  return (errcode & 255) === 13 || code === 'SQLITE_FULL';
}
