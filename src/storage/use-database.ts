import type { UseStore } from 'idb-keyval';
import { isTokenError } from '../core/errors.js';
import { unavailable } from '../core/unavailable.js';

const version = 1;
const parts = ['records', 'keys'] as const;

/**
 * A part of an IndexedDB database. It is opened at the first use, let go when somebody deletes or upgrades it, and opened
 * again at the next use. Whatever fails is a {@link TokenError} `store_unavailable`.
 */
export function useDatabase(name: string, part: (typeof parts)[number]): UseStore {
  let opening: Promise<IDBDatabase> | undefined;
  const forget = (): void => {
    opening = undefined;
  };

  const begin = async (mode: IDBTransactionMode): Promise<IDBTransaction> => {
    opening ??= open(name, forget);
    const database = await opening.catch((error: unknown) => {
      forget();
      throw error;
    });
    // Strict: a machine that loses power must not lose a refresh token that the server has already rotated.
    return database.transaction(part, mode, { durability: 'strict' });
  };

  return async (mode, callback) => {
    try {
      const transaction = await begin(mode).catch((error: unknown) => {
        if (nameOf(error) !== 'InvalidStateError') throw error;
        // The browser closed it without a word.
        forget();
        return begin(mode);
      });
      return await callback(transaction.objectStore(part));
    } catch (error) {
      throw isTokenError(error) ? error : unavailable(`IndexedDB failed: ${nameOf(error)}`);
    }
  };
}

function open(name: string, closed: () => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, version);
    let late = false;
    request.onupgradeneeded = () => {
      for (const part of parts) request.result.createObjectStore(part);
    };
    request.onerror = () => reject(request.error);
    request.onblocked = () => {
      late = true;
      reject(unavailable('another tab keeps the database in an older version'));
    };
    request.onsuccess = () => {
      const { result: database } = request;
      const close = (): void => {
        database.close();
        closed();
      };
      // Who holds on keeps all others from deleting or upgrading it.
      database.onversionchange = close;
      database.onclose = closed;
      if (late) close();
      else resolve(database);
    };
  });
}

// Names alone: what else an error says may quote what was written.
function nameOf(error: unknown): string {
  const { name } = Object(error);
  return typeof name === 'string' && /^\w{1,40}$/.test(name) ? name : 'unknown error';
}
