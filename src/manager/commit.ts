import type { EndReason, GrantRecord, HeldToken, PendingRotation } from './state.js';

/** Something that happened and is to be written into a grant's record. */
export type Outcome =
  /** A refresh token is about to be sent. */
  | { readonly type: 'sending'; readonly epoch: number; readonly sent: string | undefined; readonly pending: PendingRotation }
  /** The server answered, though not with tokens: nothing rotated. */
  | { readonly type: 'answered'; readonly epoch: number; readonly sent: string | undefined }
  /** The server answered with tokens. */
  | {
      readonly type: 'renewed';
      readonly epoch: number;
      readonly sent: string | undefined;
      readonly held: HeldToken;
      readonly refreshToken: string | undefined;
      readonly idToken: string | undefined;
      readonly raw: Readonly<Record<string, unknown>> | undefined;
    }
  /** The server refused the refresh token for good. `refused`: an access token that a resource server refused too. */
  | { readonly type: 'ended'; readonly epoch: number; readonly sent: string | undefined; readonly reason: EndReason; readonly refused: string | undefined }
  /** The user signed out, or the application forgot the grant. */
  | { readonly type: 'cleared'; readonly reason: EndReason | undefined };

/** What becomes of an outcome: the record to write; the stored one is newer, take that; or the session is another one, drop it. */
export type Commit = { readonly do: 'write'; readonly record: GrantRecord } | { readonly do: 'adopt' } | { readonly do: 'drop' };

const tokensPerRecord = 20;

/**
 * Applies an outcome to a record, as it is now in the store. Pure, so that a lost compare-and-swap simply applies it
 * again to what was found. (`standards.md` R6, R9, R26)
 */
export function commit(record: GrantRecord, outcome: Outcome): Commit {
  if (outcome.type === 'cleared') {
    const cleared: GrantRecord = {
      epoch: record.epoch + 1,
      ended: outcome.reason,
      refreshToken: undefined,
      idToken: undefined,
      raw: undefined,
      pending: undefined,
      tokens: [],
    };
    return { do: 'write', record: cleared };
  }
  if (record.epoch !== outcome.epoch) return { do: 'drop' };
  if (record.refreshToken !== outcome.sent) return { do: 'adopt' };
  if (outcome.type === 'sending') return { do: 'write', record: { ...record, pending: outcome.pending } };
  if (outcome.type === 'answered') return { do: 'write', record: { ...record, pending: undefined } };
  if (outcome.type === 'ended') {
    const tokens = record.tokens.filter((held) => held.token.value !== outcome.refused);
    return { do: 'write', record: { ...record, ended: outcome.reason, refreshToken: undefined, pending: undefined, tokens } };
  }
  const others = record.tokens.filter((held) => held.targetKey !== outcome.held.targetKey);
  return {
    do: 'write',
    record: {
      epoch: record.epoch,
      ended: undefined,
      // An answer without a refresh token means: keep the one you have (RFC 6749 §6).
      refreshToken: outcome.refreshToken ?? record.refreshToken,
      idToken: outcome.idToken ?? record.idToken,
      raw: outcome.raw ?? record.raw,
      pending: undefined,
      tokens: [outcome.held, ...others.slice(0, tokensPerRecord - 1)],
    },
  };
}
