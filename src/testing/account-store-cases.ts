import { randomId } from '../core/random.js';
import type { AccountStore, StoreIndex, StoreQuery } from '../core/token-store.js';
import { assert, assertEqual } from './contract-case.js';
import { over, type StoreCase, type StoreCaseContext } from './store-case.js';

const mostPages = 200;

/** Cases about stores that can be listed. They pass where `list` is not offered. */
export const accountStoreCases: Readonly<Record<string, StoreCase>> = {
  'lists what was written with an index, and each entry once over all pages': listed(async (context) => {
    const { list, key } = context;
    const expected = Array.from({ length: 7 }, (_, account) => `${key}:${account} = A${account} ${key} ${account === 3 ? undefined : account * 1_000}`);
    for (let account = 6; account >= 0; account--) {
      await write(context, `${key}:${account}`, { accountId: `A${account}`, state: key, dueAt: account === 3 ? undefined : account * 1_000 });
    }
    for (const limit of [1, 3, 7, 50]) {
      const entries = await allPages(list, { state: key, limit });
      assertEqual(entries.toSorted().join('\n'), expected.join('\n'), `the entries in pages of ${limit}`);
    }
  }),

  'ends a page at its limit, and tells the last one by the missing cursor': listed(async (context) => {
    const { list, key } = context;
    for (const account of ['a', 'b', 'c', 'd']) await write(context, `${key}:${account}`, { accountId: account, state: key });
    const first = await list({ state: key, limit: 3 });
    assertEqual(first.entries.length, 3, 'entries of the first page');
    assert(first.cursor !== undefined, 'a page with more behind it has no cursor');
    const second = await list({ state: key, limit: 3, cursor: first.cursor });
    assertEqual(second.entries.length, 1, 'entries of the second page');
    assertEqual(second.cursor, undefined, 'the cursor of the last page');
    assertEqual((await list({ state: `${key}-nobody`, limit: 3 })).entries.length, 0, 'entries in a state that nobody is in');
  }),

  'lists what is due before an instant, and not what never is': listed(async (context) => {
    const { list, key } = context;
    await write(context, `${key}:early`, { accountId: 'early', state: key, dueAt: 1_700_000_000_000 });
    await write(context, `${key}:late`, { accountId: 'late', state: key, dueAt: 1_700_000_000_001 });
    await write(context, `${key}:never`, { accountId: 'never', state: key });
    const due = async (dueBefore: number): Promise<string> => accounts(await list({ state: key, dueBefore, limit: 10 }));
    assertEqual(await due(1_700_000_000_000), '', 'due before the first instant');
    assertEqual(await due(1_700_000_000_001), 'early', 'due before the second instant');
    assertEqual(await due(4_000_000_000_000), 'early,late', 'due before a late instant');
  }),

  'lists the index of the last write, and nothing after a write without one or after a removal': listed(async (context) => {
    const { list, store, key } = context;
    const now = async (): Promise<string> => (await allPages(list, { limit: 100 })).filter((entry) => entry.startsWith(`${key}:x `)).join();
    const name = `${key}:x`;
    const first = await write(context, name, { accountId: 'x', state: 'healthy', dueAt: 5 });
    assertEqual(await now(), `${name} = x healthy 5`, 'the entry');
    await store.set(name, 'refused', { ...over(randomId()), index: { accountId: 'x', state: 'refused' } });
    assertEqual(await now(), `${name} = x healthy 5`, 'the entry after a refused write');
    const second = await write(context, name, { accountId: 'x', state: 'reconnect' }, first);
    assertEqual(await now(), `${name} = x reconnect undefined`, 'the entry after the second write');
    const bare = over(second);
    await store.set(name, 'value', bare);
    assertEqual(await now(), '', 'the entry after a write without an index');
    const last = await write(context, name, { accountId: 'x', state: 'healthy' }, bare.next);
    assertEqual(await now(), `${name} = x healthy undefined`, 'the entry after another write');
    await store.delete(name, last);
    assertEqual(await now(), '', 'the entry after a removal');
  }),

  'skips nothing and repeats nothing while entries come, change and go between pages': listed(async (context) => {
    const { list, store, key } = context;
    const versions = new Map<string, string>();
    for (const account of ['a', 'b', 'c', 'd', 'e']) {
      versions.set(account, await write(context, `${key}:${account}`, { accountId: account, state: key, dueAt: 1_000 }));
    }
    const first = await list({ state: key, limit: 2 });
    const seen = first.entries.map(({ accountId }) => accountId);
    const [changed = '', removed = ''] = seen;
    await write(context, `${key}:${changed}`, { accountId: changed, state: key, dueAt: 9_000 }, versions.get(changed));
    await store.delete(`${key}:${removed}`, versions.get(removed) ?? '');
    for (let { cursor } = first; cursor !== undefined; ) {
      const page = await list({ state: key, limit: 2, cursor });
      seen.push(...page.entries.map(({ accountId }) => accountId));
      assert(seen.length <= mostPages && page.entries.length > 0, 'list(): the pages have no end');
      cursor = page.cursor;
    }
    assertEqual(seen.toSorted().join(), 'a,b,c,d,e', 'the accounts of all pages');
  }),

  'goes on with the age of a value that is a copy': listed(async ({ store, other, key }) => {
    assertEqual(await store.set(key, 'value', { ...over(undefined), ageMs: 3_600_000 }), true, 'set() with an age');
    const age = (await other.get(key))?.ageMs;
    assert(age === undefined || (age >= 3_600_000 && age < 3_660_000), `ageMs of a copy that is an hour old: got ${age}`);
  }),
};

type List = AccountStore['list'];

function listed(run: (context: StoreCaseContext & { readonly list: List }) => Promise<void>): StoreCase {
  return async (context) => {
    const list: unknown = Reflect.get(context.other, 'list');
    if (isList(list)) await run({ ...context, list: list.bind(context.other) });
  };
}

function isList(list: unknown): list is List {
  return typeof list === 'function';
}

async function write({ store }: StoreCaseContext, key: string, index: StoreIndex, expected?: string): Promise<string> {
  const swap = { ...over(expected), index };
  assertEqual(await store.set(key, 'value', swap), true, 'set() with an index');
  return swap.next;
}

async function allPages(list: List, query: StoreQuery): Promise<string[]> {
  const found: string[] = [];
  for (let cursor: string | undefined, pages = 0; pages < mostPages; pages++) {
    const page = await list({ ...query, cursor });
    found.push(...page.entries.map(({ key, accountId, state, dueAt }) => `${key} = ${accountId} ${state} ${dueAt}`));
    cursor = page.cursor;
    if (cursor === undefined) return found;
  }
  throw new Error('list(): the pages have no end');
}

function accounts(page: Awaited<ReturnType<List>>): string {
  return page.entries
    .map(({ accountId }) => accountId)
    .toSorted()
    .join();
}
