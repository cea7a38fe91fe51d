import fc, { type Arbitrary } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Decision, decide, type TargetState, type TokenRequest } from '../../../src/manager/decide.js';
import { coolDown } from '../../../src/manager/retry.js';
import type { Instant } from '../../../src/core/instant.js';
import type { Cooldown } from '../../../src/manager/state.js';
import { ageOf, anyFailure, at, failure, fraction, held, hourMs, sent } from './arbitraries.js';

const flight = {};

const cooldown: Arbitrary<Cooldown> = fc.oneof(
  fc
    .tuple(anyFailure, fc.integer({ min: 1, max: 12 }), fc.constantFrom('refreshToken' as const, 'regrant' as const), fc.nat(2 * hourMs), fraction)
    .map(([error, failures, renews, sinceMs, random]) => coolDown(error, failures, renews, at(sinceMs), random)),
  // The lock was busy: callers are not blocked at all.
  fc.nat(2 * hourMs).map((sinceMs) => ({ error: failure('lock_timeout'), failures: 0, blockedMs: 0, backgroundMs: 1_000, ...at(sinceMs) })),
);

const state: Arbitrary<TargetState> = fc.record({
  loaded: fc.oneof({ arbitrary: fc.constant(true), weight: 4 }, fc.boolean()),
  ended: fc.option(fc.constant(failure('login_required')), { nil: undefined, freq: 4 }),
  held: fc.option(held, { nil: undefined, freq: 6 }),
  flight: fc.option(fc.constant(flight), { nil: undefined }),
  cooldown: fc.option(cooldown, { nil: undefined }),
});

const request: Arbitrary<TokenRequest | undefined> = fc.option(
  fc.record({
    invalidToken: fc.constantFrom(undefined, 'at-1', 'at-2'),
    minValidMs: fc.option(fc.oneof(fc.nat(hourMs), fc.nat(1_000 * hourMs)), { nil: undefined }),
  }),
  { nil: undefined },
);

/** Ages in whole milliseconds, at and around every instant at which the treatment changes, and any other. */
function ageFor({ held, cooldown }: TargetState): Arbitrary<number> {
  const sinceMs = cooldown === undefined ? 0 : cooldown.wall - sent.wall;
  const turns = [held?.renewAgeMs, held?.refuseAgeMs, held?.lifetimeMs, held?.repeatedUntilAgeMs].concat(
    cooldown === undefined ? [] : [sinceMs, sinceMs + cooldown.blockedMs, sinceMs + cooldown.backgroundMs],
  );
  const edges = turns
    .flatMap((turn) => (turn === undefined || !Number.isFinite(turn) ? [] : [-1, 0, 1].map((off) => Math.floor(turn) + off)))
    .filter((ms) => ms >= 0);
  const last = Math.max(1, ...edges);
  return fc.oneof(fc.nat(Math.ceil(last * 1.5)), fc.constantFrom(0, ...edges));
}

const situation = state.chain((each) => fc.record({ state: fc.constant(each), request, ageMs: ageFor(each), laterMs: ageFor(each) }));

const serves = ({ do: what }: Decision): boolean => what === 'use' || what === 'useAndRenew';
const decideAt = (known: TargetState, asked: TokenRequest | undefined, { wall, mono }: Instant): Decision => decide(known, asked, wall, mono);

/** Tells what must hold for a decision to be right, independently of how it was reached. */
function reasonFor({ held, ...known }: TargetState, asked: TokenRequest | undefined, decision: Decision, now: Instant): boolean {
  const resting = known.cooldown !== undefined && ageOf(known.cooldown, now) < known.cooldown.blockedMs;
  switch (decision.do) {
    case 'use':
      return held !== undefined;
    case 'useAndRenew':
      return held !== undefined && ageOf(held, now) >= held.renewAgeMs && known.ended === undefined;
    case 'load':
      return !known.loaded;
    case 'join':
      return known.loaded && known.flight !== undefined;
    case 'fail':
      return known.loaded && known.flight === undefined && (decision.error === known.ended || (resting && decision.error === known.cooldown?.error));
    case 'renew':
      if (decision.reason === 'missing') return held === undefined;
      if (decision.reason === 'refused') return held !== undefined && held.token.value === asked?.invalidToken;
      if (decision.reason === 'short') return asked?.minValidMs !== undefined;
      return decision.reason === 'expired' && held !== undefined && ageOf(held, now) >= held.refuseAgeMs;
  }
}

describe('decide, in whatever state', () => {
  it('has an answer, and the answer has its reason in the state [R2, R4]', () => {
    fc.assert(
      fc.property(situation, ({ state, request, ageMs }) => {
        const decision = decideAt(state, request, at(ageMs));
        expect(reasonFor(state, request, decision, at(ageMs)), JSON.stringify(decision)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('serves no token past its hard limit, whoever asks and however the clocks disagree [E3, E8]', () => {
    fc.assert(
      fc.property(situation, fc.integer({ min: -2 * hourMs, max: 2 * hourMs }), ({ state, request, ageMs }, offMs) => {
        const now = { wall: sent.wall + ageMs + offMs, mono: sent.mono + ageMs };
        fc.pre(state.held === undefined || ageOf(state.held, now) >= state.held.refuseAgeMs);
        expect(serves(decideAt(state, request, now))).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('begins no second renewal beside one in flight [R2]', () => {
    fc.assert(
      fc.property(situation, ({ state, request, ageMs }) => {
        const { do: what } = decideAt({ ...state, flight }, request, at(ageMs));
        expect(['use', 'load', 'join']).toContain(what);
      }),
      { numRuns: 500 },
    );
  });

  it('begins no renewal for a grant that has ended, nor within the cool-down of a failure [R9, R24]', () => {
    fc.assert(
      fc.property(situation, ({ state, request, ageMs }) => {
        const now = at(ageMs);
        fc.pre(state.ended !== undefined || (state.cooldown !== undefined && ageOf(state.cooldown, now) < state.cooldown.blockedMs));
        expect(['use', 'load', 'join', 'fail']).toContain(decideAt(state, request, now).do);
      }),
      { numRuns: 500 },
    );
  });

  it('only ever grows stricter as time goes by: use, use and renew, then neither [E2, E3]', () => {
    const strictness = (decision: Decision): number => (serves(decision) ? (decision.do === 'use' ? 0 : 1) : 2);
    fc.assert(
      fc.property(situation, ({ state, request, ageMs, laterMs }) => {
        const [before, after] = [Math.min(ageMs, laterMs), Math.max(ageMs, laterMs)].map((ms) => strictness(decideAt(state, request, at(ms))));
        expect(after).toBeGreaterThanOrEqual(before ?? 0);
      }),
      { numRuns: 1000 },
    );
  });

  it('uses a fresh token for everybody without a wish of his own, whatever else is known [E1]', () => {
    fc.assert(
      fc.property(situation, ({ state, ageMs }) => {
        fc.pre(state.loaded && state.held !== undefined && ageMs < state.held.renewAgeMs);
        expect(decideAt(state, undefined, at(ageMs))).toEqual({ do: 'use' });
      }),
    );
  });

  it('serves nothing before the store was read, or read again [X11]', () => {
    fc.assert(
      fc.property(situation, ({ state, request, ageMs }) => {
        expect(decideAt({ ...state, loaded: false }, request, at(ageMs))).toEqual({ do: 'load' });
      }),
    );
  });

  it('hands a refused token out again only where the server had repeated it [R4, gap 11]', () => {
    fc.assert(
      fc.property(situation, ({ state, ageMs }) => {
        fc.pre(state.held !== undefined && ageMs >= state.held.repeatedUntilAgeMs);
        expect(serves(decideAt(state, { invalidToken: state.held?.token.value }, at(ageMs)))).toBe(false);
      }),
    );
  });

  it('takes no notice of a refusal of any other token [R4]', () => {
    fc.assert(
      fc.property(situation, ({ state, ageMs }) => {
        const now = at(ageMs);
        expect(decideAt(state, { invalidToken: 'at-before' }, now)).toEqual(decideAt(state, undefined, now));
      }),
    );
  });

  it('never fails because of a wish for a longer life [E3]', () => {
    fc.assert(
      fc.property(situation, fc.nat(1_000 * hourMs), ({ state, ageMs }, minValidMs) => {
        const now = at(ageMs);
        fc.pre(serves(decideAt(state, undefined, now)));
        expect(decideAt(state, { minValidMs }, now).do).not.toBe('fail');
      }),
    );
  });

  it('does not renew a token in the first half of its life, whatever length is wished for [E3]', () => {
    fc.assert(
      fc.property(situation, fc.nat(1_000 * hourMs), ({ state, ageMs }, minValidMs) => {
        const { held } = state;
        fc.pre(state.loaded && held?.lifetimeMs !== undefined && ageMs <= held.lifetimeMs / 2 && ageMs < held.renewAgeMs);
        expect(decideAt(state, { minValidMs }, at(ageMs))).toEqual({ do: 'use' });
      }),
    );
  });

  it('decides the same after the wall clock was set back by any amount [E8]', () => {
    fc.assert(
      fc.property(situation, fc.nat(100_000 * hourMs), ({ state, request, ageMs }, backMs) => {
        const { wall, mono } = at(ageMs);
        expect(decide(state, request, wall - backMs, mono)).toEqual(decide(state, request, wall, mono));
      }),
    );
  });
});
