import * as core from 'tokenkeep';
import { webLock } from 'tokenkeep/locks/web';
import { encryptedStore } from 'tokenkeep/storage/encrypted';
import { indexedDbKeyStore, indexedDbStore } from 'tokenkeep/storage/indexed-db';
import { webCryptoCipher } from 'tokenkeep/storage/web-crypto-cipher';
import { webStorageStore } from 'tokenkeep/storage/web-storage';
import { type ContractCase, keyStoreContract, lockContract, storeContract } from 'tokenkeep/testing';
import { borrow, lend } from './remote-ports.js';

type Suite = () => readonly ContractCase[];

const encrypted = (inner: core.TokenStore): core.TokenStore => encryptedStore(inner, webCryptoCipher({ keyStore: indexedDbKeyStore() }));

// Contracts make the port twice for each case, one instance and another one: the other one lives in the other tab.
function inTwoTabs<T>(here: () => T, there: () => T): () => T {
  let made = 0;
  return () => (made++ % 2 === 0 ? here() : there());
}

const suites = {
  'webLock()': () => lockContract(webLock),
  'webLock() in two tabs': () => lockContract(inTwoTabs(webLock, () => borrow().lock)),
  'indexedDbStore()': () => storeContract(indexedDbStore),
  'indexedDbStore() in two tabs': () => storeContract(inTwoTabs(indexedDbStore, () => borrow().store)),
  'encryptedStore(indexedDbStore())': () => storeContract(() => encrypted(indexedDbStore())),
  'webStorageStore(sessionStorage)': () => storeContract(() => webStorageStore(sessionStorage)),
  'encryptedStore(webStorageStore(sessionStorage))': () => storeContract(() => encrypted(webStorageStore(sessionStorage))),
  'indexedDbKeyStore()': () => keyStoreContract(indexedDbKeyStore),
} satisfies Record<string, Suite>;

/** Everything that the tests of the ports use in a page, under the name `ports`. */
const ports = {
  ...core,
  webLock,
  encryptedStore,
  encrypted,
  indexedDbKeyStore,
  indexedDbStore,
  webCryptoCipher,
  webStorageStore,
  lend: () => lend(indexedDbStore(), webLock()),

  /** Why the case failed; undefined: it passed. */
  async runCase(suite: SuiteName, name: string): Promise<string | undefined> {
    const found = suites[suite]().find((each) => each.name === name);
    if (found === undefined) return 'there is no such case';
    return found.run().then(
      () => undefined,
      (error: unknown) => String(error),
    );
  },

  /** What is in the database, past our own code. */
  raw(part: 'records' | 'keys', mode: IDBTransactionMode = 'readonly'): Promise<IDBObjectStore> {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open('tokenkeep');
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        request.result.onversionchange = () => request.result.close();
        resolve(request.result.transaction(part, mode).objectStore(part));
      };
    });
  },

  /** What a failure says of itself. */
  failure: (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => 'no failure',
      (error: unknown) => (error instanceof core.TokenError ? `${error.code}: ${error.message}` : `foreign: ${String(error)}`),
    ),
};

export type Ports = typeof ports;
export type SuiteName = keyof typeof suites;

Reflect.set(globalThis, 'ports', ports);
