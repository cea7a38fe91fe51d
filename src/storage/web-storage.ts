import { checkOptions, checkPort, checkString, invalidOption } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import { parseObject } from '../core/parse-object.js';
import { systemClock } from '../core/system-clock.js';
import type { Stored, TokenStore } from '../core/token-store.js';
import { localLock } from '../locks/local.js';
import { webLock } from '../locks/web.js';
import { unavailable } from '../core/unavailable.js';

export interface WebStorageStoreOptions {
  /** Begins each key. @default 'tokenkeep:' */
  readonly prefix?: string | undefined;
  /** Says that the server never replaces a refresh token at its use; `localStorage` is refused without it. */
  readonly rotation?: 'none' | undefined;
  /** Measures waits for the lock. @default the system's clock */
  readonly clock?: Clock | undefined;
}

const entryVersion = 1;

/**
 * The weak choice: a store in `sessionStorage` or `localStorage`, which any script of the origin reads in one line, and which lies
 * on the disk as it is. Prefer `indexedDbStore`; at least put `encryptedStore` around this one.
 *
 * `sessionStorage` belongs to one tab, but a duplicated tab begins with a copy. `localStorage` is shared by tabs that may
 * read what another one has long replaced, even under a lock: it is refused unless `rotation` is `'none'`, since a refresh
 * token that rotates would be spent twice.
 */
export function webStorageStore(storage: Storage, options: WebStorageStoreOptions = {}): TokenStore {
  checkPort('storage', storage ?? null, ['getItem', 'setItem', 'removeItem']);
  checkOptions('webStorageStore', options, ['prefix', 'rotation', 'clock']);
  checkPort('clock', options.clock, ['now', 'monotonicMs', 'sleep']);
  const { prefix = 'tokenkeep:', rotation, clock = systemClock } = options;
  checkString('prefix', prefix);
  if (rotation !== undefined && rotation !== 'none') throw invalidOption('rotation', '"none"', rotation);
  const shared = isShared(storage);
  if (shared && rotation !== 'none') {
    throw invalidOption(
      'storage',
      'sessionStorage; tabs see localStorage too late for refresh tokens that rotate (with rotation: "none" it is taken)',
      storage,
    );
  }

  const read = (key: string): Stored | undefined => {
    const { v, value, version } = parseObject(storage.getItem(prefix + key) ?? undefined) ?? {};
    if (typeof v === 'number' && v > entryVersion) throw unavailable('the record was written by a newer version of tokenkeep');
    return typeof value === 'string' && typeof version === 'string' ? { value, version } : undefined;
  };
  // Web Storage answers at once: nobody in this process comes between the look and the write.
  const swap = (key: string, expected: string | undefined, write: () => void): boolean => {
    if (read(key)?.version !== expected) return false;
    write();
    return true;
  };

  return {
    shared,
    mayBeStale: shared,
    lock: shared ? webLock({ clock }) : localLock({ clock }),
    get: async (key) => guarded(() => read(key)),
    set: async (key, value, { expected, next: version }) =>
      guarded(() => swap(key, expected, () => storage.setItem(prefix + key, JSON.stringify({ v: entryVersion, value, version })))),
    delete: async (key, expected) => guarded(() => swap(key, expected, () => storage.removeItem(prefix + key))),
  };
}

// A browser's own storage that is not this tab's; what an application has built itself is its own affair.
function isShared(storage: Storage): boolean {
  return Object.prototype.toString.call(storage) === '[object Storage]' && storage !== globalThis.sessionStorage;
}

function guarded<T>(task: () => T): T {
  try {
    return task();
  } catch (error) {
    if (error instanceof TokenError) throw error;
    // What the browser says may quote what was written.
    throw unavailable('Web Storage failed: it is full, or not allowed here');
  }
}
