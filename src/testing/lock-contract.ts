import type { Lock } from '../core/lock.js';
import { randomId } from '../core/random.js';
import { systemClock } from '../core/system-clock.js';
import { assert, assertEqual, assertLockTimeout, type ContractCase, type ContractOptions, contractTools, rejection } from './contract-case.js';
import { assertFree, enter, hold, type LockCase, quiet } from './lock-case.js';

/** Makes the lock under test. Called anew for each case; instances of a shared lock exclude each other. */
export type MakeLock = () => Lock | Promise<Lock>;

/** What every {@link Lock} promises, as test cases. The order in which waiters get it is up to the lock. */
export function lockContract(makeLock: MakeLock, options: ContractOptions = {}): readonly ContractCase[] {
  const tools = contractTools('lockContract', makeLock, options);
  return Object.entries(lockCases).map(([name, run]) => ({
    name,
    async run() {
      const first = await makeLock();
      const lock = quiet(first);
      const other = first.shared === true ? quiet(await makeLock()) : lock;
      await run({ ...tools, lock, other, name: `contract-${randomId()}` });
    },
  }));
}

const lockCases: Readonly<Record<string, LockCase>> = {
  'runs one task at a time per name, and every one of them once': async ({ lock, other, name, within }) => {
    let inside = 0;
    let most = 0;
    const ran = new Set<number>();
    const tasks = Array.from({ length: 20 }, (_, index) =>
      (index % 2 === 0 ? lock : other).run(
        name,
        async () => {
          most = Math.max(most, ++inside);
          for (let turn = 0; turn < 5; turn++) await Promise.resolve();
          assert(!ran.has(index), 'a task ran twice');
          ran.add(index);
          inside--;
        },
        { waitMs: 60_000 },
      ),
    );
    await within(Promise.all(tasks), '20 tasks');
    assertEqual(most, 1, 'tasks at a time');
    assertEqual(ran.size, 20, 'tasks that ran');
  },

  'settles as the task does, and is free again after a failure': async (context) => {
    const { lock, name, within } = context;
    assertEqual(
      await within(
        lock.run(name, async () => 42, { waitMs: 0 }),
        'a task',
      ),
      42,
      'the result of the task',
    );
    const failure = new Error('a task of the contract fails');
    const failed = lock.run(name, () => Promise.reject(failure), { waitMs: 1_000 });
    assertEqual(await within(rejection(failed, 'a task that rejects'), 'a task that rejects'), failure, 'the reason');
    await assertFree(context, name);
  },

  'is free again after a task that throws before its first await': async (context) => {
    const { lock, name, within } = context;
    const failure = new Error('a task of the contract throws');
    const failed = lock.run(
      name,
      () => {
        throw failure;
      },
      { waitMs: 1_000 },
    );
    assertEqual(await within(rejection(failed, 'a task that throws'), 'a task that throws'), failure, 'the reason');
    await assertFree(context, name);
  },

  'fails at once with waitMs 0 when it is taken': async (context) => {
    const { other, name, within } = context;
    const holder = await hold(context, name);
    let ran = false;
    const refused = other.run(
      name,
      async () => {
        ran = true;
      },
      { waitMs: 0 },
    );
    await within(assertLockTimeout(refused, 'run() with waitMs 0'), 'run() with waitMs 0');
    await holder.free();
    assertEqual(ran, false, 'the refused task ran');
  },

  'gives up after waitMs, and does not run the task later': async (context) => {
    const { other, name, within, pass } = context;
    const holder = await hold(context, name);
    let ran = false;
    let settled = false;
    const startedMs = systemClock.monotonicMs();
    const refused = other.run(
      name,
      async () => {
        ran = true;
      },
      { waitMs: 200 },
    );
    refused.then(
      () => {
        settled = true;
      },
      () => {
        settled = true;
      },
    );
    await pass(100);
    // On a busy machine 100 ms may have become 200.
    assert(!settled || systemClock.monotonicMs() - startedMs >= 200, 'the wait ended before waitMs');
    await pass(150);
    await within(assertLockTimeout(refused, 'run() with waitMs 200'), 'run() with waitMs 200');
    await holder.free();
    await assertFree(context, name);
    assertEqual(ran, false, 'the task that gave up ran');
  },

  'is handed on when it becomes free in time': async (context) => {
    const { other, name, within } = context;
    const holder = await hold(context, name);
    const waiting = other.run(name, async () => 'in', { waitMs: 60_000 });
    await holder.free();
    assertEqual(await within(waiting, 'a waiter'), 'in', 'the result of the waiter');
  },

  'ends a wait with the reason of its signal, and leaves the others untouched': async (context) => {
    const { other, name, within } = context;
    const holder = await hold(context, name);
    const stop = new AbortController();
    const ran: string[] = [];
    const join = (who: string, signal?: AbortSignal): Promise<number> => other.run(name, async () => ran.push(who), { waitMs: 60_000, signal });
    const [before, aborted, after] = [join('before'), join('aborted', stop.signal), join('after')];
    const reason = new Error('the contract aborts');
    const rejected = rejection(aborted, 'the aborted wait');
    stop.abort(reason);
    assertEqual(await within(rejected, 'the aborted wait'), reason, 'the reason of the aborted wait');
    assertEqual(ran.length, 0, 'tasks that ran while the lock was held');
    await holder.free();
    await within(Promise.all([before, after]), 'the other waiters');
    assertEqual(ran.toSorted().join(), 'after,before', 'the tasks that ran');
  },

  'runs nothing when the signal has aborted before': async (context) => {
    const { lock, name, within } = context;
    let ran = false;
    const reason = new Error('the contract aborted');
    const refused = lock.run(
      name,
      async () => {
        ran = true;
      },
      { waitMs: 1_000, signal: AbortSignal.abort(reason) },
    );
    assertEqual(await within(rejection(refused, 'run() with an aborted signal'), 'run() with an aborted signal'), reason, 'the reason');
    assertEqual(ran, false, 'the task ran');
    await assertFree(context, name);
  },

  'leaves a task alone that has begun when the signal aborts': async (context) => {
    const { lock, other, name, within } = context;
    const stop = new AbortController();
    const begun = Promise.withResolvers<AbortSignal>();
    const end = Promise.withResolvers<string>();
    const running = lock.run(name, enter(begun, end), { waitMs: 1_000, signal: stop.signal });
    const held = await within(begun.promise, 'taking a free lock');
    stop.abort(new Error('the contract aborts'));
    await within(
      assertLockTimeout(
        other.run(name, async () => undefined, { waitMs: 0 }),
        'run() beside the task',
      ),
      'run() beside the task',
    );
    assertEqual(held.aborted, false, 'the held signal aborted with the signal of the wait');
    end.resolve('done');
    assertEqual(await within(running, 'the task'), 'done', 'the result of the task');
  },

  'keeps names apart': async (context) => {
    const { other, name, within } = context;
    const holder = await hold(context, name);
    for (const odd of ['x', ' ', '*', '/', 'é', '🔑']) {
      assertEqual(
        await within(
          other.run(`${name}${odd}`, async () => odd, { waitMs: 0 }),
          'another name',
        ),
        odd,
        'the task of another name',
      );
    }
    await holder.free();
  },

  'takes names that every object has for ordinary names': async (context) => {
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const holder = await hold(context, name);
      await context.within(
        assertLockTimeout(
          context.other.run(name, async () => undefined, { waitMs: 0 }),
          `run('${name}')`,
        ),
        `run('${name}')`,
      );
      await holder.free();
    }
  },

  'does not let its holder in a second time': async ({ lock, name, within }) => {
    const nested = lock.run(
      name,
      () =>
        assertLockTimeout(
          lock.run(name, async () => undefined, { waitMs: 0 }),
          'run() within run()',
        ),
      { waitMs: 1_000 },
    );
    await within(nested, 'run() within run()');
  },

  'gives the task a signal that does not abort as long as the lock is held': async (context) => {
    const holder = await hold(context, context.name);
    await context.pass(50);
    assertEqual(holder.held.aborted, false, 'the held signal aborted');
    await holder.free();
  },
};
