import type { TokenSet } from '../core/token-set.js';
import type { GrantRecord, HeldToken } from './state.js';

type Renewable = Pick<GrantRecord, 'refreshToken' | 'idToken' | 'raw' | 'tokens'>;

/** One of a record's tokens as grants know it; undefined when there is neither a token nor a refresh token. */
export function toTokenSet(record: Renewable, held: HeldToken | undefined): TokenSet | undefined {
  return held === undefined && record.refreshToken === undefined ? undefined : tokenSet(record, held);
}

/**
 * All that a revocation has to name, each once; nothing of grants that have ended. A set may have no token where nothing
 * is known: the grant itself may hold one.
 */
export function toTokenSets(records: readonly GrantRecord[]): readonly TokenSet[] {
  const sets = records
    .filter((record) => record.ended === undefined)
    .flatMap((record) => [tokenSet(record, record.tokens[0]), ...record.tokens.slice(1).map((held) => tokenSet({ ...record, refreshToken: '' }, held))]);
  const known = sets.filter((set) => set.accessToken !== '' || set.refreshToken !== undefined);
  return known.length > 0 ? [...new Map(known.map((set) => [`${set.refreshToken} ${set.accessToken}`, set])).values()] : sets.slice(0, 1);
}

function tokenSet({ refreshToken, idToken, raw, tokens }: Renewable, held: HeldToken | undefined): TokenSet {
  return {
    accessToken: held?.token.value ?? '',
    tokenType: held?.token.type ?? 'Bearer',
    // Of a refresh token alone: as far as is known when that came.
    sentAt: (held ?? tokens[0])?.wall ?? 0,
    lifetimeMs: held?.lifetimeMs,
    scope: held?.token.scope ?? [],
    refreshToken,
    idToken,
    raw,
  };
}
