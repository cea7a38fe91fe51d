import { promisifyRequest } from 'idb-keyval';
import type { TokenStore } from '../core/token-store.js';
import { unavailable } from '../core/unavailable.js';
import { useDatabase } from './use-database.js';

export const defaultDatabase = 'tokenkeep';
const entryVersion = 1;

interface Entry {
  readonly v: number;
  readonly value: string;
  readonly version: string;
}

/** The records of an IndexedDB database, without a lock and without news. */
export function indexedDbRecords(name: string): Pick<TokenStore, 'get' | 'set' | 'delete'> {
  const records = useDatabase(name, 'records');

  // One transaction, so that nobody writes between the look and the write. (`standards.md` X7)
  const swap = (key: string, expected: string | undefined, next: Entry | undefined): Promise<boolean> =>
    records('readwrite', async (store) => {
      if (readEntry(await promisifyRequest(store.get(key)))?.version !== expected) return false;
      if (next === undefined) store.delete(key);
      else store.put(next, key);
      await promisifyRequest(store.transaction);
      return true;
    });

  return {
    async get(key) {
      const entry = readEntry(await records('readonly', (store) => promisifyRequest<unknown>(store.get(key))));
      return entry && { value: entry.value, version: entry.version };
    },
    set: (key, value, { expected, next }) => swap(key, expected, { v: entryVersion, value, version: next }),
    delete: (key, expected) => swap(key, expected, undefined),
  };
}

// What is no entry counts as none, and is written over. What a newer version wrote is not ours to touch.
function readEntry(found: unknown): Entry | undefined {
  const { v, value, version } = Object(found);
  if (v > entryVersion) throw unavailable('the record was written by a newer version of tokenkeep');
  return typeof value === 'string' && typeof version === 'string' ? { v, value, version } : undefined;
}
