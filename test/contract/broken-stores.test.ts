import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import type { AccountStore, StoreIndex, TokenStore } from '../../src/core/token-store.js';
import { localLock } from '../../src/locks/local.js';
import { memoryStore } from '../../src/storage/memory.js';
import { sqliteStore } from '../../src/storage/sqlite.js';
import { storeContract } from '../../src/testing/index.js';
import { failingCases } from './failing-cases.js';

type Broken = (good: TokenStore) => Partial<TokenStore>;

const yieldOnce = (): Promise<void> => Promise.resolve();

/** Each defect, and a case that must notice it. */
const defects: readonly (readonly [defect: string, noticed: string, broken: Broken])[] = [
  [
    'invents an empty value',
    'answers undefined for a key that was never written',
    (good) => ({ get: async (key) => (await good.get(key)) ?? { value: '', version: '0' } }),
  ],
  ['never writes', 'writes where nothing is, and gives back the value under the version of its writer', () => ({ set: async () => false })],
  [
    'makes versions of its own',
    'writes where nothing is, and gives back the value under the version of its writer',
    (good) => ({ set: (key, value, write) => good.set(key, value, { ...write, next: `v${write.next}` }) }),
  ],
  [
    'takes a write without expectation for an order',
    'writes nothing over a value when there should be none',
    (good) => ({ set: async (key, value, write) => good.set(key, value, { ...write, expected: write.expected ?? (await good.get(key))?.version }) }),
  ],
  [
    'writes where nothing is, whatever was expected',
    'writes nothing where nothing is when there should be a version',
    (good) => ({ set: async (key, value, write) => good.set(key, value, { ...write, expected: (await good.get(key)) && write.expected }) }),
  ],
  [
    'writes once only',
    'replaces the expected version',
    (good) => ({ set: async (key, value, write) => write.expected === undefined && good.set(key, value, write) }),
  ],
  [
    'lets the last writer win',
    'refuses the version before the current one',
    (good) => ({ set: async (key, value, write) => good.set(key, value, { ...write, expected: (await good.get(key))?.version }) }),
  ],
  [
    'leaves out writes that change nothing',
    'tells two writes of the same value apart',
    (good) => ({ set: async (key, value, write) => ((await good.get(key))?.value === value ? true : good.set(key, value, write)) }),
  ],
  ['never removes', 'removes the expected version', () => ({ delete: async () => false })],
  [
    'removes whatever there is',
    'keeps what has another version than the one to be removed',
    (good) => ({ delete: async (key) => good.delete(key, (await good.get(key))?.version ?? '') }),
  ],
  [
    'reports every removal as done',
    'answers false when there is nothing to remove',
    (good) => ({ delete: async (key, expected) => (await good.delete(key, expected)) || true }),
  ],
  ['counts versions, from 1 again after a removal', 'refuses a late writer after a delete and a new write', countingStore],
  [
    'reads, waits and then writes',
    'lets exactly one of 100 concurrent writers win, round after round',
    (good) => {
      const values = new Map<string, { value: string; version: string }>();
      return {
        ...good,
        get: async (key) => values.get(key),
        async set(key, value, write) {
          if (values.get(key)?.version !== write.expected) return false;
          await yieldOnce();
          values.set(key, { value, version: write.next });
          return true;
        },
      };
    },
  ],
  [
    'reads, waits and then removes',
    'lets either a write or a delete of one version win, never both',
    (good) => ({
      async delete(key, expected) {
        const stored = await good.get(key);
        await yieldOnce();
        return stored?.version === expected && good.delete(key, (await good.get(key))?.version ?? '').then(() => true);
      },
    }),
  ],
  ['folds the case of keys', 'keeps odd keys apart', (good) => renamed(good, (key) => key.toLowerCase())],
  ['trims keys', 'keeps odd keys apart', (good) => renamed(good, (key) => key.trim())],
  ['cuts keys', 'keeps odd keys apart', (good) => renamed(good, (key) => key.slice(0, 255))],
  ['keeps values in a plain object', 'takes names that every object has for ordinary keys', plainObjectStore],
  [
    'takes an empty value for none',
    'keeps values as they are: empty, of 1 MiB, and in any script',
    (good) => ({ get: async (key) => ((await good.get(key))?.value ? good.get(key) : undefined) }),
  ],
  [
    'cuts values at 64 KiB',
    'keeps values as they are: empty, of 1 MiB, and in any script',
    (good) => ({ set: (key, value, write) => good.set(key, value.slice(0, 65_536), write) }),
  ],
  [
    'keeps bytes for characters',
    'keeps values as they are: empty, of 1 MiB, and in any script',
    (good) => ({ set: (key, value, write) => good.set(key, value.replaceAll(/[^\0-\xff]/g, '?'), write) }),
  ],
  [
    'writes nothing that has an index',
    'takes the index beside a value',
    (good) => ({ set: async (key, value, write) => write.index === undefined && good.set(key, value, write) }),
  ],
  ['never ages', 'grows older with time, and young again with each write', (good) => aged(good, () => 0)],
  ['ages backwards', 'grows older with time, and young again with each write', (good) => aged(good, (ageMs) => 1_000 - ageMs)],
  [
    'ages from the first write on',
    'grows older with time, and young again with each write',
    (good) => {
      const since = performance.now();
      return aged(good, () => performance.now() - since);
    },
  ],
  ['forgets its listeners', 'calls listeners back when their key is written and when it is removed', () => ({ subscribe: () => () => undefined })],
  [
    'tells of writes alone',
    'calls listeners back when their key is written and when it is removed',
    (good) => {
      const listeners = new Map<string, () => void>();
      return {
        set: async (key, value, write) => {
          const written = await good.set(key, value, write);
          listeners.get(key)?.();
          return written;
        },
        subscribe: (key, listener) => {
          listeners.set(key, listener);
          return () => undefined;
        },
      };
    },
  ],
  [
    'tells everyone of everything',
    'calls nobody back for other keys, for refused writes, or after the undo',
    (good) => telling(good, { all: true, undo: true }),
  ],
  ['goes on after the undo', 'calls nobody back for other keys, for refused writes, or after the undo', (good) => telling(good, { all: false, undo: false })],
  [
    'lets a listener break the writer',
    'keeps a listener that throws from the writer and from the other listeners',
    (good) => telling(good, { all: false, undo: true }),
  ],
  ['brings a lock that does not exclude', 'brings a lock that excludes', () => ({ lock: { run: (_name, task) => task(new AbortController().signal) } })],
  ['is shared and brings a lock that is not', 'brings a lock that excludes', () => ({ shared: true, lock: localLock() })],
];

const listDefects: readonly (readonly [defect: string, noticed: string, broken: (good: AccountStore) => Partial<AccountStore>])[] = [
  [
    'lists nothing on further pages',
    'lists what was written with an index, and each entry once over all pages',
    (good) => ({ list: async (query) => (query.cursor === undefined ? good.list(query) : { entries: [] }) }),
  ],
  [
    'forgets when an entry is due',
    'lists what was written with an index, and each entry once over all pages',
    (good) => ({
      list: async (query) => {
        const page = await good.list(query);
        return { ...page, entries: page.entries.map(({ key, accountId, state }) => ({ key, accountId, state })) };
      },
    }),
  ],
  [
    'takes the limit for advice',
    'ends a page at its limit, and tells the last one by the missing cursor',
    (good) => ({ list: (query) => good.list({ ...query, limit: query.limit + 1 }) }),
  ],
  [
    'has a further page always',
    'ends a page at its limit, and tells the last one by the missing cursor',
    (good) => ({ list: async (query) => ({ cursor: 'more', ...(await good.list(query)) }) }),
  ],
  [
    'lists all states',
    'ends a page at its limit, and tells the last one by the missing cursor',
    (good) => ({ list: ({ state: _state, ...query }) => good.list(query) }),
  ],
  [
    'lists what is due at the instant too',
    'lists what is due before an instant, and not what never is',
    (good) => ({ list: ({ dueBefore, ...query }) => good.list({ ...query, dueBefore: dueBefore === undefined ? undefined : dueBefore + 1 }) }),
  ],
  [
    'keeps the index of a write before',
    'lists the index of the last write, and nothing after a write without one or after a removal',
    (good) => {
      const indexes = new Map<string, StoreIndex | undefined>();
      return {
        set: (key, value, write) => {
          const index = write.index ?? indexes.get(key);
          indexes.set(key, index);
          return good.set(key, value, { ...write, index });
        },
      };
    },
  ],
  [
    'pages by position',
    'skips nothing and repeats nothing while entries come, change and go between pages',
    (good) => ({
      list: async ({ cursor, limit, ...query }) => {
        const { entries } = await good.list({ ...query, limit: 1_000 });
        const begin = Number(cursor ?? 0);
        return { entries: entries.slice(begin, begin + limit), cursor: begin + limit < entries.length ? String(begin + limit) : undefined };
      },
    }),
  ],
  [
    'makes copies young',
    'goes on with the age of a value that is a copy',
    (good) => ({ set: (key, value, { ageMs: _age, ...write }) => good.set(key, value, write) }),
  ],
];

test.concurrent.each(listDefects)('the contract notices an account store that %s [X17]', async (_defect, noticed, broken) => {
  const good = sqliteStore(new DatabaseSync(':memory:'));
  const failing = await failingCases(storeContract(() => ({ ...good, shared: false, ...broken(good) }), { limitMs: 300 }));
  expect([...failing.keys()]).toContain(noticed);
  expect(failing.get(noticed)).not.toMatch(/^not an Error/);
});

test.concurrent.each(defects)('the contract notices a store that %s [X17]', async (_defect, noticed, broken) => {
  const cases = storeContract(
    () => {
      const good = memoryStore();
      return { ...good, ...broken(good) };
    },
    { limitMs: 300 },
  );
  const failing = await failingCases(cases);
  expect([...failing.keys()]).toContain(noticed);
  expect(failing.get(noticed)).not.toMatch(/^not an Error/);
});

test('every case of the store contract is failed by one of the broken stores [X17]', () => {
  const noticed = new Set([...defects, ...listDefects].map(([, name]) => name));
  expect(
    storeContract(memoryStore)
      .map(({ name }) => name)
      .filter((name) => !noticed.has(name)),
  ).toEqual([]);
});

test('a store with the required members alone passes the contract [X17]', async () => {
  const cases = storeContract(() => {
    const { get, set, delete: remove } = memoryStore();
    return { get: async (key) => without(await get(key)), set, delete: remove };
  });
  expect([...(await failingCases(cases))]).toEqual([]);
});

test('two instances of a shared store that do not see the same data fail the contract [X17]', async () => {
  const failing = await failingCases(storeContract(() => ({ ...memoryStore(), shared: true }), { limitMs: 300 }));
  expect([...failing.keys()]).toContain('writes where nothing is, and gives back the value under the version of its writer');
});

function without(stored: Awaited<ReturnType<TokenStore['get']>>): Awaited<ReturnType<TokenStore['get']>> {
  return stored && { value: stored.value, version: stored.version };
}

function renamed(good: TokenStore, rename: (key: string) => string): Partial<TokenStore> {
  return {
    get: (key) => good.get(rename(key)),
    set: (key, value, write) => good.set(rename(key), value, write),
    delete: (key, expected) => good.delete(rename(key), expected),
  };
}

function aged(good: TokenStore, age: (ageMs: number) => number): Partial<TokenStore> {
  return {
    get: async (key) => {
      const stored = await good.get(key);
      return stored && { ...stored, ageMs: age(stored.ageMs ?? 0) };
    },
  };
}

function telling(good: TokenStore, { all, undo }: { readonly all: boolean; readonly undo: boolean }): Partial<TokenStore> {
  const listeners = new Set<{ readonly key: string; readonly listener: () => void }>();
  const tell = (key: string): void => {
    for (const entry of listeners) if (all || entry.key === key) entry.listener();
  };
  return {
    async set(key, value, write) {
      const written = await good.set(key, value, write);
      if (written) tell(key);
      return written;
    },
    async delete(key, expected) {
      const removed = await good.delete(key, expected);
      if (removed) tell(key);
      return removed;
    },
    subscribe(key, listener) {
      const entry = { key, listener };
      listeners.add(entry);
      return () => {
        if (undo) listeners.delete(entry);
      };
    },
  };
}

function plainObjectStore(): Partial<TokenStore> {
  const values: Record<string, { value: string; version: string } | undefined> = {};
  return {
    get: async (key) => values[key],
    async set(key, value, write) {
      if (values[key]?.version !== write.expected) return false;
      values[key] = { value, version: write.next };
      return true;
    },
    async delete(key, expected) {
      const found = values[key]?.version === expected;
      if (found) delete values[key];
      return found;
    },
  };
}

function countingStore(good: TokenStore): Partial<TokenStore> {
  const counters = new Map<string, number>();
  const known = new Map<string | undefined, number>([[undefined, 0]]);
  return {
    async set(key, value, write) {
      const current = (await good.get(key))?.version;
      const count = counters.get(key) ?? 0;
      if (known.get(write.expected) !== count || !(await good.set(key, value, { ...write, expected: current }))) return false;
      counters.set(key, count + 1);
      known.set(write.next, count + 1);
      return true;
    },
    async delete(key, expected) {
      if (known.get(expected) !== counters.get(key)) return false;
      counters.delete(key);
      return good.delete(key, (await good.get(key))?.version ?? '');
    },
  };
}
