import { checkCount, checkOptions, checkString } from '../core/check-option.js';
import type { StorePage, StoreQuery } from '../core/token-store.js';

type Entry = StorePage['entries'][number];

/** The query of `list`, checked. */
export function checkQuery(query: StoreQuery): StoreQuery {
  checkOptions('list', query, ['dueBefore', 'state', 'cursor', 'limit']);
  checkCount('limit', query.limit ?? null, 1);
  if (query.cursor !== undefined) checkString('cursor', query.cursor);
  return query;
}

/** The page from rows in the order of their keys, of which one more than `limit` was asked for. */
export function pageOf(rows: readonly Entry[], limit: number): StorePage {
  const entries = rows.slice(0, limit);
  return rows.length > limit ? { entries, cursor: entries.at(-1)?.key } : { entries };
}

/** An entry from what a server gave; `dueAt` as null where there is none. */
export function indexEntry(key: unknown, accountId: unknown, state: unknown, dueAt: unknown): Entry {
  return { key: String(key), accountId: String(accountId), state: String(state), dueAt: dueAt === null || dueAt === undefined ? undefined : Number(dueAt) };
}
