import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomFraction } from '../../../src/core/random.js';
import { hold, hourMs, knownLifetime, lifetime, sent, tokenSet, windows } from './arbitraries.js';

const at = (lifetimeMs: number | undefined, within = {}, repeated = false) =>
  hold(tokenSet('at-1', lifetimeMs), '', sent, { skewMs: 60_000, minValidMs: 5_000, spread: 0, ...within }, repeated);

describe('the windows of a held token, by table', () => {
  it.each([
    [hourMs, 60_000, 5_000],
    [60_000, 30_000, 5_000],
    [20_000, 10_000, 5_000],
    [19_000, 9_500, 4_750],
    [8_000, 4_000, 2_000],
    [2_000, 1_000, 500],
    [1, 0.5, 0.25],
  ])('renews a token of %i ms when %d ms are left, and refuses it when %d ms are left [E2, E3]', (lifetimeMs, renewLeftMs, refuseLeftMs) => {
    const { renewAgeMs, refuseAgeMs } = at(lifetimeMs);
    expect([lifetimeMs - renewAgeMs, lifetimeMs - refuseAgeMs]).toEqual([renewLeftMs, refuseLeftMs]);
  });

  it.each([
    [0, 60_000],
    [0.25, 61_500],
    [0.5, 63_000],
    [0.75, 64_500],
  ])('draws %d of the tenth by which renewal begins earlier [E4]', (spread, renewLeftMs) => {
    expect(hourMs - at(hourMs, { spread }).renewAgeMs).toBe(renewLeftMs);
  });

  it('begins renewal at the hard limit at the latest, where that limit is the wider window [E2, E3]', () => {
    const { renewAgeMs, refuseAgeMs } = at(hourMs, { skewMs: 1_000, minValidMs: 30_000 });
    expect([renewAgeMs, refuseAgeMs]).toEqual([hourMs - 30_000, hourMs - 30_000]);
  });

  it('reuses a token that is dead on arrival for 5 s, whatever the windows are [E7]', () => {
    fc.assert(
      fc.property(windows, (within) => {
        expect(at(0, within)).toMatchObject({ renewAgeMs: 5_000, refuseAgeMs: 5_000 });
      }),
    );
  });

  it('never renews nor refuses by age a token of unknown lifetime [E6]', () => {
    fc.assert(
      fc.property(windows, (within) => {
        expect(at(undefined, within)).toMatchObject({ renewAgeMs: Infinity, refuseAgeMs: Infinity });
      }),
    );
  });

  it.each([
    [hourMs, hourMs / 3],
    [30_000, 10_000],
    [0, 0],
    [undefined, 30_000],
  ])('counts refusals of a repeated token of %s ms again from %d ms on [gap 11]', (lifetimeMs, untilMs) => {
    expect([at(lifetimeMs).repeatedUntilAgeMs, at(lifetimeMs, {}, true).repeatedUntilAgeMs]).toEqual([0, untilMs]);
  });
});

describe('the windows of a held token, whatever the settings', () => {
  it('open in order, within the lifetime: renew, refuse, end [E2, E3]', () => {
    fc.assert(
      fc.property(knownLifetime, windows, (lifetimeMs, within) => {
        const { renewAgeMs, refuseAgeMs } = at(lifetimeMs, within);
        expect(renewAgeMs).toBeGreaterThan(0);
        expect(renewAgeMs).toBeLessThanOrEqual(refuseAgeMs);
        expect(refuseAgeMs).toBeLessThanOrEqual(lifetimeMs);
      }),
    );
  });

  it('leave at least the half of a life, less a tenth of that, before renewal, and three quarters before refusal [E2, E3, E4]', () => {
    fc.assert(
      fc.property(knownLifetime, windows, (lifetimeMs, within) => {
        const { renewAgeMs, refuseAgeMs } = at(lifetimeMs, within);
        expect(renewAgeMs).toBeGreaterThan(lifetimeMs * 0.4499);
        expect(refuseAgeMs).toBeGreaterThanOrEqual(lifetimeMs * 0.75);
      }),
    );
  });

  it('are never wider than was asked for, but for the tenth [E2, E3, E4]', () => {
    fc.assert(
      fc.property(knownLifetime, windows, (lifetimeMs, within) => {
        const { renewAgeMs, refuseAgeMs } = at(lifetimeMs, within);
        const widest = Math.max(within.skewMs * 1.1, within.minValidMs);
        expect(lifetimeMs - refuseAgeMs).toBeLessThanOrEqual(within.minValidMs);
        expect(lifetimeMs - renewAgeMs).toBeLessThanOrEqual(widest + 0.001);
      }),
    );
  });

  it('spread renewal over a tenth of the window, and the hard limit not at all [E4]', () => {
    fc.assert(
      fc.property(knownLifetime, windows, (lifetimeMs, within) => {
        const plain = at(lifetimeMs, { ...within, spread: 0 });
        const spread = at(lifetimeMs, within);
        const earlierMs = plain.renewAgeMs - spread.renewAgeMs;
        expect(earlierMs).toBeGreaterThanOrEqual(0);
        expect(earlierMs).toBeLessThanOrEqual(Math.min(within.skewMs, lifetimeMs / 2) / 10 + 0.001);
        expect(spread.refuseAgeMs).toBe(plain.refuseAgeMs);
      }),
    );
  });

  it('spread a fleet of a hundred over the whole tenth [E4]', () => {
    const starts = Array.from({ length: 100 }, () => hourMs - at(hourMs, { spread: randomFraction() }).renewAgeMs);
    expect(new Set(starts).size).toBeGreaterThan(90);
    expect(Math.min(...starts)).toBeLessThan(63_000);
    expect(Math.max(...starts)).toBeGreaterThan(63_000);
  });

  it('keep the token, its target and its instant as they are [E1]', () => {
    fc.assert(
      fc.property(lifetime, windows, fc.string(), fc.boolean(), (lifetimeMs, within, targetKey, repeated) => {
        const kept = hold(tokenSet('at-1', lifetimeMs), targetKey, sent, within, repeated);
        expect(kept).toMatchObject({ targetKey, lifetimeMs, ...sent });
        expect(kept.token.value).toBe('at-1');
      }),
    );
  });
});
