import { checkPort } from '../core/check-option.js';
import type { Cipher } from '../core/cipher.js';
import type { AccountStore, TokenStore } from '../core/token-store.js';

/**
 * Encrypts what goes into a store. Each value is bound to its key and version, so that none can be put in the place of another.
 * Versions, the index beside values, the lock and hints stay those of the store inside.
 *
 * What does not open (changed, swapped, or its key is gone) is read as an empty value under its version: it counts as a record
 * that cannot be read, and the next write replaces it.
 */
export function encryptedStore(inner: AccountStore, cipher: Cipher): AccountStore;
export function encryptedStore(inner: TokenStore & { readonly list?: undefined }, cipher: Cipher): TokenStore;
export function encryptedStore(inner: TokenStore | AccountStore, cipher: Cipher): TokenStore {
  checkPort('inner', inner ?? null, ['get', 'set', 'delete']);
  checkPort('cipher', cipher ?? null, ['encrypt', 'decrypt']);
  const contextOf = (key: string, version: string): string => JSON.stringify([key, version]);
  const { lock, shared, mayBeStale } = inner;
  return {
    lock,
    shared,
    mayBeStale,

    async get(key) {
      const stored = await inner.get(key);
      return stored && { ...stored, value: (await cipher.decrypt(stored.value, contextOf(key, stored.version))) ?? '' };
    },

    set: async (key, value, write) => inner.set(key, await cipher.encrypt(value, contextOf(key, write.next)), write),
    delete: (key, expected) => inner.delete(key, expected),
    ...(inner.subscribe && { subscribe: inner.subscribe.bind(inner) }),
    ...('list' in inner && { list: inner.list.bind(inner) }),
  };
}
