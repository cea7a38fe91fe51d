import { checkOptions, checkPort, checkString } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import { systemClock } from '../core/system-clock.js';
import type { TokenStore } from '../core/token-store.js';
import { webLock } from '../locks/web.js';
import { channelOf } from './change-hint.js';
import { changeHints } from './change-hints.js';
import { defaultDatabase, indexedDbRecords } from './indexed-db-records.js';

export { type IndexedDbKeyStoreOptions, indexedDbKeyStore } from './indexed-db-key-store.js';

export interface IndexedDbStoreOptions {
  /** Name of the database; whoever uses the same one on the same origin shares its records. @default 'tokenkeep' */
  readonly name?: string | undefined;
  /** Measures waits for the lock and the pace of hints between tabs. @default the system's clock */
  readonly clock?: Clock | undefined;
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
  const { name = defaultDatabase, clock = systemClock } = options;
  checkString('name', name);
  const records = indexedDbRecords(name);
  const hints = changeHints(channelOf(name), clock);
  return {
    shared: true,
    lock: webLock({ clock }),
    get: records.get,

    async set(key, value, write) {
      const written = await records.set(key, value, write);
      if (written) hints.tell('written', key, write.next);
      return written;
    },

    async delete(key, expected) {
      const removed = await records.delete(key, expected);
      if (removed) hints.tell('removed', key, expected);
      return removed;
    },

    subscribe: hints.subscribe,
  };
}
