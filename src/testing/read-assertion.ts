import { importJWK, type JWK, type JWTPayload, jwtVerify } from 'jose';
import { readClaims } from '../core/read-claims.js';

/** Public keys of those who sign assertions, by the `iss` that they sign as. */
export type AssertionIssuers = Readonly<Record<string, JWK | CryptoKey>>;

export interface AssertionRules {
  /** One of these must be the audience, and the only one. */
  readonly audiences: readonly string[];
  /** Undefined: signatures are not verified, and everybody may sign. */
  readonly issuers: AssertionIssuers | undefined;
  /** Epoch milliseconds. */
  readonly now: number;
  readonly leewayMs: number;
  readonly longestMs: number;
  /** The `jti` of what was taken before. */
  readonly seen: Set<string>;
}

/** The claims of an assertion by the rules of RFC 7523 §3, or what is wrong with it. */
export async function readAssertion(assertion: string, rules: AssertionRules): Promise<JWTPayload | string> {
  const claims = readClaims(assertion);
  if (claims === undefined) return 'the assertion is no JWT';
  const { iss, aud, exp, iat, jti } = claims;
  const { now, leewayMs, longestMs, issuers, seen } = rules;
  if (typeof iss !== 'string') return 'iss is missing';
  if (typeof aud !== 'string' || !rules.audiences.includes(aud)) return 'aud is somebody else';
  if (typeof exp !== 'number' || exp * 1000 <= now - leewayMs) return 'the assertion has expired';
  if (iat !== undefined && iat * 1000 > now + leewayMs) return 'the assertion comes from the future';
  if (exp * 1000 - (iat === undefined ? now : iat * 1000) > longestMs) return 'the assertion lives too long';
  if (jti !== undefined && seen.has(jti)) return 'the assertion was used before';
  if (issuers !== undefined && !(await isSignedBy(issuers[iss], assertion, now))) return 'the signature is wrong';
  if (jti !== undefined) seen.add(jti);
  return claims;
}

async function isSignedBy(key: JWK | CryptoKey | undefined, assertion: string, now: number): Promise<boolean> {
  if (key === undefined) return false;
  try {
    const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'];
    // The dates have been looked at, by the server's own clock.
    const options = { algorithms, currentDate: new Date(now), clockTolerance: '1 day' };
    await jwtVerify(assertion, 'kty' in key ? await importJWK(key, key.alg ?? readAlgorithm(assertion)) : key, options);
    return true;
  } catch {
    return false;
  }
}

function readAlgorithm(assertion: string): string {
  return String(readClaims(`.${assertion.split('.')[0]}.`)?.['alg']);
}
