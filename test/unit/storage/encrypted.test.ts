import { type AccountStore, type Cipher, createTokenManager, customGrant, memoryStore, type StoreQuery, type TokenStore } from 'tokenkeep';
import { encryptedStore } from 'tokenkeep/storage/encrypted';
import { webCryptoCipher } from 'tokenkeep/storage/web-crypto-cipher';
import { storeContract, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it, test } from 'vitest';
import { testKeyStore } from '../protocol/proofs.js';

const clock = virtualClock();
const cipher = webCryptoCipher({ keyStore: testKeyStore() });

for (const { name, run } of storeContract(() => encryptedStore(memoryStore({ clock }), cipher), { pass: (ms) => clock.advance(ms) }))
  test(`encryptedStore(memoryStore()) ${name} [X17]`, run);

/** What lies in a store, for moving it about as somebody could who writes there. */
async function move(store: TokenStore, from: string, to: string): Promise<void> {
  const [source, target] = [await store.get(from), await store.get(to)];
  await store.set(to, source?.value ?? '', { expected: target?.version, next: source?.version ?? '' });
}

describe('encryptedStore()', () => {
  it('shows the store inside nothing of the values [S2]', async () => {
    const inner = memoryStore();
    const secret = 'canary-5f0e9b1c7d3a-canary';
    await encryptedStore(inner, cipher).set('key', secret, { expected: undefined, next: 'first' });
    const text = (await inner.get('key'))?.value ?? '';
    for (const shown of [text, atob(JSON.parse(text).data.replaceAll('-', '+').replaceAll('_', '/'))])
      for (let at = 0; at + 8 <= secret.length; at++) expect(shown).not.toContain(secret.slice(at, at + 8));
  });

  it('reads a value that was put under another key, or under another version, as unreadable, and writes over it [S2]', async () => {
    const inner = memoryStore();
    const store = encryptedStore(inner, cipher);
    await store.set('mine', 'my tokens', { expected: undefined, next: 'a' });
    await store.set('yours', 'your tokens', { expected: undefined, next: 'b' });
    await move(inner, 'yours', 'mine');
    expect(await store.get('mine')).toMatchObject({ value: '', version: 'b' });
    const sealed = (await inner.get('yours'))?.value ?? '';
    await inner.set('yours', sealed, { expected: 'b', next: 'c' });
    expect(await store.get('yours')).toMatchObject({ value: '', version: 'c' });
    expect(await store.set('mine', 'again', { expected: 'b', next: 'd' })).toBe(true);
    expect((await store.get('mine'))?.value).toBe('again');
  });

  it('makes a record that does not open count as absent: the manager warns, gets new tokens and writes them over it [S2]', async () => {
    const inner = memoryStore();
    let key = '';
    const remembering: TokenStore = {
      ...inner,
      set: (name, value, write) => {
        key = name;
        return inner.set(name, value, write);
      },
    };
    const keyStore = testKeyStore();
    const store = encryptedStore(remembering, webCryptoCipher({ keyStore }));
    let requests = 0;
    const grant = customGrant(async () => ({ accessToken: `token-${++requests}`, expiresInMs: 60_000 }));
    const live = async (): Promise<{ readonly token: string; readonly warnings: readonly string[] }> => {
      const warnings: string[] = [];
      const manager = createTokenManager({ grant, store, onEvent: (event) => void (event.type === 'warning' && warnings.push(event.code)) });
      const token = (await manager.getToken()).value;
      await manager.dispose();
      return { token, warnings };
    };
    expect(await live()).toEqual({ token: 'token-1', warnings: [] });
    expect(await live()).toEqual({ token: 'token-1', warnings: [] });
    await keyStore.delete('storage');
    expect(await live()).toEqual({ token: 'token-2', warnings: ['record_unreadable'] });
    expect(await live()).toEqual({ token: 'token-2', warnings: [] });
    expect(key).not.toBe('');
  });

  it('does not touch a record when the cipher cannot tell now whether it opens [X26]', async () => {
    const inner = memoryStore();
    await encryptedStore(inner, cipher).set('key', 'value', { expected: undefined, next: 'first' });
    const failing: Cipher = { encrypt: cipher.encrypt, decrypt: () => Promise.reject(new Error('no keys today')) };
    await expect(encryptedStore(inner, failing).get('key')).rejects.toThrow('no keys today');
  });

  it('passes the index, lists, the lock and hints through, also those of a class [S2]', async () => {
    const inner = memoryStore();
    class Accounts implements AccountStore {
      readonly shared = true;
      readonly lock = {
        ...inner.lock,
        shared: true,
        run: async <T>(_name: string, task: (held: AbortSignal) => Promise<T>) => task(new AbortController().signal),
      };
      readonly #seen: unknown[] = [];
      get = inner.get;
      delete = inner.delete;
      set: AccountStore['set'] = (key, value, write) => {
        this.#seen.push(write.index);
        return inner.set(key, value, write);
      };
      async list(query: StoreQuery) {
        return { entries: [{ key: `${this.#seen.length} of ${query.limit}`, accountId: 'a', state: 's' }] };
      }
      subscribe(key: string, listener: () => void) {
        this.#seen.push(key);
        return inner.subscribe?.(key, listener) ?? listener;
      }
      get seen(): readonly unknown[] {
        return this.#seen;
      }
    }
    const accounts = new Accounts();
    const store = encryptedStore(accounts, cipher);
    const index = { accountId: 'a', state: 'active', dueAt: 7 };
    await store.set('key', 'value', { expected: undefined, next: 'first', index });
    expect(store.subscribe?.('key', () => undefined)).toBeTypeOf('function');
    expect(accounts.seen).toEqual([index, 'key']);
    expect(await store.list({ limit: 9 })).toEqual({ entries: [{ key: '2 of 9', accountId: 'a', state: 's' }] });
    expect([store.shared, store.lock]).toEqual([true, accounts.lock]);
    const plain = encryptedStore({ get: inner.get, set: inner.set, delete: inner.delete }, cipher);
    expect([plain.shared, plain.lock, 'subscribe' in plain, 'list' in plain]).toEqual([undefined, undefined, false, false]);
  });
});
