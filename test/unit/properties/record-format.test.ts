import fc, { type Arbitrary } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatRecord } from '../../../src/manager/format-record.js';
import { parseRecord } from '../../../src/manager/parse-record.js';
import type { Instant } from '../../../src/core/instant.js';
import { emptyRecord, type GrantRecord, type HeldToken, type PendingRotation } from '../../../src/manager/state.js';
import { ageOf, at, defaults, hold, hourMs, lifetime, tokenSet, windows } from './arbitraries.js';

const text = fc.string({ unit: 'binary' });
// What fits into a header; anything else is no access token.
const tokenValue = fc.string({ minLength: 1, maxLength: 40 }).map((value) => `t${value.replaceAll(' ', '')}`);
const optionalText = fc.option(text, { nil: undefined });
// JSON knows no -0.
const raw: Arbitrary<Record<string, unknown>> = fc.dictionary(text, fc.jsonValue()).map((value) => JSON.parse(JSON.stringify(value)));
const reason = fc.constantFrom(undefined, 'grant_revoked' as const, 'rotation_lost' as const, 'cleared' as const, 'revoked' as const);
const writtenMs = 10 * hourMs;

const token: Arbitrary<HeldToken> = fc
  .record({
    value: tokenValue,
    tokenType: fc.constantFrom('Bearer' as const, 'DPoP' as const),
    scope: fc.array(text),
    key: text,
    lifetime,
    sentMs: fc.nat(writtenMs),
  })
  .map(({ value, tokenType, scope, key, lifetime, sentMs }) => hold(tokenSet(value, lifetime, { tokenType, scope, sentAt: at(sentMs).wall }), key, at(sentMs)));
const pending: Arbitrary<PendingRotation> = fc.tuple(text, fc.nat(writtenMs)).map(([sentDigest, sentMs]) => ({ sentDigest, ...at(sentMs) }));

const record: Arbitrary<GrantRecord> = fc.record({
  epoch: fc.nat(),
  ended: reason,
  refreshToken: optionalText,
  idToken: optionalText,
  raw: fc.option(raw, { nil: undefined }),
  pending: fc.option(pending, { nil: undefined }),
  tokens: fc.array(token, { maxLength: 4 }),
});

const written = at(writtenMs);
const stored = (value: string, ageMs?: number) => ({ value, version: 'v', ageMs });
/** What two records have in common that were made on machines with other clocks. */
const lasting = ({ tokens, pending, raw, ...rest }: GrantRecord) => ({
  ...rest,
  raw: JSON.stringify(raw),
  sentDigest: pending?.sentDigest,
  tokens: tokens.map(({ wall: _wall, mono: _mono, token, ...held }) => ({ ...held, value: token.value, type: token.type, scope: token.scope })),
});
const instants = ({ tokens, pending }: GrantRecord): readonly Instant[] => (pending === undefined ? tokens : [...tokens, pending]);

describe('a record, written and read again', () => {
  it('is the same but for its clocks, whoever reads it [R31]', () => {
    fc.assert(
      fc.property(record, fc.nat(hourMs), fc.nat(), (before, laterMs, mono) => {
        const after = parseRecord(stored(formatRecord(before, written)), { wall: written.wall + laterMs, mono }, defaults);
        expect(after && lasting(after)).toEqual(lasting(before));
      }),
    );
  });

  it('ages by wall time where the store has no clock [E8]', () => {
    fc.assert(
      fc.property(record, fc.nat(hourMs), fc.nat(), (before, laterMs, mono) => {
        const now = { wall: written.wall + laterMs, mono };
        const after = parseRecord(stored(formatRecord(before, written)), now, defaults);
        expect(after && instants(after).map((since) => ageOf(since, now))).toEqual(instants(before).map(({ wall }) => now.wall - wall));
      }),
    );
  });

  it("ages by the store's clock alone where it has one, however wrong the reader's and the writer's clocks are [E8]", () => {
    fc.assert(
      fc.property(record, fc.nat(hourMs), fc.integer({ min: -100_000 * hourMs, max: 100_000 * hourMs }), fc.nat(), (before, ageMs, wrongMs, mono) => {
        const now = { wall: written.wall + wrongMs, mono };
        const after = parseRecord(stored(formatRecord(before, written), ageMs), now, defaults);
        expect(after && instants(after).map((since) => ageOf(since, now))).toEqual(instants(before).map((since) => ageOf(since, written) + ageMs));
      }),
    );
  });

  it("counts the time that the writer's wall clock missed [E8]", () => {
    fc.assert(
      fc.property(token, fc.nat(hourMs), fc.nat(hourMs), (held, backMs, ageMs) => {
        const value = formatRecord({ ...emptyRecord, tokens: [held] }, { wall: written.wall - backMs, mono: written.mono });
        const after = parseRecord(stored(value, ageMs), written, defaults)?.tokens[0];
        expect(after && ageOf(after, written)).toBe(ageOf(held, written) + ageMs);
      }),
    );
  });

  it('makes no token younger by writing and reading it, with or without a clock in the store [E8]', () => {
    fc.assert(
      fc.property(token, fc.nat(hourMs), fc.boolean(), fc.nat(), (held, laterMs, hasClock, mono) => {
        const now = { wall: written.wall + laterMs, mono };
        const value = formatRecord({ ...emptyRecord, tokens: [held] }, written);
        const after = parseRecord(stored(value, hasClock ? laterMs : undefined), now, defaults)?.tokens[0];
        expect(after && ageOf(after, now)).toBeGreaterThanOrEqual(ageOf(held, written));
      }),
    );
  });

  it('takes a token from the next minute as new, and holds one from later than that for expired [E8]', () => {
    fc.assert(
      fc.property(record, fc.nat(2 * 60_000), fc.nat(), (before, aheadMs, mono) => {
        const now = { wall: written.wall - writtenMs - aheadMs, mono };
        const sentNow = {
          ...before,
          tokens: before.tokens.map(({ token, targetKey, lifetimeMs }) => hold(tokenSet(token.value, lifetimeMs), targetKey, at(0))),
        };
        const after = parseRecord(stored(formatRecord(sentNow, at(0))), now, defaults);
        expect(after?.tokens.map((since) => ageOf(since, now))).toEqual(aheadMs > 60_000 ? [] : before.tokens.map(() => 0));
        expect(after?.refreshToken).toBe(before.refreshToken);
      }),
    );
  });

  it("gets its windows from the reader's settings [E2, E3]", () => {
    fc.assert(
      fc.property(token, windows, (held, within) => {
        const after = parseRecord(stored(formatRecord({ ...emptyRecord, tokens: [held] }, written)), written, within)?.tokens[0];
        const { renewAgeMs, refuseAgeMs } = hold(tokenSet('at-1', held.lifetimeMs), '', at(0), within);
        expect(after).toMatchObject({ renewAgeMs, refuseAgeMs, repeatedUntilAgeMs: 0 });
      }),
    );
  });
});

describe('a record of a newer version', () => {
  it('is left alone, whatever else is in it [X26]', () => {
    fc.assert(
      fc.property(fc.dictionary(text, fc.jsonValue()), fc.oneof(fc.constant(2), fc.integer({ min: 2 })), (members, v) => {
        expect(() => parseRecord(stored(JSON.stringify({ ...members, v })), written, defaults)).toThrow(expect.objectContaining({ code: 'store_unavailable' }));
      }),
    );
  });
});
