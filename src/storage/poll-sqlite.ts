import type { Clock } from '../core/clock.js';
import { listeners } from './listeners.js';
import type { SqliteQuery } from './use-sqlite.js';

export interface SqliteNews {
  subscribe(key: string, listener: () => void): () => void;
  /** Tells of a write of this connection. */
  tell(key: string): void;
}

/** SQLite has no news, but tells each connection whether another one has written anything: asked every `pollMs`, only while somebody listens. */
export function pollSqlite(query: SqliteQuery, pollMs: number, clock: Clock): SqliteNews {
  const known = new Map<string, unknown>();
  let stop: AbortController | undefined;
  const heard = listeners(
    () => {
      stop = new AbortController();
      void poll(stop.signal);
    },
    () => {
      stop?.abort();
      known.clear();
    },
  );

  const dataVersion = async (): Promise<unknown> => (await query('PRAGMA data_version'))[0]?.['data_version'];

  async function versions(keys: readonly string[]): Promise<Map<string, unknown>> {
    const rows = await query('SELECT key, version FROM tokenkeep_records WHERE key IN (SELECT value FROM json_each(?))', JSON.stringify(keys));
    return new Map(rows.map((row) => [String(row['key']), row['version']]));
  }

  async function poll(stopped: AbortSignal): Promise<void> {
    let seen: unknown;
    while (!stopped.aborted) {
      // What cannot be read now is looked at next time.
      seen = await look(seen).catch(() => seen);
      await clock.sleep(pollMs, stopped, { idle: true }).catch(() => undefined);
    }
  }

  async function look(seen: unknown): Promise<unknown> {
    const now = await dataVersion();
    if (now === seen) return seen;
    const { keys } = heard;
    const found = await versions(keys);
    for (const key of keys) {
      if (known.has(key) && known.get(key) !== found.get(key)) heard.tell(key);
      known.set(key, found.get(key));
    }
    return now;
  }

  return {
    tell: (key) => heard.tell(key),
    subscribe(key, listener) {
      const undo = heard.add(key, listener);
      versions([key]).then(
        (found) => known.has(key) || known.set(key, found.get(key)),
        () => undefined,
      );
      return undo;
    },
  };
}
