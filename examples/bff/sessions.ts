// Who is signed in. A session's id is in its cookie alone; the table holds digests, so that who reads it can be nobody.
import { createHash, randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';

export interface Sessions {
  /** A new session, whose id nobody has seen before: it goes into the cookie. */
  begin(accountId: string): string;
  /** The account of a session that is not over; its idle time begins anew. */
  accountOf(id: string | undefined): string | undefined;
  /** Now it is over; gives its account. */
  end(id: string | undefined): string | undefined;
  /** The accounts of sessions that are over. */
  accountsLeft(): readonly string[];
  /** When its account is gone, too. */
  forget(accountId: string): void;
}

export interface SessionLimits {
  /** Without a request. @default half an hour */
  readonly idleMs?: number | undefined;
  /** In all. @default 12 hours */
  readonly longestMs?: number | undefined;
}

/** In the same database as the accounts, so that all processes of the backend share them. */
export function openSessions(database: DatabaseSync, { idleMs = 1_800_000, longestMs = 43_200_000 }: SessionLimits = {}): Sessions {
  database.exec('CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, account TEXT NOT NULL, beganAt INTEGER NOT NULL, usedAt INTEGER NOT NULL)');
  const insert = database.prepare('INSERT INTO sessions VALUES (?, ?, ?, ?)');
  const use = database.prepare('UPDATE sessions SET usedAt = ? WHERE id = ? AND usedAt > ? AND beganAt > ? RETURNING account');
  const end = database.prepare('UPDATE sessions SET usedAt = 0 WHERE id = ? RETURNING account');
  const left = database.prepare('SELECT account FROM sessions WHERE usedAt <= ? OR beganAt <= ?');
  const remove = database.prepare('DELETE FROM sessions WHERE account = ?');
  const digest = (id = ''): string => createHash('sha256').update(id).digest('base64url');
  return {
    begin(accountId) {
      const id = randomBytes(32).toString('base64url');
      const now = Date.now();
      insert.run(digest(id), accountId, now, now);
      return id;
    },
    accountOf(id) {
      const now = Date.now();
      return accountIn(use.get(now, digest(id), now - idleMs, now - longestMs));
    },
    end: (id) => accountIn(end.get(digest(id))),
    accountsLeft: () => left.all(Date.now() - idleMs, Date.now() - longestMs).flatMap((row) => accountIn(row) ?? []),
    forget: (accountId) => void remove.run(accountId),
  };
}

function accountIn(row: Record<string, unknown> | undefined): string | undefined {
  return row && String(row['account']);
}
