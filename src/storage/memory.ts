import { checkOptions } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import { ageMs, type Instant, instant } from '../core/instant.js';
import { checkClock } from '../core/system-clock.js';
import type { TokenStore } from '../core/token-store.js';
import { localLock } from '../locks/local.js';

export interface MemoryStoreOptions {
  /** Measures the age of values. @default the system's clock */
  readonly clock?: Clock | undefined;
}

/**
 * A store in this process's memory: what it holds is gone when the process ends. Everyone who is given the same instance
 * shares its values and its lock.
 */
export function memoryStore(options: MemoryStoreOptions = {}): TokenStore {
  checkOptions('memoryStore()', options, ['clock']);
  const clock = checkClock(options.clock);
  const values = new Map<string, Instant & { readonly value: string; readonly version: string }>();
  const subscriptions = new Set<Subscription>();

  const notify = (key: string): void => {
    for (const subscription of subscriptions) {
      // In a turn of its own: a listener that throws, or calls the store again, disturbs neither the writer nor the others.
      if (subscription.key === key)
        Promise.resolve(subscription)
          .then((heard) => subscriptions.has(heard) && heard.listener())
          .catch(() => undefined);
    }
  };

  return {
    lock: localLock({ clock }),

    async get(key) {
      const stored = values.get(key);
      return stored && { value: stored.value, version: stored.version, ageMs: ageMs(stored, clock) };
    },

    async set(key, value, write) {
      if (values.get(key)?.version !== write.expected) return false;
      values.set(key, { value, version: write.next, ...instant(clock) });
      notify(key);
      return true;
    },

    async delete(key, expected) {
      const deleted = values.get(key)?.version === expected && values.delete(key);
      if (deleted) notify(key);
      return deleted;
    },

    subscribe(key, listener) {
      const subscription = { key, listener };
      subscriptions.add(subscription);
      return () => void subscriptions.delete(subscription);
    },
  };
}

interface Subscription {
  readonly key: string;
  readonly listener: () => void;
}
