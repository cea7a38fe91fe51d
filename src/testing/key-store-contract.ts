import type { KeyStore } from '../core/key-store.js';
import { randomId } from '../core/random.js';
import { assert, assertEqual, type ContractCase, type ContractOptions, type ContractTools, contractTools, rejection } from './contract-case.js';

/** Makes the key store under test. Called twice for each case: both instances see the same keys. */
export type MakeKeyStore = () => KeyStore | Promise<KeyStore>;

interface KeyStoreCaseContext extends ContractTools {
  readonly store: KeyStore;
  /** Another instance over the same keys. */
  readonly other: KeyStore;
  /** A name that nobody used before. */
  readonly name: string;
}

/** What every {@link KeyStore} promises, as test cases. */
export function keyStoreContract(makeKeyStore: MakeKeyStore, options: ContractOptions = {}): readonly ContractCase[] {
  const tools = contractTools('keyStoreContract', makeKeyStore, options);
  return Object.entries(cases).map(([name, run]) => ({
    name,
    run: async () => run({ ...tools, store: await makeKeyStore(), other: await makeKeyStore(), name: `contract:${randomId()}` }),
  }));
}

const signing = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const message = new TextEncoder().encode('a message');
const makePair = (): Promise<CryptoKeyPair> => crypto.subtle.generateKey(signing, false, ['sign', 'verify']);
const makeSecret = (): Promise<CryptoKey> => crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
const publicPart = async ({ publicKey }: CryptoKeyPair): Promise<string> => JSON.stringify(await crypto.subtle.exportKey('jwk', publicKey));

async function assertSame(one: CryptoKeyPair, another: CryptoKeyPair, what: string): Promise<void> {
  assertEqual(await publicPart(another), await publicPart(one), `${what}: the public key`);
  const signature = await crypto.subtle.sign(signing, another.privateKey, message);
  assert(await crypto.subtle.verify(signing, one.publicKey, signature, message), `${what}: it does not sign as the first one does`);
}

function mustNotMake(): Promise<never> {
  return Promise.reject(new Error('make() was called though there is a key'));
}

const cases: Readonly<Record<string, (context: KeyStoreCaseContext) => Promise<void>>> = {
  'makes a key that is not there, and gives the same one from then on': async ({ store, other, name }) => {
    const made = await store.getOrCreate(name, makePair);
    await assertSame(made, await store.getOrCreate<CryptoKeyPair>(name, mustNotMake), 'the second getOrCreate()');
    await assertSame(made, await other.getOrCreate<CryptoKeyPair>(name, mustNotMake), 'getOrCreate() of another instance');
  },

  'gives callers at the same time the same key': async ({ store, other, name }) => {
    const pairs = await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? store : other).getOrCreate(name, makePair)));
    const distinct = new Set(await Promise.all(pairs.map(publicPart)));
    assertEqual(distinct.size, 1, 'how many keys 20 callers at once were given');
    const [first] = pairs;
    assert(first !== undefined, 'getOrCreate() gave nothing');
    await assertSame(first, await store.getOrCreate<CryptoKeyPair>(name, mustNotMake), 'getOrCreate() afterwards');
  },

  'keeps a key that cannot be exported as it is': async ({ store, name }) => {
    await store.getOrCreate(name, makePair);
    const { privateKey } = await store.getOrCreate<CryptoKeyPair>(name, mustNotMake);
    assertEqual(privateKey.extractable, false, 'extractable');
    await rejection(crypto.subtle.exportKey('jwk', privateKey), 'exportKey() of the private key');
  },

  'keeps a single key as well as a pair': async ({ store, name }) => {
    const made = await store.getOrCreate(name, makeSecret);
    const kept = await store.getOrCreate<CryptoKey>(name, mustNotMake);
    const iv = new TextEncoder().encode(randomId());
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, made, message);
    assertEqual(new TextDecoder().decode(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, kept, sealed)), 'a message', 'what the kept key decrypts');
  },

  'keeps names apart': async ({ store, name }) => {
    const odd = ['', ' ', '/a', ':a', '\u00e9', 'e\u0301', `${'x'.repeat(500)}1`, `${'x'.repeat(500)}2`];
    const names = odd.map((end) => `${name}${end}`);
    const pairs = await Promise.all(names.map((each) => store.getOrCreate(each, makePair)));
    assertEqual(new Set(await Promise.all(pairs.map(publicPart))).size, names.length, 'how many keys as many names gave');
  },

  'keeps nothing when the making fails, and makes the key at the next call': async ({ store, name }) => {
    const error = new Error('no key today');
    const failed = store.getOrCreate<CryptoKeyPair>(name, () => Promise.reject(error));
    assertEqual(await rejection(failed, 'getOrCreate() with a make() that fails'), error, 'what it rejects with');
    await store.getOrCreate(name, makePair);
  },

  'deletes a key, so that the next one is new': async ({ store, other, name }) => {
    const first = await store.getOrCreate(name, makePair);
    await store.delete(name);
    const second = await other.getOrCreate(name, makePair);
    assert((await publicPart(second)) !== (await publicPart(first)), 'getOrCreate() after delete() gave the old key');
  },

  'takes the deletion of what is not there for done': async ({ store, name }) => {
    await store.delete(name);
  },
};
