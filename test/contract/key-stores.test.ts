import { expect, test } from 'vitest';
import type { KeyStore } from '../../src/core/key-store.js';
import { keyStoreContract } from '../../src/testing/index.js';
import { testKeyStore } from '../unit/protocol/proofs.js';
import { failingCases } from './failing-cases.js';

type GetOrCreate = KeyStore['getOrCreate'];

/** The good store with another `getOrCreate`. */
const reading = (broken: (good: KeyStore) => GetOrCreate) => (): (() => KeyStore) => {
  const keys = new Map<string, unknown>();
  return () => {
    const good = testKeyStore(keys);
    return { getOrCreate: broken(good), delete: (name) => good.delete(name) };
  };
};

/** Each defect, and a case that must notice it. */
const defects: readonly (readonly [defect: string, noticed: string, make: () => () => KeyStore])[] = [
  ['makes a new key each time', 'makes a key that is not there, and gives the same one from then on', reading(() => (_name, make) => make())],
  ['keeps keys in each instance alone', 'makes a key that is not there, and gives the same one from then on', () => () => testKeyStore()],
  [
    'reads, waits and then makes',
    'gives callers at the same time the same key',
    () => {
      const keys = new Map<string, unknown>();
      return () => ({
        async getOrCreate<K>(name: string, make: () => Promise<K>) {
          const made = keys.get(name) ?? (await make());
          keys.set(name, made);
          return made as K;
        },
        async delete(name) {
          keys.delete(name);
        },
      });
    },
  ],
  [
    'keeps pairs alone',
    'keeps a single key as well as a pair',
    reading(
      (good) => async (name, make) =>
        good.getOrCreate(name, async () => {
          const made = await make();
          return 'privateKey' in made ? made : Promise.reject(new Error('no pair'));
        }),
    ),
  ],
  ['cuts names', 'keeps names apart', reading((good) => (name, make) => good.getOrCreate(name.slice(0, 255), make))],
  [
    'takes a failed making for a key store that is down',
    'keeps nothing when the making fails, and makes the key at the next call',
    reading((good) => (name, make) => good.getOrCreate(name, () => make().catch(() => Promise.reject(new Error('down'))))),
  ],
  [
    'never deletes',
    'deletes a key, so that the next one is new',
    () => {
      const keys = new Map<string, unknown>();
      return () => ({ ...testKeyStore(keys), delete: () => Promise.resolve() });
    },
  ],
  [
    'complains of a deletion in vain',
    'takes the deletion of what is not there for done',
    () => {
      const keys = new Map<string, unknown>();
      return () => ({ ...testKeyStore(keys), delete: async (name) => void (keys.delete(name) || (await Promise.reject(new Error('not there')))) });
    },
  ],
];

test('a good key store passes [H22]', async () => {
  const keys = new Map<string, unknown>();
  expect(await failingCases(keyStoreContract(() => testKeyStore(keys)))).toEqual(new Map());
});

test.each(defects)('a key store that %s fails "%s" [H22]', async (_defect, noticed, make) => {
  expect([...(await failingCases(keyStoreContract(make()))).keys()]).toContain(noticed);
});

test('no case but the one about keys that cannot be exported is without a defect that it notices [H22]', () => {
  const untested = keyStoreContract(() => testKeyStore()).filter(({ name }) => !defects.some(([, noticed]) => noticed === name));
  expect(untested.map(({ name }) => name)).toEqual(['keeps a key that cannot be exported as it is']);
});
