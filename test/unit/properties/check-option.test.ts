import fc, { type Arbitrary } from 'fast-check';
import { isTokenError } from 'tokenkeep';
import { describe, expect, it } from 'vitest';
import {
  checkBoolean,
  checkCount,
  checkDuration,
  checkFunction,
  checkOptions,
  checkPort,
  checkResource,
  checkScope,
  checkString,
  hasControlCharacter,
  invalidOption,
  isUri,
} from '../../../src/core/check-option.js';

const anything: Arbitrary<unknown> = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true, withSparseArray: true, withTypedArray: true, withBoxedValues: true }),
  fc.constantFrom(undefined, null, Symbol('s'), () => 1, Number.NaN, Infinity, -Infinity, -0, 0, 1, ' ', 'a b', new Proxy({}, {})),
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.integer(),
);

/** What a check makes of a value: what it answers with, or its complaint. */
function outcome(check: () => unknown): { readonly answer: unknown } | { readonly complaint: string } {
  try {
    return { answer: check() };
  } catch (error) {
    if (!isTokenError(error)) throw error;
    expect(error).toMatchObject({ code: 'invalid_option', kind: 'configuration', phase: 'options' });
    return { complaint: error.message };
  }
}

/** Accepts exactly what fits, and says of everything else which option it was. */
function accepts(check: (value: unknown) => unknown, fits: (value: unknown) => boolean, answer: (value: unknown) => unknown): void {
  fc.assert(
    fc.property(anything, (value) => {
      const made = outcome(() => check(value));
      if (fits(value)) expect(made).toEqual({ answer: answer(value) });
      else expect(made).toEqual({ complaint: expect.stringContaining('option "limitMs": expected ') });
    }),
    { numRuns: 500 },
  );
}

const same = (value: unknown): unknown => value;
const isScopeToken = (value: unknown): boolean =>
  typeof value === 'string' && value !== '' && [...value].every((sign) => sign > ' ' && sign <= '~' && sign !== '"' && sign !== '\\');

describe('a check of an option', () => {
  it('takes a duration of 0 or more that ends, or the default', () => {
    accepts(
      (value) => checkDuration('limitMs', value, 7),
      (value) => value === undefined || (typeof value === 'number' && value >= 0 && value !== Infinity),
      (value) => value ?? 7,
    );
  });

  it('takes a whole number of 1 or more, or the default', () => {
    accepts(
      (value) => checkCount('limitMs', value, 7),
      (value) => value === undefined || (typeof value === 'number' && Number.isInteger(value) && value >= 1),
      (value) => value ?? 7,
    );
  });

  it('takes true or false, or the default', () => {
    accepts(
      (value) => checkBoolean('limitMs', value, true),
      (value) => value === undefined || value === true || value === false,
      (value) => value ?? true,
    );
  });

  it('takes a string without control characters that is not empty [P16]', () => {
    accepts(
      (value) => checkString('limitMs', value),
      (value) => typeof value === 'string' && value !== '' && !hasControlCharacter(value),
      same,
    );
  });

  it('takes a function, or nothing', () => {
    accepts(
      (value) => checkFunction('limitMs', value),
      (value) => value === undefined || typeof value === 'function',
      () => undefined,
    );
  });

  it('takes an object that has the methods, also inherited ones, or nothing', () => {
    class Port {
      get(): void {}
      set(): void {}
    }
    const inherits = new (class extends Port {})();
    accepts(
      (value) => checkPort('limitMs', value, ['get', 'set']),
      (value) => value === undefined || value instanceof Map,
      () => undefined,
    );
    expect(outcome(() => checkPort('limitMs', inherits, ['get', 'set']))).toEqual({ answer: undefined });
    expect(outcome(() => checkPort('limitMs', { get: inherits.get }, ['get', 'set']))).toHaveProperty('complaint');
  });

  it('takes scope tokens in a list or a string, and gives a list', () => {
    const tokens = fc.array(fc.oneof(fc.constantFrom('openid', 'a:b', '!', '~', '"', 'a\\', 'ä', 'a b', ''), fc.string({ minLength: 1 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(tokens, fc.nat(2), (list, more) => {
        const good = list.every(isScopeToken);
        const joined = list.join(' '.repeat(more + 1));
        const parts = joined.split(' ').filter((part) => part !== '');
        expect(outcome(() => checkScope('limitMs', list))).toEqual(good ? { answer: list } : { complaint: expect.any(String) });
        const goodText = parts.length > 0 && parts.every(isScopeToken);
        expect(outcome(() => checkScope('limitMs', joined))).toEqual(goodText ? { answer: parts } : { complaint: expect.any(String) });
      }),
    );
  });

  it('takes resources that are absolute URIs as they are written, without a fragment', () => {
    const uri = fc.webUrl({ withQueryParameters: true });
    fc.assert(
      fc.property(uri, fc.constantFrom('', '#', '#a', ' ', '\n', '\t', '\\', '\u0000', '\u2028'), fc.nat(3), (url, bad, place) => {
        const spoilt = url.slice(0, url.length - place) + bad + url.slice(url.length - place);
        const answer = outcome(() => checkResource('limitMs', spoilt));
        expect(answer).toEqual(bad === '' ? { answer: [url] } : { complaint: expect.any(String) });
        expect(isUri(spoilt)).toBe(bad === '' || bad.startsWith('#'));
      }),
    );
  });

  it.each([[checkScope], [checkResource]])('of a list answers or complains, whatever it gets: %o', (check) => {
    fc.assert(
      fc.property(anything, (value) => {
        const made = outcome(() => check('limitMs', value));
        if ('answer' in made) expect(made.answer === undefined ? value === undefined : Array.isArray(made.answer)).toBe(true);
      }),
    );
  });

  it('takes an options object whose members are all known', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'toString'), fc.anything()), (options) => {
        const stranger = Object.keys(options).find((name) => name !== 'a' && name !== 'b');
        const made = outcome(() => checkOptions('create()', options, ['a', 'b']));
        expect(made).toEqual(stranger === undefined ? { answer: undefined } : { complaint: expect.stringContaining(`unknown option "${stranger}"`) });
        expect(outcome(() => checkOptions('create()', options))).toEqual({ answer: undefined });
      }),
    );
  });

  it('finds a control character wherever it stands, and no other character is one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(0x10ffff), (text, point) => {
        const isControl = (code: number): boolean => code < 0x20 || (code >= 0x7f && code <= 0x9f);
        const sign = String.fromCodePoint(point);
        const whole = text + sign + text;
        expect(hasControlCharacter(whole)).toBe([...whole].some((each) => isControl(each.codePointAt(0) ?? 0)));
        expect(hasControlCharacter(String.fromCodePoint(point % 0xa0))).toBe(isControl(point % 0xa0));
      }),
    );
  });
});

describe('the complaint about an option', () => {
  it('names the option and what was expected of it, whatever was given', () => {
    fc.assert(
      fc.property(anything, (value) => {
        expect(invalidOption('limitMs', 'a number', value).message).toMatch(/^option "limitMs": expected a number, got \S/);
      }),
      { numRuns: 500 },
    );
  });

  it('shows nothing of a string, a positive whole number, a symbol or an object: any may be a secret [S1]', () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9]{8,40}$/).map((each) => `Sec${each}`);
    const number = fc.integer({ min: 100_000, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(secret, number, (text, digits) => {
        const given = [text, [text], { text }, Symbol(text), () => text, new Error(text), new URL(`https://a.example/${text}`), digits, BigInt(digits)];
        for (const value of given) {
          const { message } = invalidOption('limitMs', 'something else', value);
          expect(message).not.toContain(text);
          expect(message).not.toContain(String(digits));
        }
      }),
    );
  });
});
