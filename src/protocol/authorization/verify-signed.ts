import type { errors, JWTPayload, JWTVerifyGetKey, JWTVerifyOptions, JWTVerifyResult } from 'jose';
import type { GrantContext } from '../../core/grant.js';
import type { AuthorizationServer } from '../issuer/authorization-server.js';
import { loadJose } from '../load-jose.js';
import { signingKeys } from './signing-keys.js';

/** What a JWT of the server has to fit beside its signature. */
export interface SignedExpectation {
  /** Epoch milliseconds by the server's clock. */
  readonly nowMs: number;
  readonly audience?: string;
  readonly required?: string[];
  /** How long ago it may have been made, in seconds. */
  readonly maxAgeS?: number;
}

/** What a JWT says, verified, and how it was signed. */
export interface SignedClaims {
  readonly claims: JWTPayload;
  readonly alg: string;
}

// `standards.md` A22.
const toleranceS = 30;

/**
 * Verifies a JWT that the server signed: an allowed algorithm, a key of its metadata, issuer and dates. `jku`, `x5u` and
 * `jwk` headers choose nothing. With `idTokenSignature: 'tls'` the channel that it came through vouches for it instead.
 * (RFC 8725 §3; `standards.md` A22 to A24)
 * @throws what jose throws for a JWT that does not fit; {TokenError} where the keys cannot be had.
 */
export async function verifySigned(server: AuthorizationServer, jwt: string, expected: SignedExpectation, context: GrantContext): Promise<SignedClaims> {
  const { preset, auth, issuer } = server;
  const algorithms = [...(preset.idTokenAlgorithms ?? ['RS256'])];
  const { nowMs, audience, required, maxAgeS } = expected;
  const options: JWTVerifyOptions = {
    algorithms,
    issuer,
    currentDate: new Date(nowMs),
    clockTolerance: toleranceS,
    ...(audience !== undefined && { audience }),
    ...(required && { requiredClaims: required }),
    ...(maxAgeS !== undefined && { maxTokenAge: maxAgeS }),
  };
  if (preset.idTokenSignature === 'tls') {
    const { decodeProtectedHeader, UnsecuredJWT } = await loadJose();
    const { alg = '' } = decodeProtectedHeader(jwt);
    // Made with the client's own secret, which a public client has not.
    if (!algorithms.includes(alg) && !(auth.method !== 'none' && /^HS(256|384|512)$/.test(alg))) throw refusal('ERR_JOSE_ALG_NOT_ALLOWED');
    const { payload } = UnsecuredJWT.decode(`${noSignature}.${jwt.split('.')[1]}.`, options);
    return { claims: payload, alg };
  }
  const keys = signingKeys(server);
  const verify = async (getKey: JWTVerifyGetKey): Promise<SignedClaims> => {
    const { payload, protectedHeader } = await verifyWithAny(jwt, getKey, options);
    return { claims: payload, alg: protectedHeader.alg };
  };
  const first = await keys.get(context);
  try {
    return await verify(first);
  } catch (error) {
    if (codeOf(error) !== 'ERR_JWKS_NO_MATCHING_KEY') throw error;
    // The server may have a new key. One fetch for that, however many unknown ones are named.
    return verify(await keys.get(context, true));
  }
}

// {"alg":"none"}: lets jose look at claims alone.
const noSignature = 'eyJhbGciOiJub25lIn0';

const wrongSignature = 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED';

// Without a `kid` any key of the right kind may be meant.
async function verifyWithAny(jwt: string, getKey: JWTVerifyGetKey, options: JWTVerifyOptions): Promise<JWTVerifyResult> {
  const { jwtVerify } = await loadJose();
  try {
    return await jwtVerify(jwt, getKey, options);
  } catch (error) {
    if (!matchesSeveral(error)) throw error;
    for await (const key of error) {
      try {
        return await jwtVerify(jwt, key, options);
      } catch (failed) {
        if (codeOf(failed) !== wrongSignature) throw failed;
      }
    }
    throw refusal(wrongSignature);
  }
}

const claimNames = /^(iss|sub|aud|exp|iat|nbf)$/;

/** What is wrong with a JWT, in words that hold nothing of it; undefined for an error that is not jose's. */
export function describeRefusal(error: unknown): string | undefined {
  const code = codeOf(error);
  if (code === undefined) return error instanceof TypeError ? 'it cannot be read' : undefined;
  const claim: unknown = Reflect.get(Object(error), 'claim');
  if (typeof claim === 'string' && claimNames.test(claim)) return `its "${claim}" is missing or not as it has to be`;
  if (code === 'ERR_JOSE_ALG_NOT_ALLOWED') return 'its algorithm is not an allowed one; preset.idTokenAlgorithms names them';
  if (code === 'ERR_JWKS_NO_MATCHING_KEY') return 'the server publishes no key that fits it';
  if (code === wrongSignature) return 'its signature is wrong';
  return 'it cannot be read';
}

// An error as jose makes them: its classes weigh more than their codes.
function refusal(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function matchesSeveral(error: unknown): error is errors.JWKSMultipleMatchingKeys {
  return codeOf(error) === 'ERR_JWKS_MULTIPLE_MATCHING_KEYS';
}

// What an error of jose's calls itself.
function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' && /^ERR_J/.test(code) ? code : undefined;
}
