import type { TokenStore } from '../core/token-store.js';
import { webStorageStore } from '../storage/web-storage.js';
import type { BrowserStorage } from './browser-storage.js';

/**
 * Where sign-ins under way are kept: with everything else, encrypted. Where this page's memory is all that there is, in
 * `sessionStorage`, since a redirect would lose them; what lies there for these minutes is worth nothing without the code.
 */
export function transactionStore({ store, isDegraded }: BrowserStorage): () => Promise<TokenStore> {
  let ofTab: TokenStore | undefined;
  return async () => {
    if (!(await isDegraded())) return store;
    try {
      ofTab ??= webStorageStore(sessionStorage);
      return ofTab;
    } catch {
      // The browser does not even let us look: popups still work.
      return store;
    }
  };
}
