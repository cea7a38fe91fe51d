import { expect, test } from 'vitest';
import { TokenError } from '../../src/core/errors.js';
import type { Lock } from '../../src/core/lock.js';
import { localLock } from '../../src/locks/local.js';
import { lockContract } from '../../src/testing/index.js';
import { failingCases } from './failing-cases.js';

const timedOut = (): TokenError => new TokenError('lock_timeout', 'taken', { phase: 'lock' });

/** Each defect, and a case that must notice it. */
const defects: readonly (readonly [defect: string, noticed: string, broken: (good: Lock) => Lock['run']])[] = [
  ['does not exclude', 'runs one task at a time per name, and every one of them once', () => (_name, task) => task(new AbortController().signal)],
  [
    'runs a task again',
    'runs one task at a time per name, and every one of them once',
    (good) => (name, task, options) => good.run(name, (held) => task(held).then(() => task(held)), options),
  ],
  [
    'wraps failures',
    'settles as the task does, and is free again after a failure',
    (good) => (name, task, options) => good.run(name, (held) => task(held).catch((reason: unknown) => Promise.reject(new Error(String(reason)))), options),
  ],
  ['stays taken after a failure', 'settles as the task does, and is free again after a failure', () => stuckAfterFailure('rejected')],
  ['stays taken after a throw', 'is free again after a task that throws before its first await', () => stuckAfterFailure('thrown')],
  [
    'waits although it should not',
    'fails at once with waitMs 0 when it is taken',
    (good) => (name, task, options) => good.run(name, task, { ...options, waitMs: options.waitMs || 60_000 }),
  ],
  [
    'fails with an error of its own',
    'fails at once with waitMs 0 when it is taken',
    (good) => (name, task, options) => good.run(name, task, options).catch(() => Promise.reject(new Error('busy'))),
  ],
  [
    'waits without limit',
    'gives up after waitMs, and does not run the task later',
    (good) => (name, task, options) => good.run(name, task, { ...options, waitMs: options.waitMs * 100 }),
  ],
  ['never waits', 'is handed on when it becomes free in time', (good) => (name, task, options) => good.run(name, task, { ...options, waitMs: 0 })],
  [
    'gives up early',
    'gives up after waitMs, and does not run the task later',
    (good) => (name, task, options) => good.run(name, task, { ...options, waitMs: options.waitMs / 4 }),
  ],
  [
    'runs the task of a waiter that gave up',
    'gives up after waitMs, and does not run the task later',
    (good) => async (name, task, options) => {
      const late = good.run(name, task, { ...options, waitMs: 60_000 });
      return options.waitMs === 200 ? Promise.race([late, new Promise<never>((_, reject) => setTimeout(() => reject(timedOut()), 200))]) : late;
    },
  ],
  [
    'does not hear the signal',
    'ends a wait with the reason of its signal, and leaves the others untouched',
    (good) =>
      (name, task, { waitMs }) =>
        good.run(name, task, { waitMs }),
  ],
  [
    'rejects with an error of its own when the signal aborts',
    'ends a wait with the reason of its signal, and leaves the others untouched',
    (good) => (name, task, options) =>
      good.run(name, task, options).catch((reason: unknown) => Promise.reject(options.signal?.aborted ? new Error('aborted') : reason)),
  ],
  [
    'runs in spite of a signal that has aborted',
    'runs nothing when the signal has aborted before',
    (good) => (name, task, options) => good.run(name, task, { waitMs: options.waitMs, signal: options.signal?.aborted ? undefined : options.signal }),
  ],
  [
    'abandons a task when the signal aborts',
    'leaves a task alone that has begun when the signal aborts',
    (good) => (name, task, options) =>
      good.run(
        name,
        (held) =>
          Promise.race([task(held), new Promise<never>((_, reject) => options.signal?.addEventListener('abort', () => reject(options.signal?.reason)))]),
        options,
      ),
  ],
  [
    'hands the signal of the wait to the task',
    'leaves a task alone that has begun when the signal aborts',
    (good) => (name, task, options) => good.run(name, (held) => task(options.signal ?? held), options),
  ],
  ['has one lock for all names', 'keeps names apart', (good) => (_name, task, options) => good.run('all', task, options)],
  [
    'keeps its names in a plain object',
    'takes names that every object has for ordinary names',
    (good) => {
      const plain: Record<string, string | undefined> = {};
      return (name, task, options) =>
        name.startsWith('contract-') ? good.run(name, task, options) : plain[name] === undefined ? good.run(name, task, options) : task(AbortSignal.abort());
    },
  ],
  [
    'lets its holder in again',
    'does not let its holder in a second time',
    (good) => {
      const inside = new Set<string>();
      return async (name, task, options) => {
        if (inside.has(name)) return task(new AbortController().signal);
        return good.run(
          name,
          async (held) => {
            inside.add(name);
            try {
              return await task(held);
            } finally {
              inside.delete(name);
            }
          },
          options,
        );
      };
    },
  ],
  [
    'loses what it holds',
    'gives the task a signal that does not abort as long as the lock is held',
    (good) => (name, task, options) => good.run(name, () => task(AbortSignal.abort()), options),
  ],
];

test.concurrent.each(defects)('the contract notices a lock that %s [X17]', async (_defect, noticed, broken) => {
  const failing = await failingCases(lockContract(() => ({ run: broken(localLock()) }), { limitMs: 300 }));
  expect([...failing.keys()]).toContain(noticed);
  expect(failing.get(noticed)).not.toMatch(/^not an Error/);
});

test('every case of the lock contract is failed by one of the broken locks [X17]', () => {
  const noticed = new Set(defects.map(([, name]) => name));
  expect(
    lockContract(localLock)
      .map(({ name }) => name)
      .filter((name) => !noticed.has(name)),
  ).toEqual([]);
});

test('two instances of a shared lock that do not exclude each other fail the contract [X17]', async () => {
  const failing = await failingCases(lockContract(() => ({ shared: true, run: localLock().run }), { limitMs: 300 }));
  expect([...failing.keys()]).toContain('runs one task at a time per name, and every one of them once');
});

function stuckAfterFailure(kind: 'rejected' | 'thrown'): Lock['run'] {
  const good = localLock();
  const stuck = new Set<string>();
  return async (name, task, options) => {
    if (stuck.has(name)) throw timedOut();
    return good.run(
      name,
      async (held) => {
        let running: ReturnType<typeof task>;
        try {
          running = task(held);
        } catch (failure) {
          if (kind === 'thrown') stuck.add(name);
          throw failure;
        }
        if (kind === 'rejected') running.catch(() => stuck.add(name));
        return running;
      },
      options,
    );
  };
}
