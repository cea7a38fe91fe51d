import { randomId } from '../core/random.js';
import { systemClock } from '../core/system-clock.js';
import { assert } from './contract-case.js';
import { over, put, type StoreCase, type StoreCaseContext } from './store-case.js';

/** Cases about what a store may offer beyond the required: age, listeners, a lock. They pass where it does not. */
export const optionalStoreCases: Readonly<Record<string, StoreCase>> = {
  'grows older with time, and young again with each write': async ({ store, key, pass }) => {
    const first = await put(store, key, 'first');
    const ageMs = async (): Promise<number | undefined> => (await store.get(key))?.ageMs;
    const young = await ageMs();
    if (young === undefined) return;
    assert(Number.isFinite(young) && young >= 0, `ageMs right after the write: expected a number from 0, got ${young}`);
    await pass(200);
    const old = (await ageMs()) ?? Number.NaN;
    // Clocks may be coarse, and servers round.
    assert(old - young >= 150, `ageMs 200 ms later: expected some ${young + 200}, got ${old}`);
    assert(((await ageMs()) ?? Number.NaN) >= old, 'ageMs went back between two reads');
    await put(store, key, 'second', first);
    assert(((await ageMs()) ?? Number.NaN) < old, 'ageMs did not begin again with the second write');
  },

  'calls listeners back when their key is written and when it is removed': async ({ store, other, key, until }) => {
    let calls = 0;
    const undo = store.subscribe?.(key, () => {
      calls++;
    });
    if (undo === undefined) return;
    try {
      const version = await writeUntil({ other, until }, key, () => calls >= 1);
      const before = calls;
      await other.delete(key, version);
      await until(() => calls > before, 'a call after delete()');
    } finally {
      undo();
    }
  },

  'calls nobody back for other keys, for refused writes, or after the undo': async ({ store, other, key, until }) => {
    const heard: string[] = [];
    const undone = store.subscribe?.(key, () => heard.push('undone'));
    if (undone === undefined) return;
    undone();
    const undos = [`${key}x`, `${key}y`].map((name) => store.subscribe?.(name, () => heard.push(name)));
    await put(other, key, 'value');
    await other.set(`${key}x`, 'refused', over(randomId()));
    await writeUntil({ other, until }, `${key}y`, () => heard.includes(`${key}y`));
    for (const undo of undos) undo?.();
    assert(!heard.includes(`${key}x`), 'a listener was called for a refused write, or for another key');
    assert(!heard.includes('undone'), 'a listener was called after its undo');
  },

  'keeps a listener that throws from the writer and from the other listeners': async ({ store, other, key, until }) => {
    const calls = { before: 0, after: 0 };
    const undos = [
      store.subscribe?.(key, () => calls.before++),
      store.subscribe?.(key, () => {
        throw new Error('a listener of the contract throws');
      }),
      store.subscribe?.(key, () => calls.after++),
    ];
    if (undos[0] === undefined) return;
    try {
      await writeUntil({ other, until }, key, () => calls.before > 0 && calls.after > 0);
    } finally {
      for (const undo of undos) undo?.();
    }
  },

  'brings a lock that excludes': async ({ store, other, key, within }) => {
    if (store.lock === undefined) return;
    assert(store.shared !== true || store.lock.shared === true, 'a shared store brings a lock that is not shared');
    const { lock: ofOther } = other;
    assert(ofOther !== undefined, 'two instances of one store: one has a lock, the other has none');
    const order: string[] = [];
    const first = store.lock.run(
      key,
      async () => {
        order.push('first in');
        await Promise.resolve();
        await store.get(key);
        order.push('first out');
      },
      { waitMs: 5_000 },
    );
    const second = ofOther.run(
      key,
      async () => {
        order.push('second in');
        await store.get(key);
        order.push('second out');
      },
      { waitMs: 5_000 },
    );
    await within(Promise.all([first, second]), 'two tasks under one lock');
    assert(order[1] === order[0]?.replace('in', 'out'), `the tasks overlapped: ${order.join(', ')}`);
  },
};

// A store may need a moment until it hears: what was written before is not told.
async function writeUntil({ other, until }: Pick<StoreCaseContext, 'other' | 'until'>, key: string, heard: () => boolean): Promise<string> {
  let writing = true;
  const writer = async (): Promise<string> => {
    for (let version = await put(other, key, 'value'); ; version = await put(other, key, 'value', version)) {
      await systemClock.sleep(50);
      if (!writing || heard()) return version;
    }
  };
  const written = writer();
  // A write that fails is what the case fails with.
  const failed = written.then(() => new Promise<never>(() => undefined));
  try {
    await Promise.race([until(heard, 'a call after set()'), failed]);
  } finally {
    writing = false;
  }
  return written;
}
