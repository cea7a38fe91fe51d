import { disposedError } from '../manager/failures.js';
import { targetKey } from '../manager/target-key.js';
import type { TokenManager } from '../manager/token-manager.js';
import type { LiveAccount } from './account-managers.js';

/** A manager that holds no more than the way to its account: it stays good when the account leaves memory. */
export function accountHandle(live: () => LiveAccount): TokenManager {
  let isDisposed = false;
  const own = (): LiveAccount => {
    if (isDisposed) throw disposedError();
    return live();
  };
  const tokens = (): TokenManager => own().kept.tokens;
  const dispose = async (): Promise<void> => {
    isDisposed = true;
  };
  // No promise of its own around the one of the manager: what is cached costs nothing.
  const asked = <T>(ask: () => Promise<T>): Promise<T> => {
    try {
      return ask();
    } catch (error) {
      return Promise.reject(error);
    }
  };
  return {
    getToken: (wanted) => asked(() => tokens().getToken(wanted)),
    for(target) {
      // Refused here, not at its first use.
      targetKey(target);
      return { getToken: (wanted) => asked(() => tokens().for(target).getToken(wanted)) };
    },
    ready: (wanted) => asked(() => tokens().ready(wanted)),
    peek: () => (isDisposed ? undefined : tokens().peek()),
    snapshot: () => tokens().snapshot(),
    subscribe(listener) {
      const account = own();
      account.watchers++;
      let undo: (() => void) | undefined = account.kept.tokens.subscribe(listener);
      return () => {
        if (undo) account.watchers--;
        undo?.();
        undo = undefined;
      };
    },
    explain: () => tokens().explain(),
    revoke: () => asked(() => tokens().revoke()),
    clear: () => asked(() => tokens().clear()),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}
