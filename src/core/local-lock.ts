import { checkOptions, checkPort } from './check-option.js';
import type { Clock } from './clock.js';
import { TokenError } from './errors.js';
import type { Lock, LockOptions } from './lock.js';
import { systemClock } from './system-clock.js';

export interface LocalLockOptions {
  /** Measures `waitMs`. @default the system's clock */
  readonly clock?: Clock | undefined;
}

/** A lock within this process and this instance: waiters get it in the order in which they asked. */
export function localLock(options: LocalLockOptions = {}): Lock {
  checkOptions('localLock()', options, ['clock']);
  checkPort('clock', options.clock, ['now', 'monotonicMs', 'sleep']);
  const clock = options.clock ?? systemClock;
  // A name that is here is taken; the set holds those who wait for it, first come first.
  const taken = new Map<string, Set<() => void>>();

  const release = (name: string): void => {
    const waiters = taken.get(name);
    const [next] = waiters ?? [];
    if (next === undefined) taken.delete(name);
    else next();
  };

  const acquire = async (name: string, { waitMs, signal }: LockOptions): Promise<void> => {
    signal?.throwIfAborted();
    const waiters = taken.get(name);
    if (waiters === undefined) {
      taken.set(name, new Set());
      return;
    }
    if (!(waitMs > 0)) throw timeout(waitMs);
    await new Promise<void>((resolve, reject) => {
      const done = new AbortController();
      const leave = (): void => {
        waiters.delete(grant);
        signal?.removeEventListener('abort', onAbort);
        done.abort();
      };
      const grant = (): void => {
        leave();
        resolve();
      };
      const fail = (reason: unknown): void => {
        leave();
        reject(reason);
      };
      const onAbort = (): void => fail(signal?.reason);
      waiters.add(grant);
      signal?.addEventListener('abort', onAbort, { once: true });
      // Once the wait is over, the sleep ends by `done`, and nobody hears it.
      clock.sleep(waitMs, done.signal).then(() => fail(timeout(waitMs)), fail);
    });
  };

  return {
    async run(name, task, lockOptions) {
      await acquire(name, lockOptions);
      try {
        return await task(new AbortController().signal);
      } finally {
        release(name);
      }
    },
  };
}

function timeout(waitMs: number): TokenError {
  return new TokenError('lock_timeout', `the lock was not free within ${waitMs} ms`, { phase: 'lock' });
}
