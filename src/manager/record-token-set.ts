import type { TokenSet } from '../core/token-set.js';
import type { GrantRecord, HeldToken } from './state.js';

/** One of a record's tokens as grants know it; undefined when there is neither a token nor a refresh token. */
export function toTokenSet({ refreshToken, idToken, raw }: Omit<GrantRecord, 'tokens'>, held: HeldToken | undefined): TokenSet | undefined {
  if (held === undefined && refreshToken === undefined) return undefined;
  return {
    accessToken: held?.token.value ?? '',
    tokenType: held?.token.type ?? 'Bearer',
    sentAt: held?.wall ?? 0,
    lifetimeMs: held?.lifetimeMs,
    scope: held?.token.scope ?? [],
    refreshToken,
    idToken,
    raw,
  };
}
