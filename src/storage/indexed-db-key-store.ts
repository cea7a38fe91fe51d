import { promisifyRequest } from 'idb-keyval';
import { checkOptions, checkString } from '../core/check-option.js';
import type { KeyStore } from '../core/key-store.js';
import { unavailable } from '../core/unavailable.js';
import { useDatabase } from './use-database.js';

export interface IndexedDbKeyStoreOptions {
  /** Name of the database. @default 'tokenkeep' */
  readonly name?: string | undefined;
}

/**
 * Keys in IndexedDB, shared by the tabs of one origin: they outlive the page, and those that are made non-extractable never
 * leave the browser's crypto. That keeps script from copying them, not from using them, and does not bind them to hardware.
 * Every failure is a `TokenError` `store_unavailable`; a key that is there but cannot be read is never replaced.
 */
export function indexedDbKeyStore(options: IndexedDbKeyStoreOptions = {}): KeyStore {
  checkOptions('indexedDbKeyStore', options, ['name']);
  const { name: database = 'tokenkeep' } = options;
  const keys = useDatabase(checkString('name', database), 'keys');
  return {
    async getOrCreate<K extends CryptoKey | CryptoKeyPair>(name: string, make: () => Promise<K>): Promise<K> {
      const kept = await keys('readonly', (store): Promise<K | undefined> => promisifyRequest(store.get(name)));
      if (kept !== undefined) return readable(kept);
      const made = await make();
      // One transaction, so that whoever comes at the same time gets the same key.
      return keys('readwrite', async (store) => {
        const first: K | undefined = await promisifyRequest(store.get(name));
        if (first !== undefined) return readable(first);
        store.put(made, name);
        await promisifyRequest(store.transaction);
        return made;
      });
    },

    delete: (name) =>
      keys('readwrite', (store) => {
        store.delete(name);
        return promisifyRequest(store.transaction);
      }),
  };
}

// Shared workers of WebKit read null where a key is.
function readable<K>(kept: K): K {
  const { type, privateKey } = Object(kept);
  if (type === undefined && privateKey === undefined) throw unavailable('the key cannot be read here');
  return kept;
}
