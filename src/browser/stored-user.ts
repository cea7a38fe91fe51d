import type { Clock } from '../core/clock.js';
import { readClaims } from '../core/read-claims.js';
import { type GrantRecord, isUsable } from '../manager/state.js';
import type { IdTokenClaims } from '../protocol/authorization/id-token.js';

/** Who a record says is signed in. Its ID token was validated when it came. */
export function storedUser({ idToken = '' }: GrantRecord): IdTokenClaims | undefined {
  const claims = readClaims(idToken);
  return claims && isIdentified(claims) ? Object.freeze(claims) : undefined;
}

function isIdentified(claims: object): claims is IdTokenClaims {
  return 'sub' in claims && typeof claims.sub === 'string';
}

/** Whether a record gives, or can get, an access token. */
export function isSignedIn({ ended, refreshToken, tokens }: GrantRecord, clock: Clock): boolean {
  return ended === undefined && (refreshToken !== undefined || tokens.some((held) => isUsable(held, clock)));
}
