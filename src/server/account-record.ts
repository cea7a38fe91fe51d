import { TokenError } from '../core/errors.js';
import { readClaims } from '../core/read-claims.js';
import type { TokenSet } from '../core/token-set.js';
import type { KeptTokens } from '../manager/kept-tokens.js';
import type { GrantRecord } from '../manager/state.js';
import type { AccountSetup } from './account-setup.js';

// Among the members of the server's answers, under a name that no server uses.
const subjectName = 'tokenkeep:subject';

type Members = Readonly<Record<string, unknown>>;

/** Who connected an account, as its record tells; undefined where nobody said. */
export function subjectOf({ raw, idToken }: Pick<GrantRecord, 'raw' | 'idToken'>, { subjectMember }: Pick<AccountSetup, 'subjectMember'>): string | undefined {
  const named = [raw?.[subjectName], subjectMember === undefined ? undefined : raw?.[subjectMember], readClaims(idToken ?? '')?.sub];
  const subject = named.find((each) => typeof each === 'string' || typeof each === 'number');
  return subject === undefined ? undefined : String(subject);
}

/** The tokens of a connection, with who made it: a renewal need not repeat that. */
export function withSubject(tokens: TokenSet, subject: string | undefined): TokenSet {
  return subject === undefined ? tokens : Object.freeze({ ...tokens, raw: { ...tokens.raw, [subjectName]: subject } });
}

/** What the application gets to see of the members of a response. */
export function visible(raw: Members | undefined, { rawMembers }: Pick<AccountSetup, 'rawMembers'>): Members {
  return Object.freeze(Object.fromEntries(Object.entries(raw ?? {}).filter(([name]) => rawMembers.includes(name))));
}

/** Whether a connection by this subject must not replace a record: an account stays with whom it was connected for. (`standards.md` A32) */
export function isOfAnother(record: GrantRecord, subject: string | undefined, setup: Pick<AccountSetup, 'subjectMember'>): boolean {
  const known = subjectOf(record, setup);
  return known !== undefined && known !== subject;
}

export function subjectMismatch(): TokenError {
  return new TokenError('subject_mismatch', 'somebody else connected this account; disconnect it first, or sign in as the same user', {
    phase: 'authorization',
  });
}

/** An account's record as the store has it, or else as memory knows it. @throws {TokenError} `store_unavailable` when neither says anything */
export async function readAccount(kept: KeptTokens): Promise<GrantRecord> {
  await kept.read().catch((error: unknown) => {
    if (isUnknown(kept.record())) throw error;
  });
  return kept.record();
}

/** Nothing was ever kept under this name. */
export function isUnknown({ epoch, refreshToken, tokens }: GrantRecord): boolean {
  return epoch === 0 && refreshToken === undefined && tokens.length === 0;
}
