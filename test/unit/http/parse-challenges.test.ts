import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseChallenges } from '../../../src/http.js';

function parse(...headers: string[]): ReturnType<typeof parseChallenges> {
  const response = new Response(null, { status: 401 });
  for (const header of headers) response.headers.append('www-authenticate', header);
  return parseChallenges(response);
}

// Header values that `Headers` would refuse still have to be survived: a custom fetch may hand over anything.
function parseRaw(header: string): ReturnType<typeof parseChallenges> {
  const response = new Response(null, { status: 401 });
  Object.defineProperty(response, 'headers', { value: { get: () => header } });
  return parseChallenges(response);
}

describe('WWW-Authenticate', () => {
  it.each<[string, string[], object[]]>([
    ['a bare scheme', ['Bearer'], [{ scheme: 'bearer', params: {} }]],
    ['one parameter', ['Bearer error="invalid_token"'], [{ scheme: 'bearer', params: { error: 'invalid_token' } }]],
    ['a token as value', ['Bearer error=invalid_token'], [{ scheme: 'bearer', params: { error: 'invalid_token' } }]],
    ['names in any case', ['BEARER Error="x", REALM="Y"'], [{ scheme: 'bearer', params: { error: 'x', realm: 'Y' } }]],
    [
      'several challenges in one header',
      ['Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"'],
      [
        { scheme: 'newauth', params: { realm: 'apps', type: '1', title: 'Login to "apps"' } },
        { scheme: 'basic', params: { realm: 'simple' } },
      ],
    ],
    [
      'several headers',
      ['Basic realm="a"', 'DPoP algs="ES256 RS256", error="use_dpop_nonce"'],
      [
        { scheme: 'basic', params: { realm: 'a' } },
        { scheme: 'dpop', params: { algs: 'ES256 RS256', error: 'use_dpop_nonce' } },
      ],
    ],
    [
      'token68 before another challenge',
      ['Negotiate YII=, Bearer realm="x"'],
      [
        { scheme: 'negotiate', token68: 'YII=', params: {} },
        { scheme: 'bearer', params: { realm: 'x' } },
      ],
    ],
    [
      'bare schemes in a row',
      ['Negotiate, NTLM , Bearer'],
      [
        { scheme: 'negotiate', params: {} },
        { scheme: 'ntlm', params: {} },
        { scheme: 'bearer', params: {} },
      ],
    ],
    [
      'commas and equal signs inside quotes',
      ['Bearer realm="a, Basic b=c, d", x="e=f"'],
      [{ scheme: 'bearer', params: { realm: 'a, Basic b=c, d', x: 'e=f' } }],
    ],
    ['escapes', ['Bearer realm="a\\\\b\\"c\\d"'], [{ scheme: 'bearer', params: { realm: 'a\\b"cd' } }]],
    ['blanks around the equal sign', ['Bearer realm = "a" , error\t=\tb'], [{ scheme: 'bearer', params: { realm: 'a', error: 'b' } }]],
    ['empty list elements', [',, Bearer realm="a",, ,error="b",'], [{ scheme: 'bearer', params: { realm: 'a', error: 'b' } }]],
    ['an empty first parameter', ['Bearer , error="b"'], [{ scheme: 'bearer', params: { error: 'b' } }]],
    ['duplicates: the first counts', ['Bearer error="a", Error="b"'], [{ scheme: 'bearer', params: { error: 'a' } }]],
    ['an empty quoted string', ['Bearer realm=""'], [{ scheme: 'bearer', params: { realm: '' } }]],
    ['no header', [], []],
    ['an empty header', [''], []],
  ])('reads %s [H7]', (_, headers, expected) => {
    expect(parse(...headers)).toEqual(expected);
  });

  it.each([
    'Bearer realm="unterminated',
    'Bearer realm="a" error="b"',
    'Bearer realm=a b',
    'error="invalid_token"',
    '="x"',
    'Bearer realm=@',
    '"Bearer"',
    'Bearer realm="a"x',
    'Negotiate abc==, foo=bar',
    'Bearer realm="\\"',
    'Bearer;error=x',
  ])('yields no challenge for %j [H7]', (header) => {
    expect(parse(header)).toEqual([]);
  });

  it('keeps names such as __proto__ as what they are: names [H7]', () => {
    const [challenge] = parse('Bearer __proto__="x", constructor="y"');
    expect(Object.getPrototypeOf(challenge?.params)).toBeNull();
    expect(Object.entries(challenge?.params ?? {})).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });

  it('reads 16 KiB and not a byte more [H7]', () => {
    const header = (length: number): string => `Bearer realm="${'a'.repeat(length - 'Bearer realm=""'.length)}"`;
    expect(parse(header(16_384))).toHaveLength(1);
    expect(parse(header(16_385))).toEqual([]);
  });

  it('never throws and never hangs, whatever the header says [H7]', () => {
    const piece = fc.oneof(
      fc.constantFrom('Bearer', ' ', ',', '=', '"', '\\', 'error', '\t', 'a=b', 'a="b"', 'x==', '\n', '\0', '\u00e9'),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const challenges = parseRaw(pieces.join(''));
        for (const { scheme, params } of challenges) {
          expect(scheme).toBe(scheme.toLowerCase());
          expect(Object.getPrototypeOf(params)).toBeNull();
        }
      }),
      { numRuns: 2000 },
    );
    for (const evil of [
      '"'.repeat(16_000),
      `Bearer a="${'\\'.repeat(16_000)}`,
      `Bearer ${' '.repeat(16_000)}x y`,
      `B ${'a='.repeat(8000)}`,
      ' '.repeat(16_000),
    ])
      parseRaw(evil);
  });

  it('reads back whatever was written by the grammar [H7]', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9!#$%&'*+.^_`|~-]{0,10}$/);
    const value = fc.stringMatching(/^[\t -~]{0,30}$/);
    const challenge = fc.record({ scheme: name, params: fc.dictionary(name, value, { maxKeys: 5, noNullPrototype: false }) });
    fc.assert(
      fc.property(fc.array(challenge, { minLength: 1, maxLength: 4 }), (challenges) => {
        const header = challenges
          .map(({ scheme, params }) =>
            `${scheme} ${Object.entries(params)
              .map(([key, text]) => `${key}="${text.replace(/["\\]/g, '\\$&')}"`)
              .join(', ')}`.trimEnd(),
          )
          .join(', ');
        expect(parseRaw(header).map(({ scheme, params }) => ({ scheme, params: Object.entries(params) }))).toEqual(
          challenges.map(({ scheme, params }) => ({ scheme, params: Object.entries(params) })),
        );
      }),
      { numRuns: 1000 },
    );
  });
});
