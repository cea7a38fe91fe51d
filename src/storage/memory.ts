import { checkOptions, checkPort } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import { systemClock } from '../core/system-clock.js';
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
  checkPort('clock', options.clock, ['now', 'monotonicMs', 'sleep']);
  const clock = options.clock ?? systemClock;
  const values = new Map<string, { readonly value: string; readonly version: string; readonly writtenAt: number; readonly writtenMs: number }>();
  const subscriptions = new Map<string, Set<Subscription>>();

  const notify = (key: string): void => {
    for (const subscription of subscriptions.get(key) ?? []) {
      // In a turn of its own: a listener that throws, or calls the store again, disturbs neither the writer nor the others.
      Promise.resolve()
        .then(() => subscription.listener?.())
        .catch(() => undefined);
    }
  };

  return {
    lock: localLock({ clock }),

    async get(key) {
      const stored = values.get(key);
      if (stored === undefined) return undefined;
      // Monotonic time may stand still while the machine sleeps, and the wall clock may be set back: the larger counts.
      const ageMs = Math.max(clock.monotonicMs() - stored.writtenMs, clock.now() - stored.writtenAt);
      return { value: stored.value, version: stored.version, ageMs };
    },

    async set(key, value, write) {
      if (values.get(key)?.version !== write.expected) return false;
      values.set(key, { value, version: write.next, writtenAt: clock.now(), writtenMs: clock.monotonicMs() });
      notify(key);
      return true;
    },

    async delete(key, expected) {
      const stored = values.get(key);
      if (stored === undefined || stored.version !== expected) return false;
      values.delete(key);
      notify(key);
      return true;
    },

    subscribe(key, listener) {
      const subscription: Subscription = { listener };
      const forKey = subscriptions.get(key) ?? new Set();
      subscriptions.set(key, forKey.add(subscription));
      return () => {
        subscription.listener = undefined;
        forKey.delete(subscription);
        if (forKey.size === 0 && subscriptions.get(key) === forKey) subscriptions.delete(key);
      };
    },
  };
}

interface Subscription {
  listener: (() => void) | undefined;
}
