import { isolated } from '../core/isolated.js';

/** Who wants to hear of which key. */
export interface Listeners {
  /** Returns its undo. */
  add(key: string, listener: () => void): () => void;
  /** Tells those who listen to the key; left out: all. In a turn of their own, so that none disturbs the teller. */
  tell(key?: string): void;
  readonly keys: readonly string[];
}

/** `first` runs when somebody begins to listen, `last` when nobody is left. */
export function listeners(first: () => void, last: () => void): Listeners {
  const subscriptions = new Set<{ readonly key: string; readonly listener: () => void }>();
  return {
    add(key, listener) {
      const subscription = { key, listener };
      subscriptions.add(subscription);
      if (subscriptions.size === 1) first();
      return () => {
        if (subscriptions.delete(subscription) && subscriptions.size === 0) last();
      };
    },
    tell(key) {
      for (const subscription of subscriptions) {
        if (key !== undefined && subscription.key !== key) continue;
        Promise.resolve().then(() => subscriptions.has(subscription) && isolated(subscription.listener, undefined));
      }
    },
    get keys() {
      return [...new Set([...subscriptions].map(({ key }) => key))];
    },
  };
}
