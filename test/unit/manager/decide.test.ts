import { TokenError } from 'tokenkeep';
import { describe, expect, it } from 'vitest';
import { createAccessToken } from '../../../src/core/access-token.js';
import { type Decision, decide, type TargetState, type TokenRequest } from '../../../src/manager/decide.js';
import { type HeldToken, holdToken } from '../../../src/manager/state.js';

const sent = { wall: 1_800_000_000_000, mono: 7_000_000 };
const hourMs = 3_600_000;
const error = new TokenError('network_error', 'planned', { phase: 'token' });
const endedError = new TokenError('login_required', 'planned', { phase: 'token' });

function held(lifetimeMs: number | undefined = hourMs, repeated = false): HeldToken {
  const tokens = { accessToken: 'at-1', tokenType: 'Bearer', sentAt: sent.wall, lifetimeMs, scope: [] } as const;
  return holdToken(tokens, createAccessToken(tokens), '', sent, { skewMs: 60_000, minValidMs: 5_000, spread: 0 }, repeated);
}

const unknownLifetime: HeldToken = { ...held(), lifetimeMs: undefined, renewAgeMs: Infinity, refuseAgeMs: Infinity, repeatedUntilAgeMs: 0 };
const cooling = (blockedMs: number, backgroundMs: number): TargetState['cooldown'] => ({ error, failures: 1, blockedMs, backgroundMs, ...sent });
const empty: TargetState = { loaded: true, ended: undefined, held: undefined, flight: undefined, cooldown: undefined };
const flight = {};

type Row = readonly [situation: string, state: Partial<TargetState>, ageMs: number, request: TokenRequest | undefined, decision: Decision];

const rows: readonly Row[] = [
  ['the store was not read yet', { loaded: false }, 0, undefined, { do: 'load' }],
  ['the store was not read yet, and the token at hand has expired', { loaded: false, held: held() }, hourMs, undefined, { do: 'load' }],
  ['the store may have changed since it was read [X11]', { loaded: false, held: held() }, 0, undefined, { do: 'load' }],
  ['no tokens, and only a sign-in gives some [R9]', { ended: endedError }, 0, undefined, { do: 'fail', error: endedError }],
  ['no tokens, nothing under way', {}, 0, undefined, { do: 'renew', reason: 'missing' }],
  ['no tokens, a renewal in flight [R2]', { flight }, 0, undefined, { do: 'join', reason: 'missing' }],
  ['token expired, a renewal in flight [R2]', { held: held(), flight }, hourMs, undefined, { do: 'join', reason: 'expired' }],
  ['token refused, a renewal in flight [R4]', { held: held(), flight }, 0, { invalidToken: 'at-1' }, { do: 'join', reason: 'refused' }],
  ['token fresh', { held: held() }, 0, undefined, { do: 'use' }],
  ['token one millisecond before the skew window [E2]', { held: held() }, hourMs - 60_001, undefined, { do: 'use' }],
  ['token inside the skew window [E2]', { held: held() }, hourMs - 60_000, undefined, { do: 'useAndRenew' }],
  ['token inside the skew window, a renewal in flight [E2]', { held: held(), flight }, hourMs - 60_000, undefined, { do: 'use' }],
  ['token inside the skew window, cooling down [R21]', { held: held(), cooldown: cooling(0, 2 * hourMs) }, hourMs - 60_000, undefined, { do: 'use' }],
  ['token inside the skew window, cooled down [R21]', { held: held(), cooldown: cooling(0, 1_000) }, hourMs - 60_000, undefined, { do: 'useAndRenew' }],
  ['token inside the skew window, and the grant is dead [R9]', { held: held(), ended: endedError }, hourMs - 60_000, undefined, { do: 'use' }],
  ['token one millisecond before the hard limit [E3]', { held: held(), flight }, hourMs - 5_001, undefined, { do: 'use' }],
  ['token at the hard limit [E3]', { held: held() }, hourMs - 5_000, undefined, { do: 'renew', reason: 'expired' }],
  ['token expired, and the grant is dead [R9]', { held: held(), ended: endedError }, hourMs, undefined, { do: 'fail', error: endedError }],
  ['another token was refused: somebody replaced it already [R4]', { held: held() }, 0, { invalidToken: 'at-0' }, { do: 'use' }],
  ['this token was refused [R4]', { held: held() }, 0, { invalidToken: 'at-1' }, { do: 'renew', reason: 'refused' }],
  ['this token was refused, and the server gave it twice [gap 11]', { held: held(hourMs, true) }, hourMs / 3 - 1, { invalidToken: 'at-1' }, { do: 'use' }],
  [
    'the token that the server gave twice is refused much later [gap 11]',
    { held: held(hourMs, true) },
    hourMs / 3,
    { invalidToken: 'at-1' },
    { do: 'renew', reason: 'refused' },
  ],
  ['cooling down after a failure [R24]', { cooldown: cooling(1_000, 5_000) }, 999, undefined, { do: 'fail', error }],
  ['cooled down [R24]', { cooldown: cooling(1_000, 5_000) }, 1_000, undefined, { do: 'renew', reason: 'missing' }],
  ['a renewal in flight in spite of the cool-down', { flight, cooldown: cooling(1_000, 5_000) }, 0, undefined, { do: 'join', reason: 'missing' }],
  ['a longer life is wished for, and there is one [E3]', { held: held() }, 0, { minValidMs: 60_000 }, { do: 'use' }],
  ['a longer life is wished for [E3]', { held: held() }, hourMs / 2 + 1, { minValidMs: hourMs / 2 }, { do: 'renew', reason: 'short' }],
  ['a longer life is wished for than the server ever gives [E3]', { held: held() }, hourMs / 2, { minValidMs: 10 * hourMs }, { do: 'use' }],
  [
    'a longer life is wished for, a renewal in flight [E3]',
    { held: held(), flight },
    hourMs / 2 + 1,
    { minValidMs: hourMs / 2 },
    { do: 'join', reason: 'short' },
  ],
  [
    'a longer life is wished for while renewals rest [E3]',
    { held: held(), cooldown: cooling(0, 2 * hourMs) },
    hourMs / 2 + 1,
    { minValidMs: hourMs / 2 },
    { do: 'use' },
  ],
  ['a longer life is wished for of a token without known lifetime [E6]', { held: unknownLifetime }, 24 * hourMs, { minValidMs: hourMs }, { do: 'use' }],
  ['lifetime unknown, a day later [E6]', { held: unknownLifetime }, 24 * hourMs, undefined, { do: 'use' }],
  ['lifetime unknown, refused [E6]', { held: unknownLifetime }, 24 * hourMs, { invalidToken: 'at-1' }, { do: 'renew', reason: 'refused' }],
  ['dead on arrival, within 5 s [E7]', { held: held(0) }, 4_999, undefined, { do: 'use' }],
  ['dead on arrival, after 5 s [E7]', { held: held(0) }, 5_000, undefined, { do: 'renew', reason: 'expired' }],
];

describe('decide', () => {
  it.each(rows)('%s', (_situation, state, ageMs, request, decision) => {
    expect(decide({ ...empty, ...state }, request, sent.wall + ageMs, sent.mono + ageMs)).toEqual(decision);
  });

  it.each([
    ['the wall clock went on while the other stood still', hourMs, 0],
    ['the wall clock was set back', -hourMs, hourMs],
    ['the wall clock was set forward', hourMs, 1_000],
  ])('takes the larger of the two elapsed times: %s [E8]', (_situation, wallMs, monoMs) => {
    expect(decide({ ...empty, held: held() }, undefined, sent.wall + wallMs, sent.mono + monoMs)).toEqual({ do: 'renew', reason: 'expired' });
  });

  it.each([
    [3600, 60],
    [60, 30],
    [2, 1],
  ])('opens the skew window of a token of %i s when %i s are left [E2]', (lifetimeS, leftS) => {
    const state = { ...empty, held: held(lifetimeS * 1000) };
    const opensMs = (lifetimeS - leftS) * 1000;
    expect(decide(state, undefined, sent.wall + opensMs - 1, sent.mono + opensMs - 1)).toEqual({ do: 'use' });
    expect(decide(state, undefined, sent.wall + opensMs, sent.mono + opensMs)).toEqual({ do: 'useAndRenew' });
  });

  it.each([
    [3600, 5_000],
    [8, 2_000],
    [2, 500],
  ])('keeps the hard limit of a token of %i s at %i ms [E3]', (lifetimeS, leftMs) => {
    const limitMs = lifetimeS * 1000 - leftMs;
    const state = { ...empty, held: held(lifetimeS * 1000) };
    expect(decide(state, undefined, sent.wall + limitMs - 1, sent.mono + limitMs - 1)).toEqual({ do: 'useAndRenew' });
    expect(decide(state, undefined, sent.wall + limitMs, sent.mono + limitMs)).toEqual({ do: 'renew', reason: 'expired' });
  });
});
