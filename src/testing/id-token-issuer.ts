import { base64url, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { SignInKnobs } from './sign-in-knobs.js';

/** Who signed in, and for which request. */
export interface FakeSignIn {
  readonly user: string;
  readonly nonce: string | undefined;
  /** Epoch milliseconds by the server's clock. */
  readonly authTime: number;
}

/** What an ID token is made from. */
export interface IdTokenFacts extends FakeSignIn {
  readonly issuer: string;
  readonly clientId: string;
  readonly accessToken: string;
  /** Epoch milliseconds as the server believes. */
  readonly now: number;
}

type Pair = Awaited<ReturnType<typeof generateKeyPair>>;

// An RSA key takes its time: servers of one process with keys of one name share them.
const pairs = new Map<string, Promise<Pair>>();

function pairOf(alg: string, kid: string): Promise<Pair> {
  const name = `${alg} ${kid}`;
  const pair = pairs.get(name) ?? generateKeyPair(alg, { extractable: true });
  pairs.set(name, pair);
  return pair;
}

/** The keys that the server publishes (RFC 7517). */
export async function publishedKeys(knobs: SignInKnobs): Promise<readonly JWK[]> {
  const { idTokenAlgorithm: alg, signingKey: kid } = knobs;
  return [{ ...(await exportJWK((await pairOf(alg, kid)).publicKey)), alg, kid, use: 'sig' }];
}

/** An ID token (OIDC Core §2), good or as bad as the knobs want it. */
export async function issueIdToken(facts: IdTokenFacts, knobs: SignInKnobs): Promise<string> {
  const { issuer, clientId, user, nonce, authTime, now, accessToken } = facts;
  const iat = Math.floor(now / 1000);
  const digest = new Uint8Array(await crypto.subtle.digest(knobs.idTokenAlgorithm === 'EdDSA' ? 'SHA-512' : 'SHA-256', new TextEncoder().encode(accessToken)));
  const claims = {
    iss: issuer,
    sub: user,
    aud: clientId,
    exp: iat + 300,
    iat,
    auth_time: Math.floor(authTime / 1000),
    nonce,
    at_hash: base64url.encode(digest.slice(0, digest.length / 2)),
    ...knobs.idTokenClaims,
  };
  return signClaims(claims, knobs);
}

/** Signs as ID tokens are signed. */
export async function signClaims(claims: Readonly<Record<string, unknown>>, knobs: SignInKnobs): Promise<string> {
  const { idTokenAlgorithm: alg, signingKey: kid, idTokenSignature } = knobs;
  const payload = JSON.parse(JSON.stringify(claims));
  if (idTokenSignature === 'none') return `${encode({ alg: 'none', ...knobs.idTokenHeader })}.${encode(payload)}.`;
  const { privateKey } = await pairOf(alg, idTokenSignature === 'forged' ? `not ${kid}` : kid);
  const header = JSON.parse(JSON.stringify({ alg, kid, ...knobs.idTokenHeader }));
  return new SignJWT(payload).setProtectedHeader(header).sign(privateKey);
}

function encode(part: unknown): string {
  return base64url.encode(new TextEncoder().encode(JSON.stringify(part)));
}
