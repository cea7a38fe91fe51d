import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { digest, randomFraction, randomId } from '../../../src/core/random.js';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** A source of chance that gives the bytes it is told to. */
function drawing(bytes: Uint8Array): { readonly asked: number[] } {
  const asked: number[] = [];
  vi.stubGlobal('crypto', {
    getRandomValues: (array: Uint8Array | Uint32Array) => {
      asked.push(array.byteLength);
      new Uint8Array(array.buffer).set(bytes.subarray(0, array.byteLength));
      return array;
    },
  });
  return { asked };
}

const sixteenBytes = fc.uint8Array({ minLength: 16, maxLength: 16 });

describe('randomness', () => {
  it('of an identifier is all of 16 bytes of the secure source, base64url without padding [S14]', () => {
    fc.assert(
      fc.property(sixteenBytes, (bytes) => {
        const source = drawing(bytes);
        const id = randomId();
        expect(id).toMatch(/^[\w-]{22}$/);
        expect([...Buffer.from(id, 'base64url')]).toEqual([...bytes]);
        expect(source.asked).toEqual([16]);
      }),
    );
  });

  it('of a jitter is 4 bytes of the secure source, in [0, 1) [S14]', () => {
    fc.assert(
      fc.property(sixteenBytes, (bytes) => {
        const source = drawing(bytes);
        const drawn = randomFraction();
        expect(drawn).toBe((new Uint32Array(bytes.slice(0, 4).buffer)[0] ?? -1) / 2 ** 32);
        expect(drawn >= 0 && drawn < 1).toBe(true);
        expect(source.asked).toEqual([4]);
      }),
    );
  });

  it('of a jitter reaches from 0 to just below 1 [S14]', () => {
    drawing(new Uint8Array(16));
    expect(randomFraction()).toBe(0);
    drawing(new Uint8Array(16).fill(255));
    expect(randomFraction()).toBe(1 - 2 ** -32);
  });

  it('of the runtime gives no identifier twice, and needs nothing guessable [S14]', () => {
    const guessable = vi.spyOn(Math, 'random').mockImplementation(() => {
      throw new Error('guessable');
    });
    expect(new Set(Array.from({ length: 10_000 }, randomId)).size).toBe(10_000);
    expect(new Set(Array.from({ length: 1_000 }, randomFraction)).size).toBeGreaterThan(990);
    expect(guessable).not.toHaveBeenCalled();
  });

  it.each([
    ['no crypto', undefined],
    ['null', null],
    ['a crypto that only hashes', { subtle: {} }],
    ['a crypto whose source is no function', { getRandomValues: 4 }],
  ])('fails where the runtime has %s, and falls back to nothing [S14]', (_what, crypto) => {
    vi.stubGlobal('crypto', crypto);
    for (const draw of [randomId, randomFraction]) {
      expect(draw).toThrow(expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining('globalThis.crypto') }));
    }
  });

  it('is drawn in one file of the sources, and nowhere by Math.random [S14]', () => {
    const root = fileURLToPath(new URL('../../../src/', import.meta.url));
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    const naming = (pattern: RegExp): string[] =>
      files.filter((name) => pattern.test(readFileSync(root + name, 'utf8'))).map((name) => name.replaceAll('\\', '/'));
    expect(naming(/Math\s*(\.|\[['"`])\s*random/)).toEqual([]);
    expect(naming(/getRandomValues|randomUUID/)).toEqual(['core/random.ts']);
  });
});

describe('a digest', () => {
  it('is the SHA-256 of the text in UTF-8, base64url [R14]', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), async (text) => {
        expect(await digest(text)).toBe(createHash('sha256').update(text).digest('base64url'));
      }),
    );
  });
});
