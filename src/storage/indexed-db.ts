import { get, promisifyRequest } from 'idb-keyval';
import { checkOptions, checkPort, checkString } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import { systemClock } from '../core/system-clock.js';
import type { TokenStore } from '../core/token-store.js';
import { webLock } from '../locks/web.js';
import { changeHints } from './change-hints.js';
import { unavailable } from './unavailable.js';
import { useDatabase } from './use-database.js';

export { type IndexedDbKeyStoreOptions, indexedDbKeyStore } from './indexed-db-key-store.js';

export interface IndexedDbStoreOptions {
  /** Name of the database; whoever uses the same one on the same origin shares its records. @default 'tokenkeep' */
  readonly name?: string | undefined;
  /** Measures waits for the lock and the pace of hints between tabs. @default the system's clock */
  readonly clock?: Clock | undefined;
}

const entryVersion = 1;

interface Entry {
  readonly v: number;
  readonly value: string;
  readonly version: string;
}

/**
 * A store in IndexedDB that the tabs of one origin share, with a lock across them and news of each other's writes. It keeps
 * values as they are: put `encryptedStore` around it. Nothing of the browser is touched before the first use.
 *
 * Every failure is a `TokenError` `store_unavailable`: no IndexedDB, private mode, a full disk, a newer version's database.
 * A database that was deleted is an empty one.
 */
export function indexedDbStore(options: IndexedDbStoreOptions = {}): TokenStore {
  checkOptions('indexedDbStore', options, ['name', 'clock']);
  checkPort('clock', options.clock, ['now', 'monotonicMs', 'sleep']);
  const { name = 'tokenkeep', clock = systemClock } = options;
  checkString('name', name);
  const records = useDatabase(name, 'records');
  const hints = changeHints(`tokenkeep:${name}`, clock);

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
    shared: true,
    lock: webLock({ clock }),

    async get(key) {
      const entry = readEntry(await get<unknown>(key, records));
      return entry && { value: entry.value, version: entry.version };
    },

    async set(key, value, { expected, next }) {
      const written = await swap(key, expected, { v: entryVersion, value, version: next });
      if (written) hints.tell('written', key, next);
      return written;
    },

    async delete(key, expected) {
      const removed = await swap(key, expected, undefined);
      if (removed) hints.tell('removed', key, expected);
      return removed;
    },

    subscribe: hints.subscribe,
  };
}

// What is no entry counts as none, and is written over. What a newer version wrote is not ours to touch.
function readEntry(found: unknown): Entry | undefined {
  const { v, value, version } = Object(found);
  if (v > entryVersion) throw unavailable('the record was written by a newer version of tokenkeep');
  return typeof value === 'string' && typeof version === 'string' ? { v, value, version } : undefined;
}
