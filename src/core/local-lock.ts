import { checkOptions } from './check-option.js';
import type { Clock } from './clock.js';
import { TokenError } from './errors.js';
import type { Lock } from './lock.js';
import { checkClock } from './system-clock.js';
import { withTimeLimit } from './waiting.js';

export interface LocalLockOptions {
  /** Measures `waitMs`. @default the system's clock */
  readonly clock?: Clock | undefined;
}

/** A lock within this process and this instance: waiters get it in the order in which they asked. */
export function localLock(options: LocalLockOptions = {}): Lock {
  checkOptions('localLock', options, ['clock']);
  const clock = checkClock(options.clock);
  // Per name that is taken: who holds it or waits for it, and what settles when all of them are through.
  const lines = new Map<string, { users: number; tail: Promise<void> | undefined }>();
  return {
    async run(name, task, { waitMs, signal }) {
      signal?.throwIfAborted();
      const timeout = (): TokenError => new TokenError('lock_timeout', `the lock was not free within ${waitMs} ms`, { phase: 'lock' });
      const line = lines.get(name) ?? { users: 0, tail: undefined };
      const before = line.tail;
      if (before && !(waitMs > 0)) throw timeout();
      const { promise, resolve } = Promise.withResolvers<void>();
      // Who gives up must not let others pass: they still wait for those before.
      line.tail = !before ? promise : before.then(() => promise);
      line.users++;
      lines.set(name, line);
      try {
        if (before) await withTimeLimit(clock, waitMs, () => before, timeout, signal);
        return await task(new AbortController().signal);
      } finally {
        resolve();
        if (--line.users === 0) lines.delete(name);
      }
    },
  };
}
