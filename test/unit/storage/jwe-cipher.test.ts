import { DatabaseSync } from 'node:sqlite';
import { encryptedStore } from 'tokenkeep/storage/encrypted';
import { jweCipher, reencrypt } from 'tokenkeep/storage/jwe-cipher';
import { sqliteStore } from 'tokenkeep/storage/sqlite';
import { storeContract } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';

const key = (kid: string, fill: number) => ({ kid, key: new Uint8Array(32).fill(fill) });
const [first, second] = [key('2026-01', 1), key('2026-02', 2)];

const shared = sqliteStore(new DatabaseSync(':memory:'), { pollMs: 20 });
for (const { name, run } of storeContract(() => encryptedStore(shared, jweCipher({ keys: [first] })))) {
  it(`a store under jweCipher ${name} [X17]`, run);
}

describe('jweCipher', () => {
  const cipher = jweCipher({ keys: [first] });

  it('opens what it sealed, in the same context only [S2]', async () => {
    const sealed = await cipher.encrypt('a refresh token', 'account A');
    expect(sealed).not.toContain('refresh');
    expect(await cipher.decrypt(sealed, 'account A')).toBe('a refresh token');
    expect(await cipher.decrypt(sealed, 'account B')).toBeUndefined();
  });

  it('gives another IV each time [S2]', async () => {
    const sealed = await Promise.all(Array.from({ length: 500 }, () => cipher.encrypt('same', 'c')));
    expect(new Set(sealed.map((text) => JSON.parse(text).iv)).size).toBe(500);
    expect(JSON.parse(sealed[0] ?? '').iv).toHaveLength(16);
  });

  it('opens nothing that was changed, at whatever place [S2]', async () => {
    const sealed = JSON.parse(await cipher.encrypt('a refresh token', 'c'));
    for (const member of ['protected', 'iv', 'ciphertext', 'tag']) {
      for (const at of [0, sealed[member].length >> 1]) {
        const other = sealed[member][at] === 'A' ? 'B' : 'A';
        const changed = { ...sealed, [member]: sealed[member].slice(0, at) + other + sealed[member].slice(at + 1) };
        expect(await cipher.decrypt(JSON.stringify(changed), 'c').catch((error: { code?: string }) => error.code), `${member} at ${at}`).toSatisfy(
          // A changed header may name a key that is not there.
          (found) => found === undefined || (member === 'protected' && found === 'store_unavailable'),
        );
      }
    }
    for (const text of ['', 'x', '{}', '{"v":1}', '[]', '{"v":1,"protected":"!","iv":"","ciphertext":"","tag":""}'])
      expect(await cipher.decrypt(text, 'c')).toBeUndefined();
  });

  it('reads under old keys and writes under the newest [S5]', async () => {
    const rotated = jweCipher({ keys: [second, first] });
    expect(await rotated.decrypt(await cipher.encrypt('old', 'c'), 'c')).toBe('old');
    const written = await rotated.encrypt('new', 'c');
    await expect(cipher.decrypt(written, 'c')).rejects.toMatchObject({ code: 'store_unavailable', kind: 'transient' });
    expect(await jweCipher({ keys: [second] }).decrypt(written, 'c')).toBe('new');
  });

  it('leaves what is under a key it does not know, and gives up what is under one that is lost [S5]', async () => {
    const sealed = await cipher.encrypt('text', 'c');
    await expect(jweCipher({ keys: [second] }).decrypt(sealed, 'c')).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await jweCipher({ keys: [second], lostKeys: ['2026-01'] }).decrypt(sealed, 'c')).toBeUndefined();
    await expect(cipher.decrypt(sealed.replace('"v":1', '"v":2'), 'c')).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  it('takes keys as text, as CryptoKey, and from a function that is asked each time [S5]', async () => {
    const raw = new Uint8Array(32).fill(251);
    const base64 = btoa(String.fromCharCode(...raw));
    const crypto = await globalThis.crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt']);
    let asked = 0;
    const ciphers = [raw, base64, base64.replaceAll('+', '-').replaceAll('/', '_').replace('=', ''), crypto].map((given) =>
      jweCipher({
        keys: async () => {
          asked++;
          return [{ kid: 'k', key: given }];
        },
      }),
    );
    const sealed = await Promise.all(ciphers.map((each) => each.encrypt('text', 'c')));
    for (const each of ciphers) for (const text of sealed) expect(await each.decrypt(text, 'c')).toBe('text');
    expect(asked).toBe(20);
  });

  it.each([[[]], [[{ kid: 'k', key: 'short' }]], [[{ kid: '', key: first.key }]], [[first, first]], [undefined], [[{ kid: 'k', key: new Uint8Array(16) }]]])(
    'refuses keys that are none: %j [S5]',
    (keys: unknown) => {
      expect(() => Reflect.apply(jweCipher, undefined, [{ keys }])).toThrow(expect.objectContaining({ code: 'invalid_option' }));
    },
  );
});

describe('reencrypt', () => {
  it('writes every listed record under the first key, keeps index and age, and leaves what does not open [S5]', async () => {
    const inner = sqliteStore(new DatabaseSync(':memory:'));
    const old = encryptedStore(inner, jweCipher({ keys: [first] }));
    for (let account = 0; account < 25; account++) {
      const index = { accountId: `A${account}`, state: 'healthy', dueAt: account };
      await old.set(`k${account}`, `token ${account}`, { expected: undefined, next: `v${account}`, index, ageMs: 3_600_000 });
    }
    const [a, b] = [await inner.get('k1'), await inner.get('k2')];
    await inner.set('k1', b?.value ?? '', { expected: a?.version, next: 'swapped', index: { accountId: 'A1', state: 'healthy' } });
    const rotating = encryptedStore(inner, jweCipher({ keys: [second, first] }));
    expect(await reencrypt(rotating, { pageSize: 10 })).toEqual({ rewritten: 24, changed: 0, unreadable: 1 });
    const rotated = encryptedStore(inner, jweCipher({ keys: [second], lostKeys: ['2026-01'] }));
    const found = await Promise.all(Array.from({ length: 25 }, async (_, account) => (await rotated.get(`k${account}`))?.value));
    expect(found).toEqual(Array.from({ length: 25 }, (_, account) => (account === 1 ? '' : `token ${account}`)));
    expect((await rotated.get('k3'))?.ageMs).toBeGreaterThanOrEqual(3_600_000);
    expect((await rotated.list({ limit: 100 })).entries).toContainEqual({ key: 'k3', accountId: 'A3', state: 'healthy', dueAt: 3 });
  });

  it('does not write over what somebody else wrote meanwhile [S5]', async () => {
    const inner = sqliteStore(new DatabaseSync(':memory:'));
    const store = encryptedStore(inner, jweCipher({ keys: [first] }));
    await store.set('k', 'old', { expected: undefined, next: 'v1', index: { accountId: 'a', state: 's' } });
    const racing = {
      ...store,
      get: async (name: string) => {
        const found = await store.get(name);
        await store.set(name, 'newer', { expected: 'v1', next: 'v2', index: { accountId: 'a', state: 's' } });
        return found;
      },
    };
    expect(await reencrypt(racing)).toEqual({ rewritten: 0, changed: 1, unreadable: 0 });
    expect((await store.get('k'))?.value).toBe('newer');
  });
});
