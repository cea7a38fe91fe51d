import type { TokenEvent } from './events.js';
import { isolated } from './isolated.js';

/** What there is to see of something that changes, and those who want to hear of it. */
export interface Watched<T> {
  /** The same object as long as it says the same. */
  current(): T;
  /** Returns its undo. */
  subscribe(listener: () => void): () => void;
  /** Tells the listeners when there is something else to see, or `isNews` says so. */
  changed(isNews?: boolean): void;
  /** Nobody hears of anything any more. */
  end(): void;
}

/** @param describe - gives an object of its own at each call, always with the same members, which are compared by identity. */
export function watched<T extends object>(describe: () => T, report: (event: TokenEvent) => void): Watched<T> {
  const listeners = new Set<() => void>();
  const failed = (): void => report({ type: 'warning', code: 'listener_failed', message: 'a subscriber failed' });
  let shown: T | undefined;

  function current(): T {
    const next = describe();
    const before: object = shown ?? {};
    if (!shown || Object.entries(next).some(([fact, value]) => Reflect.get(before, fact) !== value)) shown = Object.freeze(next);
    return shown;
  }

  return {
    current,
    subscribe(listener) {
      // A wrapper of its own, so that one listener may be subscribed twice.
      const each = (): void => listener();
      listeners.add(each);
      return () => listeners.delete(each);
    },
    changed(isNews = false) {
      const before = shown;
      if (current() !== before || isNews) for (const listener of listeners) isolated(listener, undefined, failed);
    },
    end: () => listeners.clear(),
  };
}
