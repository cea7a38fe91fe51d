import { memoryStore, type TokenStore } from 'tokenkeep';
import type { VirtualClock } from 'tokenkeep/testing';
import type { Plan } from './plan.js';
import type { Random } from './random.js';

/** The store that the plan asks for; `failed` hears of every call that fails or pretends to. */
export function simulatedStore(
  plan: Plan,
  clock: VirtualClock,
  random: Random,
  on: { readonly failed: () => void; readonly written: (value: string) => void },
): TokenStore | undefined {
  if (plan.store === 'none') return undefined;
  const memory = memoryStore({ clock });
  const inner: TokenStore = {
    ...memory,
    async set(key, value, write) {
      const written = await memory.set(key, value, write);
      if (written) on.written(value);
      return written;
    },
  };
  if (plan.store === 'memory') return inner;
  const hostile = plan.store === 'hostile';

  const disturbed = async <T>(call: () => Promise<T>): Promise<T> => {
    await clock.sleep(random.between(0, 20));
    if (!hostile || random.chance(0.93)) {
      const answer = await call();
      if (random.chance(0.5)) await clock.sleep(random.between(0, 20));
      return answer;
    }
    on.failed();
    switch (random.pick('refused', 'silent', 'late', 'lost')) {
      case 'refused':
        throw new Error('the store is down');
      case 'silent':
        return new Promise(() => undefined);
      case 'late':
        await clock.sleep(random.between(1_000, 8_000));
        return call();
      default:
        await call();
        throw new Error('the answer was lost');
    }
  };

  return {
    // The lock knows no store: it is the exclusion, and a scenario of its own.
    ...(inner.lock && { lock: { shared: true, run: (name, task, options) => inner.lock?.run(name, task, options) ?? task(new AbortController().signal) } }),
    shared: true,
    get: (key) => disturbed(() => inner.get(key)),
    set: (key, value, write) => disturbed(() => inner.set(key, value, write)),
    delete: (key, expected) => disturbed(() => inner.delete(key, expected)),
  };
}
