import { checkOptions, checkPort } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import type { Lock } from '../core/lock.js';
import { systemClock } from '../core/system-clock.js';
import { withTimeLimit } from '../core/waiting.js';

export interface WebLockOptions {
  /** Measures `waitMs`. @default the system's clock */
  readonly clock?: Clock | undefined;
}

/**
 * A lock across the tabs and workers of one origin (Web Locks): exclusive, never stolen, in the order in which they asked.
 * A tab that is closed or crashes frees what it holds. Where there are no Web Locks, or they refuse, `run` rejects with the
 * browser's own error: the lock has failed, which is not the same as that it is taken.
 */
export function webLock(options: WebLockOptions = {}): Lock {
  checkOptions('webLock', options, ['clock']);
  checkPort('clock', options.clock, ['now', 'monotonicMs', 'sleep']);
  const { clock = systemClock } = options;
  return {
    shared: true,
    async run(name, task, { waitMs, signal }) {
      signal?.throwIfAborted();
      const timeout = (): TokenError => new TokenError('lock_timeout', `the lock was not free within ${waitMs} ms`, { phase: 'lock' });
      const held = new AbortController();
      const end = Promise.withResolvers<void>();
      let freed: Promise<unknown> | undefined;
      const take = (wait?: AbortSignal): Promise<void> =>
        new Promise((granted, refused) => {
          const taken = (lock: unknown): Promise<void> | undefined => {
            if (lock === null || wait?.aborted) {
              refused(timeout());
              return undefined;
            }
            granted();
            return end.promise;
          };
          freed = navigator.locks.request(`tokenkeep:${name}`, wait === undefined ? { ifAvailable: true } : { signal: wait }, taken).catch((error: unknown) => {
            refused(error);
            // While the task runs this means that somebody stole the lock, or that the browser took it from a frozen worker.
            held.abort(new TokenError('lock_lost', 'the lock was lost while its task ran', { phase: 'lock' }));
          });
        });
      try {
        await (waitMs > 0 ? withTimeLimit(clock, waitMs, take, timeout, signal) : take());
        return await task(held.signal);
      } finally {
        end.resolve();
        await freed;
      }
    },
  };
}
