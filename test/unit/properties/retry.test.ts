import fc, { type Arbitrary } from 'fast-check';
import type { TokenErrorCode } from 'tokenkeep';
import { describe, expect, it } from 'vitest';
import { coolDown, type FailedAttempt, limits, retryDelayMs } from '../../../src/manager/retry.js';
import { anyFailure, failure, failureOf, fraction, hourMs, sent } from './arbitraries.js';

const attemptOf = (error: Arbitrary<FailedAttempt['error']>): Arbitrary<FailedAttempt> =>
  fc.record({
    error,
    attempt: fc.integer({ min: 1, max: 5 }),
    refreshToken: fc.boolean(),
    background: fc.boolean(),
    remainingMs: fc.oneof(fc.integer({ min: -1_000, max: limits.flightMs }), fc.nat(2 * hourMs)),
    random: fraction,
  });
const transientAttempt = attemptOf(failureOf('transient'));
const renews = fc.constantFrom('refreshToken' as const, 'regrant' as const, 'never' as const);
const failures = fc.integer({ min: 1, max: 2_000 });

const first: FailedAttempt = { error: failure('network_error'), attempt: 1, refreshToken: false, background: false, remainingMs: 30_000, random: 0.5 };

describe('the delay before a request is repeated, by table', () => {
  it.each<[string, Partial<FailedAttempt>, number | undefined]>([
    ['0 of the first second [R21]', { random: 0 }, 0],
    ['half of the first second [R21]', {}, 500],
    ['half of the next two [R21]', { attempt: 2 }, 1_000],
    ['none after the third request [R20]', { attempt: 3 }, undefined],
    ['none where nobody waits [R20]', { background: true }, undefined],
    ['one resend of a refresh token [R8]', { refreshToken: true }, 500],
    ['one resend of a refresh token, also where nobody waits [R8]', { refreshToken: true, background: true }, 500],
    ['no second resend of a refresh token [R8]', { refreshToken: true, attempt: 2 }, undefined],
    ['the seconds that the server asked for and a twentieth [R22]', { error: failure('rate_limited', 5_000) }, 5_250],
    ['no resend where nobody waits and the server is busy [R22]', { error: failure('rate_limited', 1), refreshToken: true, background: true }, undefined],
    ['as long as the deadline allows [R22]', { error: failure('rate_limited', 5_000), remainingMs: 5_251 }, 5_250],
    ['not beyond the deadline [R22]', { error: failure('rate_limited', 5_000), remainingMs: 5_250 }, undefined],
    ['5 s after an answer that cannot be read', { error: failure('invalid_response'), random: 0.999 }, 5_000],
  ])('is %s', (_what, changes, delayMs) => {
    expect(retryDelayMs({ ...first, ...changes })).toBe(delayMs);
  });
});

describe('the delay before a request is repeated, whatever failed', () => {
  it('is none where the failure is not a passing one [R21]', () => {
    fc.assert(
      fc.property(attemptOf(failureOf('configuration', 'interaction', 'terminal')), (failed) => {
        expect(retryDelayMs(failed)).toBeUndefined();
      }),
    );
  });

  it('never reaches the end of the flight [R20, R22]', () => {
    fc.assert(
      fc.property(transientAttempt, (failed) => {
        const delayMs = retryDelayMs(failed);
        fc.pre(delayMs !== undefined);
        expect(delayMs).toBeGreaterThanOrEqual(0);
        expect(delayMs).toBeLessThan(failed.remainingMs);
      }),
    );
  });

  it('is within the full jitter of its attempt, where the server asked for nothing [R21]', () => {
    fc.assert(
      fc.property(transientAttempt, ({ error: { code }, ...failed }) => {
        fc.pre(code !== 'invalid_response');
        const delayMs = retryDelayMs({ ...failed, error: failure(code) });
        fc.pre(delayMs !== undefined);
        expect(delayMs).toBe(failed.random * Math.min(30_000, 500 * 2 ** failed.attempt));
      }),
    );
  });

  it('is at least what the server asked for, at most a tenth longer or the back-off [R22]', () => {
    fc.assert(
      fc.property(transientAttempt, (failed) => {
        const { code, retryAfterMs } = failed.error;
        const delayMs = retryDelayMs({ ...failed, remainingMs: Infinity });
        fc.pre(delayMs !== undefined && retryAfterMs !== undefined);
        const askedMs = Math.min(retryAfterMs ?? 0, hourMs);
        const leastMs = code === 'invalid_response' ? 5_000 : 0;
        expect(delayMs).toBeGreaterThanOrEqual(Math.max(askedMs, leastMs));
        expect(delayMs).toBeLessThanOrEqual(Math.max(askedMs * 1.1, leastMs, 500 * 2 ** failed.attempt));
      }),
    );
  });

  it('ends after three requests, or two with a refresh token [R8, R20]', () => {
    fc.assert(
      fc.property(transientAttempt, (failed) => {
        const last = failed.refreshToken ? 2 : 3;
        fc.pre(failed.attempt >= last);
        expect(retryDelayMs(failed)).toBeUndefined();
      }),
    );
  });

  it('is never granted to a background renewal that a waited-for one would not get [R20]', () => {
    fc.assert(
      fc.property(transientAttempt, (failed) => {
        const background = retryDelayMs({ ...failed, background: true });
        fc.pre(background !== undefined);
        expect(retryDelayMs({ ...failed, background: false })).toBe(background);
      }),
    );
  });
});

describe('the cool-down after a failed renewal, by table', () => {
  it.each([
    [1, 1_000, 5_000],
    [2, 2_000, 10_000],
    [3, 4_000, 20_000],
    [4, 8_000, 40_000],
    [5, 16_000, 60_000],
    [6, 30_000, 60_000],
    [2_000, 30_000, 60_000],
  ])('number %i blocks callers for %i ms and background renewals for %i ms [R21, R24]', (count, blockedMs, backgroundMs) => {
    expect(coolDown(failure('network_error'), count, 'regrant', sent, 0.5)).toMatchObject({ blockedMs, backgroundMs, failures: count, ...sent });
  });

  it.each<[TokenErrorCode, 'refreshToken' | 'regrant', number]>([
    ['client_rejected', 'refreshToken', 60_000],
    ['client_rejected', 'regrant', 60_000],
    ['static_token_expired', 'regrant', 60_000],
    ['grant_revoked', 'refreshToken', Infinity],
    ['grant_revoked', 'regrant', 60_000],
  ])('after %s of a grant that renews by %s lasts %d ms [R24]', (code, by, ms) => {
    expect(coolDown(failure(code), 1, by, sent, 0.5)).toMatchObject({ blockedMs: ms, backgroundMs: ms });
  });

  it('tries a wrong setting again behind callers like any other failure, so that a secret in replacement heals before the token ends [R21]', () => {
    expect(coolDown(failure('client_rejected'), 1, 'regrant', sent, 0.5, true)).toMatchObject({ blockedMs: 1_000, backgroundMs: 5_000 });
    expect(coolDown(failure('grant_revoked'), 1, 'refreshToken', sent, 0.5, true)).toMatchObject({ blockedMs: Infinity });
  });
});

describe('the cool-down after a failed renewal, whatever failed', () => {
  it('never lets a renewal begin behind callers while callers themselves are blocked [R21, R24]', () => {
    fc.assert(
      fc.property(anyFailure, failures, renews, fraction, (error, count, by, random) => {
        const { blockedMs, backgroundMs } = coolDown(error, count, by, sent, random);
        expect(blockedMs).toBeGreaterThanOrEqual(1_000);
        expect(backgroundMs).toBeGreaterThanOrEqual(blockedMs);
      }),
    );
  });

  it('grows with every further failure, up to its limits [R21, R24]', () => {
    fc.assert(
      fc.property(failureOf('transient'), failures, renews, fraction, (error, count, by, random) => {
        const [now, next] = [count, count + 1].map((each) => coolDown(error, each, by, sent, random));
        expect(next?.blockedMs).toBeGreaterThanOrEqual(now?.blockedMs ?? 0);
        expect(next?.backgroundMs).toBeGreaterThanOrEqual(now?.backgroundMs ?? 0);
      }),
    );
  });

  it('lasts as long as the server asked for, at most an hour and a tenth; 5 s after an answer that cannot be read [R22, R24]', () => {
    fc.assert(
      fc.property(failureOf('transient'), failures, renews, fraction, (error, count, by, random) => {
        const { blockedMs, backgroundMs } = coolDown(error, count, by, sent, random);
        const leastMs = Math.max(Math.min(error.retryAfterMs ?? 0, hourMs), error.code === 'invalid_response' ? 5_000 : 0);
        expect(blockedMs).toBeGreaterThanOrEqual(leastMs);
        expect(blockedMs).toBeLessThanOrEqual(Math.max(30_000, leastMs * 1.1));
        expect(backgroundMs).toBeLessThanOrEqual(Math.max(60_000, leastMs * 1.1));
      }),
    );
  });

  it('is of some length and of some end also where a grant of somebody else asks for nonsense [R22, R24]', () => {
    fc.assert(
      fc.property(fc.constantFrom(Number.NaN, -1, -Infinity, Infinity), failures, fraction, (retryAfterMs, count, random) => {
        const { blockedMs, backgroundMs } = coolDown(failure('rate_limited', retryAfterMs), count, 'regrant', sent, random);
        expect(blockedMs).toBeGreaterThanOrEqual(1_000);
        expect(backgroundMs).toBeLessThanOrEqual(hourMs * 1.1);
      }),
    );
  });

  it('hands on the failure as a remembered one, otherwise unchanged [R24]', () => {
    fc.assert(
      fc.property(anyFailure, failures, renews, fraction, (error, count, by, random) => {
        const remembered = coolDown(error, count, by, sent, random).error;
        expect(remembered.toJSON()).toEqual({ ...error.toJSON(), fromCache: true });
      }),
    );
  });
});
