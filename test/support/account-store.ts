import { type AccountStore, type Clock, localLock, type StoreIndex } from 'tokenkeep';
import { memoryStore } from 'tokenkeep/storage/memory';

/** What several processes of a test share: entries that can be listed, and all of it as a thief would find it. */
export interface TestAccountStore extends AccountStore {
  /** Everything that is stored, as text. */
  dump(): string;
  /** The entry that the index has of an account. */
  indexOf(accountId: string): (StoreIndex & { readonly key: string }) | undefined;
  readonly size: number;
  /** Runs before each call: may wait or throw. */
  before: ((call: 'get' | 'set' | 'delete' | 'list', key?: string, value?: string) => Promise<void>) | undefined;
  readonly calls: Record<'get' | 'set' | 'delete' | 'list', number>;
}

/** A store in memory that can be listed: shared by all who are given it. */
export function testAccountStore(clock: Clock): TestAccountStore {
  const inner = memoryStore({ clock });
  const values = new Map<string, string>();
  const index = new Map<string, StoreIndex>();
  // How old a value was when it was written.
  const ages = new Map<string, number>();
  const calls = { get: 0, set: 0, delete: 0, list: 0 };
  const told = async (call: keyof typeof calls, key?: string, value?: string): Promise<void> => {
    calls[call]++;
    await store.before?.(call, key, value);
  };
  const { run } = localLock({ clock });
  const store: TestAccountStore = {
    shared: true,
    lock: { shared: true, run },
    before: undefined,
    calls,
    get size() {
      return values.size;
    },
    dump: () => JSON.stringify([[...values], [...index]]),
    indexOf: (accountId) =>
      [...index].map(([key, entry]) => ({ key, ...entry })).find((entry) => entry.accountId === accountId && entry.state !== 'connecting'),
    async get(key) {
      await told('get', key);
      const stored = await inner.get(key);
      return stored && { ...stored, ageMs: (stored.ageMs ?? 0) + (ages.get(key) ?? 0) };
    },
    async set(key, value, write) {
      await told('set', key, value);
      const written = await inner.set(key, value, write);
      if (!written) return false;
      values.set(key, value);
      ages.set(key, write.ageMs ?? 0);
      if (write.index) index.set(key, write.index);
      else index.delete(key);
      return true;
    },
    async delete(key, expected) {
      await told('delete', key);
      const deleted = await inner.delete(key, expected);
      if (deleted) for (const map of [values, index, ages]) map.delete(key);
      return deleted;
    },
    async list({ dueBefore, state, cursor, limit }) {
      await told('list');
      const found = [...index]
        .map(([key, entry]) => ({ key, ...entry }))
        .filter((entry) => (state === undefined || entry.state === state) && (dueBefore === undefined || (entry.dueAt ?? Infinity) < dueBefore))
        .filter(({ key }) => cursor === undefined || key > cursor)
        .sort((one, other) => (one.key < other.key ? -1 : 1));
      const entries = found.slice(0, limit);
      return { entries, ...(found.length > limit && { cursor: entries.at(-1)?.key }) };
    },
  };
  return store;
}
