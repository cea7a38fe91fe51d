import { randomId } from '../core/random.js';
import type { TokenStore } from '../core/token-store.js';
import { assertEqual, type ContractCase, type ContractOptions, contractTools } from './contract-case.js';
import { accountStoreCases } from './account-store-cases.js';
import { optionalStoreCases } from './optional-store-cases.js';
import { assertStored, over, put, type StoreCase } from './store-case.js';

/** Makes the store under test. Called anew for each case; instances of a shared store see the same data. */
export type MakeStore = () => TokenStore | Promise<TokenStore>;

/**
 * What every {@link TokenStore} promises, as test cases. What a store does not offer (`ageMs`, `subscribe`, `lock`, `list`) is
 * not asked for.
 */
export function storeContract(makeStore: MakeStore, options: ContractOptions = {}): readonly ContractCase[] {
  const tools = contractTools('storeContract', makeStore, options);
  return Object.entries({ ...storeCases, ...optionalStoreCases, ...accountStoreCases }).map(([name, run]) => ({
    name,
    async run() {
      const store = await makeStore();
      const other = store.shared === true ? await makeStore() : store;
      await run({ ...tools, store, other, key: `contract:${randomId()}` });
    },
  }));
}

const storeCases: Readonly<Record<string, StoreCase>> = {
  'answers undefined for a key that was never written': async ({ store, key }) => {
    assertEqual(await store.get(key), undefined, 'get()');
  },

  'writes where nothing is, and gives back the value under the version of its writer': async ({ store, other, key }) => {
    const version = await put(store, key, 'value');
    await assertStored(other, key, 'value', version);
  },

  'writes nothing over a value when there should be none': async ({ store, key }) => {
    const version = await put(store, key, 'first');
    assertEqual(await store.set(key, 'second', over(undefined)), false, 'set() with expected: undefined over a value');
    await assertStored(store, key, 'first', version);
  },

  'writes nothing where nothing is when there should be a version': async ({ store, key }) => {
    assertEqual(await store.set(key, 'value', over(randomId())), false, 'set() with a version where nothing is');
    assertEqual(await store.get(key), undefined, 'get()');
  },

  'replaces the expected version': async ({ store, other, key }) => {
    const version = await put(store, key, 'second', await put(store, key, 'first'));
    await assertStored(other, key, 'second', version);
  },

  'refuses the version before the current one': async ({ store, key }) => {
    const first = await put(store, key, 'first');
    const second = await put(store, key, 'second', first);
    assertEqual(await store.set(key, 'late', over(first)), false, 'set() over a version that was replaced');
    await assertStored(store, key, 'second', second);
  },

  'tells two writes of the same value apart': async ({ store, key }) => {
    const first = await put(store, key, 'same');
    const second = await put(store, key, 'same', first);
    await assertStored(store, key, 'same', second);
    assertEqual(await store.set(key, 'late', over(first)), false, 'set() over a version that was replaced by an equal value');
  },

  'removes the expected version': async ({ store, other, key }) => {
    assertEqual(await store.delete(key, await put(store, key, 'value')), true, 'delete() of the current version');
    assertEqual(await other.get(key), undefined, 'get() after delete()');
    await put(store, key, 'again');
  },

  'keeps what has another version than the one to be removed': async ({ store, key }) => {
    const first = await put(store, key, 'first');
    const second = await put(store, key, 'second', first);
    assertEqual(await store.delete(key, first), false, 'delete() of a version that was replaced');
    await assertStored(store, key, 'second', second);
  },

  'answers false when there is nothing to remove': async ({ store, key }) => {
    assertEqual(await store.delete(key, randomId()), false, 'delete() where nothing is');
    const version = await put(store, key, 'value');
    await store.delete(key, version);
    assertEqual(await store.delete(key, version), false, 'the second delete()');
  },

  // Stores that count versions themselves begin again after a delete: 1, gone, 1.
  'refuses a late writer after a delete and a new write': async ({ store, key }) => {
    const first = await put(store, key, 'first');
    await store.delete(key, first);
    const second = await put(store, key, 'second');
    assertEqual(await store.set(key, 'late', over(first)), false, 'set() over a version from before the delete');
    assertEqual(await store.delete(key, first), false, 'delete() of a version from before the delete');
    await assertStored(store, key, 'second', second);
  },

  'lets exactly one of 100 concurrent writers win, round after round': async ({ store, other, key }) => {
    let current: string | undefined;
    for (let round = 0; round < 5; round++) {
      const writes = Array.from({ length: 100 }, () => over(current));
      const won = await Promise.all(writes.map((write, index) => (index % 2 === 0 ? store : other).set(key, `${round}:${index}`, write)));
      assertEqual(won.filter(Boolean).length, 1, `winners in round ${round + 1}`);
      const winner = won.indexOf(true);
      current = writes[winner]?.next;
      await assertStored(store, key, `${round}:${winner}`, current ?? '');
    }
  },

  'lets either a write or a delete of one version win, never both': async ({ store, other, key }) => {
    for (let round = 0; round < 10; round++) {
      const stored = await store.get(key);
      const current = stored?.version ?? (await put(store, key, 'value'));
      const attempts = [() => store.set(key, 'new', over(current)), () => other.delete(key, current)];
      if (round % 2 === 1) attempts.reverse();
      const won = await Promise.all(attempts.map((attempt) => attempt()));
      assertEqual(won.filter(Boolean).length, 1, `winners in round ${round + 1}`);
    }
  },

  'keeps odd keys apart': async ({ store, key }) => {
    const keys = [
      'A',
      'a',
      'a ',
      ' a',
      'a/b',
      'a:b',
      'a*',
      'a%',
      'a_',
      "a'b",
      'a"b',
      'a\\b',
      'é',
      'e\u0301',
      '🔑',
      '..',
      `${'x'.repeat(500)}1`,
      `${'x'.repeat(500)}2`,
    ].map((odd) => `${key}${odd}`);
    const versions = new Map<string, string>();
    for (const odd of keys) versions.set(odd, await put(store, odd, odd));
    for (const [odd, version] of versions) await assertStored(store, odd, odd, version);
  },

  'takes names that every object has for ordinary keys': async ({ store }) => {
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      const before = await store.get(name);
      if (before !== undefined) await store.delete(name, before.version);
      assertEqual(await store.get(name), undefined, `get('${name}') before any write`);
      const version = await put(store, name, 'value');
      await assertStored(store, name, 'value', version);
      assertEqual(await store.delete(name, version), true, `delete('${name}')`);
    }
  },

  'keeps values as they are: empty, of 1 MiB, and in any script': async ({ store, key }) => {
    let version: string | undefined;
    for (const value of ['', '0', 'null', '{"a":"\\u0000"}', 'ß漢字🔑\u2028\ufeff \r\n\t"\'\\', 'x'.repeat(1024 * 1024), ' trailing ']) {
      version = await put(store, key, value, version);
      await assertStored(store, key, value, version);
    }
  },

  'takes the index beside a value': async ({ store, key }) => {
    const write = { ...over(undefined), index: { accountId: 'account', state: 'active', dueAt: 1_700_000_000_000 } };
    assertEqual(await store.set(key, 'value', write), true, 'set() with an index');
    await assertStored(store, key, 'value', write.next);
  },
};
