import { memoryStore } from 'tokenkeep';
import { webLock } from 'tokenkeep/locks/web';
import { indexedDbKeyStore } from 'tokenkeep/storage/indexed-db';
import { keyStoreContract, lockContract, storeContract } from 'tokenkeep/testing';
import type { SuiteName } from '../page/ports.js';

// Only their names are read here; they run in the page.
const locks = lockContract(webLock).map(({ name }) => name);
const stores = storeContract(() => memoryStore()).map(({ name }) => name);
const keyStores = keyStoreContract(() => indexedDbKeyStore()).map(({ name }) => name);

/** The contracts of the ports that a page runs, the names of their cases, and the rules that they hold. */
export const contractSuites: readonly (readonly [SuiteName, readonly string[], rules: string])[] = [
  ['webLock()', locks, '[X3]'],
  ['webLock() in two tabs', locks, '[X3] [X4]'],
  ['indexedDbStore()', stores, '[X7]'],
  ['indexedDbStore() in two tabs', stores, '[X7]'],
  ['encryptedStore(indexedDbStore())', stores, '[X7]'],
  ['webStorageStore(sessionStorage)', stores, '[S1]'],
  ['encryptedStore(webStorageStore(sessionStorage))', stores, '[S1]'],
  ['indexedDbKeyStore()', keyStores, '[S3]'],
];
