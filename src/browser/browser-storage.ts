import type { Clock } from '../core/clock.js';
import type { TokenEvent } from '../core/events.js';
import type { KeyStore } from '../core/key-store.js';
import { withTimeLimit } from '../core/waiting.js';
import type { TokenStore } from '../core/token-store.js';
import { encryptedStore } from '../storage/encrypted.js';
import { indexedDbStore } from '../storage/indexed-db.js';
import { memoryStore } from '../storage/memory.js';
import { webCryptoCipher } from '../storage/web-crypto-cipher.js';

const limitMs = 5_000;
const slow = Symbol('slow');

/** Where a session keeps things unless the application says otherwise. */
export interface BrowserStorage {
  readonly store: TokenStore;
  /** Whether the browser keeps nothing, so that only this page's memory does. Asks the browser at the first call. */
  isDegraded(): Promise<boolean>;
}

/**
 * IndexedDB, encrypted under a key that cannot be exported. Where the browser gives none (private mode, storage turned off,
 * no Web Locks), or no room when nothing is kept yet, this page's memory for as long as it lives, and one event. What others
 * may share is never taken into memory: two would spend one refresh token. (`standards.md` X6, X25)
 */
export function browserStorage(clock: Clock, report: (event: TokenEvent) => void, keyStore: KeyStore): BrowserStorage {
  const cipher = webCryptoCipher({ keyStore });
  const shared = encryptedStore(indexedDbStore({ clock }), cipher);
  let choosing: Promise<TokenStore> | undefined;

  function degrade(why: string): TokenStore {
    report({ type: 'warning', code: 'storage_degraded', message: `the session lives in this page's memory alone: ${why}` });
    const memory = memoryStore({ clock });
    choosing = Promise.resolve(memory);
    return memory;
  }

  async function choose(): Promise<TokenStore> {
    if (globalThis.navigator?.locks === undefined) return degrade('this browser has no Web Locks');
    try {
      // Makes the key where there is none yet: a place that takes nothing is found out before it is needed.
      await withTimeLimit(
        clock,
        limitMs,
        () => cipher.encrypt('', ''),
        () => slow,
      );
      return shared;
    } catch (error) {
      // What does not answer may hold a session all the same: each call says for itself that it waits in vain.
      if (error === slow) return shared;
      return degrade('IndexedDB does not open, or has no room');
    }
  }

  const chosen = (): Promise<TokenStore> => {
    choosing ??= choose();
    return choosing;
  };

  const store: TokenStore = {
    shared: true,
    lock: {
      shared: true,
      run: async (name, task, options) => {
        const { lock } = await chosen();
        if (lock === undefined) throw new TypeError('a store without a lock');
        return lock.run(name, task, options);
      },
    },
    get: async (key) => (await chosen()).get(key),
    async set(key, value, write) {
      const first = await chosen();
      try {
        return await first.set(key, value, write);
      } catch (error) {
        if (first !== shared || write.expected !== undefined) throw error;
        // What a newer version keeps there is no reason: it fails here again.
        await shared.get(key);
        // Another write may have found out at the same time.
        const now = await chosen();
        return (now === shared ? degrade('IndexedDB cannot be written') : now).set(key, value, write);
      }
    },
    delete: async (key, expected) => (await chosen()).delete(key, expected),
    subscribe(key, listener) {
      let undo: (() => void) | undefined;
      let over = false;
      chosen().then((each) => {
        if (!over) undo = each.subscribe?.(key, listener);
      });
      return () => {
        over = true;
        undo?.();
      };
    },
  };
  return { store, isDegraded: async () => (await chosen()) !== shared };
}
