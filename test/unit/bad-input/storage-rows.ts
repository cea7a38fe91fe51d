import { type Cipher, memoryStore, systemClock } from 'tokenkeep';
import { webLock } from 'tokenkeep/locks/web';
import { encryptedStore } from 'tokenkeep/storage/encrypted';
import { indexedDbKeyStore, indexedDbStore } from 'tokenkeep/storage/indexed-db';
import { webCryptoCipher } from 'tokenkeep/storage/web-crypto-cipher';
import { webStorageStore } from 'tokenkeep/storage/web-storage';
import { argument, call, canary, canaryNumber, noObject, type Row, type Spoilt, spoilt } from './row.js';

const { now, monotonicMs, sleep } = systemClock;
const clock = 'an object with now(), monotonicMs(), sleep()';
const text = 'a string that is not empty';
const storage = 'an object with getItem(), setItem(), removeItem()';

export const goodCipher: Cipher = { encrypt: async (value) => value, decrypt: async (value) => value };
export const goodStorage: Storage = {
  length: 0,
  clear: () => undefined,
  key: () => null,
  getItem: () => null,
  setItem: () => undefined,
  removeItem: () => undefined,
};

const clocks: readonly Spoilt[] = [null, canary, {}, { now, monotonicMs }, { now, sleep }].map((given) => [{ clock: given }, 'clock', clock]);
const names: readonly Spoilt[] = ['', canaryNumber, null, {}, `${canary}\n`].map((name) => [{ name }, 'name', text]);
const store = memoryStore();

const make = {
  webLock: (options: unknown) => call(webLock, options),
  indexedDbStore: (options: unknown) => call(indexedDbStore, options),
  indexedDbKeyStore: (options: unknown) => call(indexedDbKeyStore, options),
  webCryptoCipher: (options: unknown) => call(webCryptoCipher, options),
  webStorageStore: (options: unknown) => call(webStorageStore, goodStorage, options),
};

export const storageRows: readonly Row[] = [
  ...noObject('webLock', make.webLock, true),
  ...spoilt('webLock', make.webLock, {}, [...clocks, [{ waitMs: 5 }, 'waitMs', 'it takes clock']]),
  ...noObject('indexedDbStore', make.indexedDbStore, true),
  ...spoilt('indexedDbStore', make.indexedDbStore, {}, [...clocks, ...names, [{ lock: canary }, 'lock', 'it takes name, clock']]),
  ...noObject('indexedDbKeyStore', make.indexedDbKeyStore, true),
  ...spoilt('indexedDbKeyStore', make.indexedDbKeyStore, {}, [...names, [{ key: canary }, 'key', 'it takes name']]),
  ...noObject('webCryptoCipher', make.webCryptoCipher, false),
  ...spoilt('webCryptoCipher', make.webCryptoCipher, { keyStore: indexedDbKeyStore() }, [
    ...names,
    ...[undefined, null, canary, {}, { getOrCreate: canary }].map((keyStore): Spoilt => [{ keyStore }, 'keyStore', 'an object with getOrCreate(), delete()']),
    [{ key: canary }, 'key', 'it takes keyStore, name'],
  ]),
  ...[undefined, null, canary, canaryNumber, {}, { getItem: canary }].map((given) => argument('webStorageStore', webStorageStore, [given], 'storage', storage)),
  ...noObject('webStorageStore', make.webStorageStore, true),
  ...spoilt('webStorageStore', make.webStorageStore, {}, [
    ...clocks,
    ...['', canaryNumber, null, `${canary}\0`].map((prefix): Spoilt => [{ prefix }, 'prefix', text]),
    ...[canary, null, true, 'strict'].map((rotation): Spoilt => [{ rotation }, 'rotation', '"none"', '[X28]']),
    [{ name: canary }, 'name', 'it takes prefix, rotation, clock'],
  ]),
  argument(
    'webStorageStore',
    webStorageStore,
    [{ ...goodStorage, [Symbol.toStringTag]: 'Storage' }],
    'storage',
    'tabs see localStorage too late for refresh tokens that rotate',
    '[X28]',
  ),
  ...[undefined, null, canary, {}, { ...store, get: canary }].map((inner) =>
    argument('encryptedStore', encryptedStore, [inner, goodCipher], 'inner', 'an object with get(), set(), delete()'),
  ),
  ...[undefined, null, canary, {}, { encrypt: canary, decrypt: canary }].map((cipher) =>
    argument('encryptedStore', encryptedStore, [store, cipher], 'cipher', 'an object with encrypt(), decrypt()'),
  ),
];
