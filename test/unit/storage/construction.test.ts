import { webLock } from 'tokenkeep/locks/web';
import { encryptedStore } from 'tokenkeep/storage/encrypted';
import { indexedDbKeyStore, indexedDbStore } from 'tokenkeep/storage/indexed-db';
import { webCryptoCipher } from 'tokenkeep/storage/web-crypto-cipher';
import { afterEach, expect, it, vi } from 'vitest';

const names = ['navigator', 'indexedDB', 'BroadcastChannel', 'crypto', 'localStorage', 'sessionStorage', 'window', 'document'];

afterEach(() => {
  vi.unstubAllGlobals();
});

it('makes locks, stores, key stores and ciphers on a server that renders pages, without touching a global of the browser [X27]', () => {
  const touched: string[] = [];
  for (const name of names) {
    vi.stubGlobal(name, undefined);
    Object.defineProperty(globalThis, name, {
      configurable: true,
      get() {
        touched.push(name);
        throw new Error(`${name} was touched`);
      },
    });
  }
  const made = [webLock(), encryptedStore(indexedDbStore(), webCryptoCipher({ keyStore: indexedDbKeyStore() }))];
  vi.unstubAllGlobals();
  expect([made.length, touched]).toEqual([2, []]);
});

it('fails as store_unavailable where there is no IndexedDB at all [X25]', async () => {
  const store = encryptedStore(indexedDbStore(), webCryptoCipher({ keyStore: indexedDbKeyStore() }));
  const unavailable = { name: 'TokenError', code: 'store_unavailable', message: 'IndexedDB failed: ReferenceError' };
  await expect(store.get('key')).rejects.toMatchObject(unavailable);
  await expect(store.set('key', 'value', { expected: undefined, next: 'first' })).rejects.toMatchObject(unavailable);
  await expect(store.delete('key', 'first')).rejects.toMatchObject(unavailable);
  await expect(indexedDbKeyStore().delete('key')).rejects.toMatchObject(unavailable);
});
