import type { Clock } from '../core/clock.js';
import { webStorageStore } from '../storage/web-storage.js';
import type { BrowserStorage } from './browser-storage.js';
import { type Transactions, transactionsIn } from './transactions.js';

/**
 * The sign-ins under way, where they outlive the way to the server and back: a page whose tokens live in its memory alone keeps
 * them in the `sessionStorage` of its tab too, or nobody could sign in by redirect. No token is ever among them.
 */
export function lastingTransactions(ownStorage: BrowserStorage, key: string, clock: Clock): Transactions {
  const own = transactionsIn(ownStorage.store, key, clock);
  const inTab = (): Transactions | undefined => {
    try {
      return transactionsIn(webStorageStore(sessionStorage, { clock }), key, clock);
    } catch {
      // Not even that is allowed here.
      return undefined;
    }
  };
  return {
    async add(transaction) {
      await own.add(transaction);
      if (await ownStorage.isDegraded()) await inTab()?.add(transaction);
    },
    async take(state) {
      const kept = await inTab()?.take(state);
      const found = await own.take(state);
      return kept ?? found;
    },
  };
}
