import type { Lock } from '../core/lock.js';
import { assertEqual, type ContractTools } from './contract-case.js';

/** What a case of the lock contract works with. */
export interface LockCaseContext extends ContractTools {
  readonly lock: Lock;
  /** Another instance where the lock is shared, else the lock itself. */
  readonly other: Lock;
  /** A name that nobody used before. */
  readonly name: string;
}

export type LockCase = (context: LockCaseContext) => Promise<void>;

// A case that has failed does not wait for its other runs: their rejections are nobody's.
export function quiet(lock: Lock): Lock {
  return {
    shared: lock.shared,
    run(name, task, options) {
      const running = lock.run(name, task, options);
      running.catch(() => undefined);
      return running;
    },
  };
}

export interface Holder {
  readonly held: AbortSignal;
  /** Ends the task; settles when the lock has told so. */
  free(): Promise<void>;
}

/** A task that tells when it has begun, and ends when told to. */
export function enter<T>(begun: PromiseWithResolvers<AbortSignal>, end: PromiseWithResolvers<T>): (held: AbortSignal) => Promise<T> {
  return (held) => {
    begun.resolve(held);
    return end.promise;
  };
}

/** Takes the lock, and keeps it until told otherwise. */
export async function hold({ lock, within }: Pick<LockCaseContext, 'lock' | 'within'>, name: string): Promise<Holder> {
  const begun = Promise.withResolvers<AbortSignal>();
  const end = Promise.withResolvers<void>();
  const task = lock.run(name, enter(begun, end), { waitMs: 5_000 });
  task.catch(begun.reject);
  const held = await within(begun.promise, 'taking a free lock');
  return {
    held,
    free() {
      end.resolve();
      return within(task, 'freeing the lock');
    },
  };
}

export async function assertFree({ lock, within }: Pick<LockCaseContext, 'lock' | 'within'>, name: string): Promise<void> {
  assertEqual(
    await within(
      lock.run(name, async () => 'in', { waitMs: 1_000 }),
      'taking the lock afterwards',
    ),
    'in',
    'the lock afterwards',
  );
}
