import type { Cipher } from '../core/cipher.js';
import { TokenError } from '../core/errors.js';
import type { Grant } from '../core/grant.js';
import type { TokenSet } from '../core/token-set.js';

/** A grant whose refresh tokens are sealed wherever the manager and its record see them. */
export interface SealedGrant extends Grant {
  seal(tokens: TokenSet): Promise<TokenSet>;
}

/**
 * Opens a refresh token only to spend or revoke it, and seals the one that comes back: what reads the record holds none. A seal that
 * does not open any more is a lost key.
 */
export function sealedGrant(grant: Grant, cipher: Cipher, context: string): SealedGrant {
  const seal = async (tokens: TokenSet): Promise<TokenSet> =>
    tokens.refreshToken === undefined ? tokens : Object.freeze({ ...tokens, refreshToken: await cipher.encrypt(tokens.refreshToken, context) });
  const open = async (tokens: TokenSet): Promise<TokenSet> => {
    if (tokens.refreshToken === undefined) return tokens;
    const refreshToken = await cipher.decrypt(tokens.refreshToken, context);
    if (refreshToken === undefined) throw new TokenError('key_lost', 'the key that the refresh token was sealed with is gone', { phase: 'store' });
    return Object.freeze({ ...tokens, refreshToken });
  };
  const { revoke } = grant;
  return {
    ...grant,
    seal,
    request: async (current, given) => seal(await grant.request(current && (await open(current)), given)),
    ...(revoke && { revoke: async (tokens, given) => revoke(await open(tokens), given) }),
  };
}
