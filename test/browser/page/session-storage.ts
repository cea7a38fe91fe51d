import { encryptedStore } from 'tokenkeep/storage/encrypted';
import { indexedDbKeyStore, indexedDbStore } from 'tokenkeep/storage/indexed-db';
import { webCryptoCipher } from 'tokenkeep/storage/web-crypto-cipher';
import { app } from './session.js';

/** What the tests do to the storage of a page with a session. */
export interface Storage {
  /** Everything that is stored, opened with the keys of this profile. */
  records(): Promise<Record<string, unknown>[]>;
  /** Everything that is stored, as it lies there: what somebody who reads the disk can take along. */
  exported(): Promise<[string, unknown][]>;
  /** Puts it there. */
  imported(records: readonly [string, unknown][]): Promise<void>;
  keyNames(): Promise<string[]>;
  deleteKeys(part: string): Promise<void>;
  /** Replaces the values of all records whose value fits. */
  change(update: (value: string) => string): Promise<void>;
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

// As whoever opens the developer tools does.
async function part<T>(name: string, mode: IDBTransactionMode, task: (store: IDBObjectStore) => Promise<T>): Promise<T> {
  const opening = indexedDB.open('tokenkeep');
  opening.onupgradeneeded = () => {
    for (const each of ['records', 'keys']) opening.result.createObjectStore(each);
  };
  const database = await done(opening);
  try {
    return await task(database.transaction(name, mode).objectStore(name));
  } finally {
    database.close();
  }
}

const names = (name: string): Promise<string[]> => part(name, 'readonly', async (store) => (await done(store.getAllKeys())).map(String));

const storage: Storage = {
  async records() {
    const keyStore = indexedDbKeyStore();
    const store = encryptedStore(indexedDbStore(), webCryptoCipher({ keyStore }));
    const found = await Promise.all((await names('records')).map((name) => store.get(name)));
    return found.map((stored) => JSON.parse(stored?.value ?? '{}'));
  },
  exported: () =>
    part('records', 'readonly', async (store) => {
      const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
      return keys.map((key, index): [string, unknown] => [String(key), values[index]]);
    }),
  imported: (records) =>
    part('records', 'readwrite', async (store) => {
      await Promise.all(records.map(([key, value]) => done(store.put(value, key))));
    }),
  keyNames: () => names('keys'),
  async deleteKeys(text) {
    const chosen = (await names('keys')).filter((name) => name.includes(text));
    await part('keys', 'readwrite', (store) => Promise.all(chosen.map((name) => done(store.delete(name)))));
  },
  async change(update) {
    const changed = (await storage.exported()).map(([key, entry]): [string, unknown] => {
      const { value, ...rest } = Object(entry);
      return [key, { ...rest, value: update(value) }];
    });
    await storage.imported(changed);
  },
};
Object.assign(globalThis, { app, storage });
