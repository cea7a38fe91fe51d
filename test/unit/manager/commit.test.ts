import { describe, expect, it } from 'vitest';
import { createAccessToken } from '../../../src/core/access-token.js';
import { type Commit, commit, type Outcome } from '../../../src/manager/commit.js';
import { emptyRecord, type GrantRecord, type HeldToken } from '../../../src/manager/state.js';

const sent = { wall: 1_800_000_000_000, mono: 7_000_000 };

function held(value: string, targetKey = ''): HeldToken {
  const token = createAccessToken({ accessToken: value, tokenType: 'Bearer', sentAt: sent.wall, lifetimeMs: 1_000, scope: [] });
  return { targetKey, token, lifetimeMs: 1_000, renewAgeMs: 500, refuseAgeMs: 750, repeatedUntilAgeMs: 0, ...sent };
}

const old = held('at-old');
const fresh = held('at-new');
const pending = { sentDigest: 'digest', ...sent };
const record: GrantRecord = { ...emptyRecord, epoch: 3, refreshToken: 'rt-1', idToken: 'id-1', pending, tokens: [old, held('at-other', 'other')] };
const renewed = { type: 'renewed', epoch: 3, sent: 'rt-1', held: fresh, refreshToken: 'rt-2', idToken: undefined, raw: undefined } as const;

type Row = readonly [what: string, outcome: Outcome, result: Commit['do'], changes: Partial<GrantRecord>];

const rows: readonly Row[] = [
  [
    'an intent is marked before the refresh token is sent [R14]',
    { type: 'sending', epoch: 3, sent: 'rt-1', pending: { ...pending, sentDigest: 'next' } },
    'write',
    { pending: { ...pending, sentDigest: 'next' } },
  ],
  ['an answer without tokens takes the mark away [R14]', { type: 'answered', epoch: 3, sent: 'rt-1' }, 'write', { pending: undefined }],
  [
    'a rotated refresh token replaces the one that was sent, and the epoch stays [R6, R30]',
    renewed,
    'write',
    { refreshToken: 'rt-2', pending: undefined, tokens: [fresh, held('at-other', 'other')] },
  ],
  [
    'an answer without refresh token keeps the one there is [complaint 14, peer P15]',
    { ...renewed, refreshToken: undefined },
    'write',
    { refreshToken: 'rt-1', pending: undefined, tokens: [fresh, held('at-other', 'other')] },
  ],
  [
    'an answer with an ID token replaces it',
    { ...renewed, idToken: 'id-2' },
    'write',
    { refreshToken: 'rt-2', idToken: 'id-2', pending: undefined, tokens: [fresh, held('at-other', 'other')] },
  ],
  ['a result of an older epoch is dropped [R26]', { ...renewed, epoch: 2 }, 'drop', {}],
  ['a result for a refresh token that is not the stored one gives way to it [R6]', { ...renewed, sent: 'rt-0' }, 'adopt', {}],
  ['an intent for a refresh token that is not the stored one gives way to it [R6]', { type: 'sending', epoch: 3, sent: 'rt-0', pending }, 'adopt', {}],
  [
    'a dead grant drops its refresh token and keeps its access tokens and its epoch [R9]',
    { type: 'ended', epoch: 3, sent: 'rt-1', reason: 'grant_revoked', refused: undefined },
    'write',
    { ended: 'grant_revoked', refreshToken: undefined, pending: undefined },
  ],
  [
    'a dead grant drops the access token that was refused [R9]',
    { type: 'ended', epoch: 3, sent: 'rt-1', reason: 'rotation_lost', refused: 'at-old' },
    'write',
    { ended: 'rotation_lost', refreshToken: undefined, pending: undefined, tokens: [held('at-other', 'other')] },
  ],
  [
    'a refusal of a refresh token that was replaced meanwhile ends nothing [R9, complaint 3]',
    { type: 'ended', epoch: 3, sent: 'rt-0', reason: 'grant_revoked', refused: undefined },
    'adopt',
    {},
  ],
  ['a refusal of an older epoch ends nothing [R26]', { type: 'ended', epoch: 2, sent: 'rt-1', reason: 'grant_revoked', refused: undefined }, 'drop', {}],
  ['a sign-out leaves a tombstone with the next epoch [R26]', { type: 'cleared', reason: 'cleared' }, 'write', { ...emptyRecord, epoch: 4, ended: 'cleared' }],
];

describe('commit', () => {
  it.each(rows)('%s', (_what, outcome, result, changes) => {
    const step = commit(record, outcome);
    expect(step.do).toBe(result);
    // Token objects hide what they hold from a comparison; values are compared beside them.
    if (step.do === 'write') {
      expect(step.record).toEqual({ ...record, ...changes });
      expect(step.record.tokens.map((entry) => entry.token.value)).toEqual((changes.tokens ?? record.tokens).map((entry) => entry.token.value));
    }
  });

  it('keeps at most 20 access tokens in a record, the latest first', () => {
    let step: GrantRecord = { ...record, tokens: [] };
    for (let target = 0; target < 25; target++) {
      const next = commit(step, { ...renewed, sent: step.refreshToken, held: held(`at-${target}`, `target-${target}`) });
      if (next.do === 'write') step = next.record;
    }
    expect(step.tokens.map((entry) => entry.token.value)).toEqual(Array.from({ length: 20 }, (_, index) => `at-${24 - index}`));
  });

  it('lets a token that is older than the stored one give way, where there is no refresh token [X19]', () => {
    const plain = { ...record, refreshToken: undefined };
    const older = { ...renewed, sent: undefined, refreshToken: undefined, held: { ...fresh, mono: sent.mono - 1 } };
    expect(commit(plain, older)).toEqual({ do: 'adopt' });
    expect(commit(plain, { ...older, held: fresh })).toMatchObject({ do: 'write' });
    expect(commit(plain, { ...older, held: { ...older.held, targetKey: 'another' } })).toMatchObject({ do: 'write' });
  });

  it('changes nothing in the record that it is given', () => {
    const before = structuredClone({ ...record, tokens: record.tokens.map((entry) => entry.targetKey) });
    commit(Object.freeze(record), renewed);
    commit(record, { type: 'cleared', reason: 'revoked' });
    expect({ ...record, tokens: record.tokens.map((entry) => entry.targetKey) }).toEqual(before);
  });
});
