import { webStorageStore } from 'tokenkeep/storage/web-storage';
import { storeContract } from 'tokenkeep/testing';
import { afterEach, describe, expect, it, test, vi } from 'vitest';

function fakeStorage(tag?: string): Storage {
  const values = new Map<string, string>();
  return {
    get length() {
      return values.size;
    },
    clear: () => values.clear(),
    key: (index) => [...values.keys()][index] ?? null,
    getItem: (key) => values.get(key) ?? null,
    removeItem: (key) => void values.delete(key),
    setItem: (key, value) => void values.set(key, value),
    ...(tag && { [Symbol.toStringTag]: tag }),
  };
}

afterEach(() => {
  vi.unstubAllGlobals();
});

for (const { name, run } of storeContract(() => webStorageStore(fakeStorage()))) test(`webStorageStore() ${name} [S1]`, run);

describe('webStorageStore()', () => {
  it('refuses a storage that other tabs share, unless refresh tokens do not rotate [X28]', () => {
    const [local, session] = [fakeStorage('Storage'), fakeStorage('Storage')];
    vi.stubGlobal('sessionStorage', session);
    expect(() => webStorageStore(local)).toThrow('option "storage": expected sessionStorage');
    expect(webStorageStore(local, { rotation: 'none' })).toMatchObject({ shared: true, lock: { shared: true } });
    const own = webStorageStore(session);
    expect([own.shared, own.lock?.shared]).toEqual([false, undefined]);
  });

  it('begins each key with its prefix, and takes what it did not write for nothing', async () => {
    const storage = fakeStorage();
    const store = webStorageStore(storage, { prefix: 'app/' });
    for (const junk of ['', 'text', 'null', '[]', '{"v":1}', '{"v":1,"value":1,"version":"x"}']) {
      storage.setItem('app/key', junk);
      expect(await store.get('key')).toBeUndefined();
      expect(await store.set('key', 'value', { expected: undefined, next: 'first' })).toBe(true);
    }
    await webStorageStore(storage).set('key', 'other', { expected: undefined, next: 'other' });
    expect(await store.get('key')).toEqual({ value: 'value', version: 'first' });
  });

  it('says store_unavailable when the browser refuses, without its words [X25]', async () => {
    const storage = fakeStorage();
    storage.setItem = (_key, value) => {
      throw new DOMException(`cannot keep ${value}`, 'QuotaExceededError');
    };
    storage.getItem = () => null;
    const failed = webStorageStore(storage).set('key', 'secret', { expected: undefined, next: 'first' });
    await expect(failed).rejects.toMatchObject({ code: 'store_unavailable', message: expect.not.stringContaining('secret') });
  });
});
