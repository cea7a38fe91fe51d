import { type EndReason, emptyRecord, type GrantRecord, type HeldToken, type PendingRotation } from './state.js';

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
  /** Somebody signed in: nothing of the grant before stays. */
  | {
      readonly type: 'signedIn';
      /** Undefined: it brought a refresh token alone. */
      readonly held: HeldToken | undefined;
      readonly refreshToken: string | undefined;
      readonly idToken: string | undefined;
      readonly raw: Readonly<Record<string, unknown>> | undefined;
      /** True for a record that it must not replace. */
      readonly refuses?: ((record: GrantRecord) => boolean) | undefined;
      /** Epoch of the record that it replaced, where the store never got it. */
      readonly replaced?: number | undefined;
    }
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
  const { epoch, refreshToken, idToken, raw, tokens } = record;
  if (outcome.type === 'cleared') return { do: 'write', record: { ...emptyRecord, epoch: epoch + 1, ended: outcome.reason } };
  if (outcome.type === 'signedIn') {
    const { held, refreshToken, idToken, raw, refuses, replaced = epoch } = outcome;
    // Who has signed in or out elsewhere since is the last.
    if (refuses?.(record) === true || replaced !== epoch) return { do: 'drop' };
    return { do: 'write', record: { ...emptyRecord, epoch: epoch + 1, refreshToken, idToken, raw, tokens: held ? [held] : [] } };
  }
  if (epoch !== outcome.epoch) return { do: 'drop' };
  if (refreshToken !== outcome.sent) return { do: 'adopt' };
  const write = (changes: Partial<GrantRecord>): Commit => ({ do: 'write', record: { ...record, pending: undefined, ...changes } });
  if (outcome.type === 'sending') return write({ pending: outcome.pending });
  if (outcome.type === 'answered') return write({});
  if (outcome.type === 'ended')
    return write({ ended: outcome.reason, refreshToken: undefined, tokens: tokens.filter(({ token }) => token.value !== outcome.refused) });
  const { held } = outcome;
  // What a store that was down never got is older than what others have put there since.
  if (!(refreshToken ?? outcome.refreshToken) && tokens.some(({ targetKey, mono }) => targetKey === held.targetKey && mono > held.mono)) return { do: 'adopt' };
  return write({
    ended: undefined,
    // An answer without a refresh token means: keep the one you have (RFC 6749 §6).
    refreshToken: outcome.refreshToken ?? refreshToken,
    idToken: outcome.idToken ?? idToken,
    // Nor need it repeat who connected, or where the API is.
    raw: outcome.raw ? { ...raw, ...outcome.raw } : raw,
    tokens: [held, ...tokens.filter(({ targetKey }) => targetKey !== held.targetKey).slice(0, tokensPerRecord - 1)],
  });
}
