import fc from 'fast-check';
import { base64url } from 'jose';
import { webCryptoCipher } from 'tokenkeep/storage/web-crypto-cipher';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { testKeyStore } from '../protocol/proofs.js';

const text = fc.string({ unit: 'grapheme' });

interface Envelope {
  readonly v: number;
  readonly kid: string;
  readonly iv: string;
  readonly data: string;
}

const envelopeOf = (sealed: string): Envelope => JSON.parse(sealed);
const flipped = (encoded: string, bit: number): string => {
  const bytes = base64url.decode(encoded);
  const at = (bit >> 3) % bytes.length;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
  return base64url.encode(bytes);
};

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('webCryptoCipher()', () => {
  it('gives back what was encrypted, with the same context and with no other [S2]', async () => {
    const cipher = webCryptoCipher({ keyStore: testKeyStore() });
    await fc.assert(
      fc.asyncProperty(text, text, text, async (value, context, other) => {
        const sealed = await cipher.encrypt(value, context);
        expect(await cipher.decrypt(sealed, context)).toBe(value);
        if (other !== context) expect(await cipher.decrypt(sealed, other)).toBeUndefined();
      }),
    );
    for (const value of ['', '\ufeffwith a mark', 'x'.repeat(1024 * 1024)]) expect(await cipher.decrypt(await cipher.encrypt(value, 'c'), 'c')).toBe(value);
  });

  it('opens nothing of which a single bit was changed [S2]', async () => {
    const cipher = webCryptoCipher({ keyStore: testKeyStore() });
    const sealed = envelopeOf(await cipher.encrypt('{"refreshToken":"secret"}', 'context'));
    const bits = (member: string): number => base64url.decode(member).length * 8;
    for (let bit = 0; bit < bits(sealed.iv); bit++)
      expect(await cipher.decrypt(JSON.stringify({ ...sealed, iv: flipped(sealed.iv, bit) }), 'context')).toBeUndefined();
    for (let bit = 0; bit < bits(sealed.data); bit++)
      expect(await cipher.decrypt(JSON.stringify({ ...sealed, data: flipped(sealed.data, bit) }), 'context')).toBeUndefined();
    expect(await cipher.decrypt(JSON.stringify(sealed), 'context')).toBe('{"refreshToken":"secret"}');
  });

  it('takes no IV twice in 1,000 writes, and each has 96 bits [S2]', async () => {
    const cipher = webCryptoCipher({ keyStore: testKeyStore() });
    const ivs = await Promise.all(Array.from({ length: 1_000 }, async () => envelopeOf(await cipher.encrypt('same', 'same')).iv));
    expect(new Set(ivs).size).toBe(1_000);
    for (const iv of ivs) expect(base64url.decode(iv)).toHaveLength(12);
  });

  it('binds the version of its format and the id of the key [S2]', async () => {
    const keyStore = testKeyStore();
    const sealed = envelopeOf(await webCryptoCipher({ keyStore, name: 'one' }).encrypt('text', 'context'));
    expect(sealed).toMatchObject({ v: 1, kid: 'one' });
    // The same key under another name, as a store could be made to offer it.
    const [[, key] = []] = keyStore.keys;
    keyStore.keys.set('two', key);
    const two = webCryptoCipher({ keyStore, name: 'two' });
    expect(await two.decrypt(JSON.stringify(sealed), 'context')).toBeUndefined();
    expect(await two.decrypt(JSON.stringify({ ...sealed, kid: 'two' }), 'context')).toBeUndefined();
  });

  it('makes a key of 256 bits that cannot be exported, for this alone [S3]', async () => {
    const keyStore = testKeyStore();
    await webCryptoCipher({ keyStore }).encrypt('text', 'context');
    const key = keyStore.keys.get('storage');
    expect(key).toMatchObject({ extractable: false, algorithm: { name: 'AES-GCM', length: 256 }, usages: ['encrypt', 'decrypt'] });
    if (!(key instanceof CryptoKey)) throw new Error('no key');
    await expect(crypto.subtle.exportKey('raw', key)).rejects.toThrow();
  });

  it('takes what no cipher wrote, or what another key encrypted, for unreadable [S2]', async () => {
    const cipher = webCryptoCipher({ keyStore: testKeyStore() });
    const foreign = await webCryptoCipher({ keyStore: testKeyStore() }).encrypt('text', 'context');
    const own = envelopeOf(await cipher.encrypt('text', 'context'));
    const broken = [
      '',
      'null',
      '[]',
      '7',
      '{}',
      'text',
      foreign,
      ...[{ v: 0 }, { v: '1' }, { iv: 7 }, { data: null }, { iv: '' }, { data: '' }, { data: '%%%' }].map((part) => JSON.stringify({ ...own, ...part })),
    ];
    for (const sealed of broken) expect(await cipher.decrypt(sealed, 'context'), sealed).toBeUndefined();
  });

  it('uses the key that is in the key store now: what it writes is read by all others there [X24]', async () => {
    const keyStore = testKeyStore();
    const cipher = webCryptoCipher({ keyStore });
    const before = await cipher.encrypt('before', 'context');
    await keyStore.delete('storage');
    const after = await cipher.encrypt('after', 'context');
    const other = webCryptoCipher({ keyStore });
    expect([await other.decrypt(before, 'context'), await other.decrypt(after, 'context')]).toEqual([undefined, 'after']);
  });

  it('does not call unreadable what it cannot read now: a key store that fails, a newer format [X26]', async () => {
    const keyStore = testKeyStore();
    const cipher = webCryptoCipher({ keyStore });
    const sealed = await cipher.encrypt('text', 'context');
    const failing = webCryptoCipher({ keyStore: { ...keyStore, getOrCreate: () => Promise.reject(new Error('no keys today')) } });
    await expect(failing.decrypt(sealed, 'context')).rejects.toThrow('no keys today');
    await expect(cipher.decrypt(JSON.stringify({ ...envelopeOf(sealed), v: 2 }), 'context')).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  it('says so where there is no Web Crypto, as in a page without https', async () => {
    const cipher = webCryptoCipher({ keyStore: testKeyStore() });
    vi.stubGlobal('crypto', { getRandomValues: crypto.getRandomValues.bind(crypto) });
    await expect(cipher.encrypt('text', 'context')).rejects.toMatchObject({ code: 'store_unavailable', message: expect.stringContaining('https') });
  });
});
