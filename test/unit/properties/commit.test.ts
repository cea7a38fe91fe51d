import fc, { type Arbitrary } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commit, type Outcome } from '../../../src/manager/commit.js';
import { type EndReason, emptyRecord, type GrantRecord } from '../../../src/manager/state.js';
import { hold, hourMs, sent, tokenSet } from './arbitraries.js';

/** Something happens to the record that is current then, or to one that is not current any more. */
type Happening = (record: GrantRecord) => Outcome;

const reason: Arbitrary<EndReason> = fc.constantFrom('grant_revoked', 'rotation_lost', 'cleared', 'revoked', 'storage_cleared', 'key_lost');
const targetKey = fc.nat(29).map((number) => `target-${number}`);
const refreshToken = fc.option(
  fc.nat(9).map((number) => `rt-${number}`),
  { nil: undefined },
);
// Whose writer knew the record as it is, an earlier session, or a refresh token that was replaced since.
const view = fc.record({
  epochsBehind: fc.oneof({ arbitrary: fc.constant(0), weight: 8 }, fc.integer({ min: -2, max: 2 })),
  stale: fc.oneof({ arbitrary: fc.constant(undefined), weight: 8 }, fc.constant('rt-stale')),
});
const seen =
  ({ epochsBehind, stale }: { readonly epochsBehind: number; readonly stale: string | undefined }) =>
  (record: GrantRecord): { readonly epoch: number; readonly sent: string | undefined } => ({
    epoch: record.epoch - epochsBehind,
    sent: stale ?? record.refreshToken,
  });

const renewed: Arbitrary<Happening> = fc
  .record({
    view: view.map(seen),
    held: fc.tuple(targetKey, fc.nat(1_000)).map(([key, number]) => hold(tokenSet(`at-${number}`, hourMs), key)),
    refreshToken,
    idToken: fc.constantFrom(undefined, 'id-1', 'id-2'),
    raw: fc.constantFrom(undefined, { instance_url: 'https://a.example' }),
  })
  .map(
    ({ view, ...answer }): Happening =>
      (record) => ({ type: 'renewed', ...view(record), ...answer }),
  );

const others: Arbitrary<Happening> = fc.oneof(
  fc.tuple(view.map(seen), fc.string()).map(
    ([view, sentDigest]): Happening =>
      (record) => ({ type: 'sending', ...view(record), pending: { sentDigest, ...sent } }),
  ),
  view.map(seen).map(
    (view): Happening =>
      (record) => ({ type: 'answered', ...view(record) }),
  ),
  fc.tuple(view.map(seen), reason, fc.constantFrom(undefined, 'at-1')).map(
    ([view, reason, refused]): Happening =>
      (record) => ({ type: 'ended', ...view(record), reason, refused }),
  ),
);
const cleared: Arbitrary<Happening> = fc.option(reason, { nil: undefined }).map(
  (reason): Happening =>
    () => ({ type: 'cleared', reason }),
);

const signedIn: Arbitrary<Happening> = fc.tuple(fc.nat(1_000), refreshToken, fc.constantFrom(undefined, 'id-1', 'id-2')).map(
  ([number, refreshToken, idToken]): Happening =>
    () => ({ type: 'signedIn', held: hold(tokenSet(`at-of-sign-in-${number}`, hourMs), ''), refreshToken, idToken, raw: undefined }),
);
const isIdentity = (outcome: Outcome): outcome is Extract<Outcome, { type: 'cleared' | 'signedIn' }> =>
  outcome.type === 'cleared' || outcome.type === 'signedIn';

const happening = fc.oneof(
  { arbitrary: renewed, weight: 6 },
  { arbitrary: others, weight: 3 },
  { arbitrary: cleared, weight: 1 },
  { arbitrary: signedIn, weight: 1 },
);
const history = fc.array(happening, { maxLength: 60, size: 'max' });

function apply(record: GrantRecord, outcome: Outcome): GrantRecord {
  const step = commit(record, outcome);
  return step.do === 'write' ? step.record : record;
}

const after = (happenings: readonly Happening[]): GrantRecord => happenings.reduce((record, happens) => apply(record, happens(record)), emptyRecord);
const record: Arbitrary<GrantRecord> = history.map(after);

describe('commit, after whatever happened', () => {
  it('never lowers the epoch, and raises it by sign-in and sign-out alone [R26]', () => {
    fc.assert(
      fc.property(record, happening, (before, happens) => {
        const outcome = happens(before);
        expect(apply(before, outcome).epoch - before.epoch).toBe(isIdentity(outcome) ? 1 : 0);
      }),
    );
  });

  it('keeps nothing of the grant before after a sign-in [A32]', () => {
    fc.assert(
      fc.property(record, signedIn, (before, happens) => {
        const outcome = happens(before);
        if (outcome.type !== 'signedIn') throw new Error('a sign-in');
        const { held, refreshToken, idToken } = outcome;
        expect(apply(before, outcome)).toEqual({ ...emptyRecord, epoch: before.epoch + 1, tokens: [held], refreshToken, idToken, raw: undefined });
      }),
    );
  });

  it('drops what belongs to another session, earlier or later [R26]', () => {
    fc.assert(
      fc.property(record, happening, fc.integer({ min: -5, max: 5 }), (before, happens, off) => {
        const outcome = happens(before);
        fc.pre(off !== 0);
        if (isIdentity(outcome)) return;
        expect(commit(before, { ...outcome, epoch: before.epoch + off })).toEqual({ do: 'drop' });
      }),
    );
  });

  it('writes nothing of a late answer after a sign-out, whenever that came [R26]', () => {
    fc.assert(
      fc.property(record, renewed, fc.array(happening, { maxLength: 8 }), reason, (before, happens, meanwhile, why) => {
        const late = happens(before);
        fc.pre(late.type === 'renewed' && late.epoch === before.epoch);
        const signedOut = meanwhile.reduce((record, next) => apply(record, next(record)), apply(before, { type: 'cleared', reason: why }));
        expect(commit(signedOut, late)).toEqual({ do: 'drop' });
      }),
    );
  });

  it('loses no refresh token by an answer without one, and takes the one of an answer with one [P21, R6]', () => {
    fc.assert(
      fc.property(record, renewed, (before, happens) => {
        const outcome = happens(before);
        const step = commit(before, outcome);
        fc.pre(outcome.type === 'renewed' && step.do === 'write');
        if (outcome.type !== 'renewed' || step.do !== 'write') return;
        expect(step.record.refreshToken).toBe(outcome.refreshToken === undefined ? before.refreshToken : outcome.refreshToken);
        expect(step.record.idToken).toBe(outcome.idToken === undefined ? before.idToken : outcome.idToken);
        expect(step.record).toMatchObject({ pending: undefined, ended: undefined });
      }),
    );
  });

  it('lets the refresh token go only by an end or a sign-out [R9, R26]', () => {
    fc.assert(
      fc.property(record, happening, (before, happens) => {
        const outcome = happens(before);
        fc.pre(before.refreshToken !== undefined && !isIdentity(outcome) && outcome.type !== 'ended');
        expect(apply(before, outcome).refreshToken).toBeDefined();
      }),
    );
  });

  it('overwrites no refresh token that somebody stored after this one was sent [R6]', () => {
    fc.assert(
      fc.property(record, happening, (before, happens) => {
        const outcome = happens(before);
        if (isIdentity(outcome)) return;
        expect(commit({ ...before, refreshToken: 'rt-of-another' }, { ...outcome, epoch: before.epoch })).toEqual({ do: 'adopt' });
      }),
    );
  });

  it('holds at most 20 tokens, one for each target [R1]', () => {
    fc.assert(
      fc.property(record, ({ tokens }) => {
        expect(tokens.length).toBeLessThanOrEqual(20);
        expect(new Set(tokens.map((held) => held.targetKey)).size).toBe(tokens.length);
      }),
    );
  });

  it('keeps the 20 that were renewed last, the newest first', () => {
    const keys = Array.from({ length: 30 }, (_, number) => `target-${number}`);
    const renewals = keys.map((key): Happening => {
      const held = hold(tokenSet('at-1', hourMs), key);
      return ({ epoch }) => ({ type: 'renewed', epoch, sent: undefined, held, refreshToken: undefined, idToken: undefined, raw: undefined });
    });
    expect(after(renewals).tokens.map((held) => held.targetKey)).toEqual(keys.reverse().slice(0, 20));
  });

  it('leaves no token of any kind after a sign-out [R26]', () => {
    fc.assert(
      fc.property(record, fc.option(reason, { nil: undefined }), (before, why) => {
        expect(apply(before, { type: 'cleared', reason: why })).toEqual({ ...emptyRecord, epoch: before.epoch + 1, ended: why });
      }),
    );
  });

  it('leaves no refresh token and not the refused access token after an end, but every other one [R9]', () => {
    fc.assert(
      fc.property(record, reason, fc.nat(1_000), (before, why, number) => {
        const refused = before.tokens[number % Math.max(1, before.tokens.length)]?.token.value;
        const ended = apply(before, { type: 'ended', epoch: before.epoch, sent: before.refreshToken, reason: why, refused });
        expect(ended).toMatchObject({ epoch: before.epoch, ended: why, refreshToken: undefined, pending: undefined });
        expect(ended.tokens).toEqual(before.tokens.filter((held) => held.token.value !== refused));
      }),
    );
  });

  it('comes to the same when an outcome is applied again to what it made, as after a lost compare-and-swap [R6]', () => {
    fc.assert(
      fc.property(record, happening, (before, happens) => {
        const outcome = happens(before);
        fc.pre(!isIdentity(outcome));
        const once = apply(before, outcome);
        expect(apply(once, outcome)).toEqual(once);
      }),
    );
  });

  it('adopts again what it adopted before: the answer does not change by being asked twice [R6]', () => {
    fc.assert(
      fc.property(record, happening, (before, happens) => {
        const outcome = happens(before);
        const first = commit(before, outcome);
        fc.pre(first.do !== 'write');
        expect(commit(before, outcome)).toEqual(first);
      }),
    );
  });

  it('never changes the record that it was given', () => {
    fc.assert(
      fc.property(record, happening, (before, happens) => {
        const copy = { ...before, tokens: [...before.tokens] };
        commit(Object.freeze({ ...before, tokens: Object.freeze([...before.tokens]) }), happens(before));
        expect(before).toEqual(copy);
      }),
    );
  });
});
