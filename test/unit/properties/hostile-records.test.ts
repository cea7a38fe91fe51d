import fc, { type Arbitrary } from 'fast-check';
import { isTokenError } from 'tokenkeep';
import { afterEach, describe, expect, it } from 'vitest';
import { formatRecord } from '../../../src/manager/format-record.js';
import { parseRecord } from '../../../src/manager/parse-record.js';
import { elapsedMs } from '../../../src/core/instant.js';
import type { GrantRecord } from '../../../src/manager/state.js';
import { at, defaults, hourMs } from './arbitraries.js';

const now = at(hourMs);
const valid = {
  v: 1,
  epoch: 3,
  refreshToken: 'rt-1',
  idToken: 'id-1',
  raw: { instance_url: 'https://a.example' },
  pending: { sent: 'digest', at: at(0).wall, age: hourMs },
  tokens: [{ target: '', value: 'at-1', type: 'Bearer', scope: ['a'], lifetime: 2 * hourMs, at: at(0).wall, age: hourMs }],
};

// Placeholders for what JSON can say and JSON.stringify cannot.
const beyond = { '"+inf"': '1e999', '"-inf"': '-1e999', '"-0"': '-0' };
const value: Arbitrary<unknown> = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom('+inf', '-inf', '-0', null, true, '', 0, -1, 2 ** 53, Number.MAX_VALUE, [], {}, [null], [[]]),
  fc.record({ at: fc.constantFrom(at(0).wall, '+inf', '-inf', 0, null), age: fc.constantFrom(0, '+inf', '-inf', '1') }),
);
const memberName = fc.constantFrom('v', 'epoch', 'ended', 'refreshToken', 'idToken', 'raw', 'pending', 'tokens', '__proto__', 'constructor', 'toString');
const tokenMember = fc.constantFrom('target', 'value', 'type', 'scope', 'lifetime', 'at', 'age', '__proto__', 'constructor');

const toText = (json: unknown): string =>
  Object.entries(beyond).reduce((text, [placeholder, literal]) => text.replaceAll(placeholder, literal), JSON.stringify(json));
/** Members that an object literal cannot have, `__proto__` among them. */
const changed = (base: object, changes: readonly (readonly [string, unknown])[]): object => Object.fromEntries([...Object.entries(base), ...changes]);

const changes = fc.array(fc.tuple(memberName, value), { maxLength: 3 });
const tokenChanges = fc.array(fc.tuple(tokenMember, value), { maxLength: 3 });
const damaged: Arbitrary<string> = fc
  .tuple(changes, fc.array(tokenChanges, { maxLength: 3 }))
  .map(([members, tokens]) => toText(changed({ ...valid, tokens: tokens.map((each) => changed(valid.tokens[0] ?? {}, each)) }, members)));
const cut: Arbitrary<string> = fc.tuple(damaged, fc.nat(400), fc.nat(20)).map(([text, from, length]) => text.slice(0, from) + text.slice(from + length));
const hostile: Arbitrary<string> = fc.oneof({ arbitrary: damaged, weight: 4 }, cut, fc.json(), fc.string({ unit: 'binary' }), value.map(toText));

const ageMs = fc.option(fc.integer({ min: -hourMs, max: hourMs }), { nil: undefined });

function read(value: string, storeAgeMs?: number): GrantRecord | 'newer' | undefined {
  try {
    return parseRecord({ value, version: 'v', ageMs: storeAgeMs }, now, defaults);
  } catch (error) {
    if (isTokenError(error) && error.code === 'store_unavailable') return 'newer';
    throw error;
  }
}

const isTextOrAbsent = (value: unknown): boolean => value === undefined || typeof value === 'string';
const prototypeMembers = Object.getOwnPropertyNames(Object.prototype).sort();

afterEach(() => {
  expect(Object.getOwnPropertyNames(Object.prototype).sort()).toEqual(prototypeMembers);
});

describe('a text from a store, whatever it says', () => {
  it('is a record with every member of its type, no record, or a newer one: nothing else is thrown [X26, S12]', () => {
    fc.assert(
      fc.property(hostile, ageMs, (text, storeAgeMs) => {
        const record = read(text, storeAgeMs);
        if (record === undefined || record === 'newer') return;
        expect(Number.isSafeInteger(record.epoch)).toBe(true);
        expect([undefined, 'grant_revoked', 'rotation_lost', 'cleared', 'revoked']).toContain(record.ended);
        expect([record.refreshToken, record.idToken, record.pending?.sentDigest].every(isTextOrAbsent)).toBe(true);
        for (const { token, targetKey, lifetimeMs } of record.tokens) {
          expect([targetKey, token.value, token.type, ...token.scope].every((each) => typeof each === 'string')).toBe(true);
          expect(lifetimeMs === undefined || typeof lifetimeMs === 'number').toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('gives no token and no mark that comes from the future and so would never age [E8]', () => {
    fc.assert(
      fc.property(hostile, ageMs, (text, storeAgeMs) => {
        const record = read(text, storeAgeMs);
        if (record === undefined || record === 'newer') return;
        const since = record.pending === undefined ? record.tokens : [...record.tokens, record.pending];
        for (const instant of since) expect(elapsedMs(instant, now.wall, now.mono)).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 2000 },
    );
  });

  it('gives no token that outlives what it says of itself [E1, E3]', () => {
    fc.assert(
      fc.property(hostile, ageMs, (text, storeAgeMs) => {
        const record = read(text, storeAgeMs);
        if (record === undefined || record === 'newer') return;
        for (const { lifetimeMs, refuseAgeMs } of record.tokens) {
          if (lifetimeMs !== undefined) expect(refuseAgeMs).toBeLessThanOrEqual(lifetimeMs === 0 ? 5_000 : lifetimeMs);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('gives a record that can be written and read again [R26]', () => {
    fc.assert(
      fc.property(hostile, ageMs, (text, storeAgeMs) => {
        const record = read(text, storeAgeMs);
        if (record === undefined || record === 'newer') return;
        expect(read(formatRecord(record, now))).toMatchObject({ epoch: record.epoch + 0, ended: record.ended, refreshToken: record.refreshToken });
      }),
      { numRuns: 1000 },
    );
  });

  it('takes nothing from a member named __proto__ [S12]', () => {
    const inherited = `{"__proto__":${JSON.stringify(valid)}}`;
    const half = `{"v":1,"epoch":3,"tokens":[],"__proto__":{"refreshToken":"rt-stolen","ended":"cleared"}}`;
    const inToken = `{"v":1,"epoch":3,"tokens":[{"__proto__":${JSON.stringify(valid.tokens[0])}}]}`;
    const inRaw = '{"v":1,"epoch":3,"tokens":[],"raw":{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}}';
    expect(read(inherited)).toBeUndefined();
    expect(read(half)).toMatchObject({ refreshToken: undefined, ended: undefined });
    expect(read(inToken)).toMatchObject({ tokens: [] });
    const record = read(inRaw);
    expect(record !== 'newer' && record?.raw && Reflect.get(record.raw, 'polluted')).toBeUndefined();
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });
});
