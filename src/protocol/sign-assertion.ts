import { importJWK, importPKCS8, type JWK, type JWTPayload, SignJWT } from 'jose';
import { invalidOption } from '../core/check-option.js';
import { isTokenError, TokenError } from '../core/errors.js';
import { randomId } from '../core/random.js';

/**
 * The one signer of JWT assertions: of clients (`private_key_jwt`, RFC 7523 §2.2) and of grants (RFC 7523 §2.1). It reads
 * the key, and makes the header and the dates; which claims there are is up to its user.
 */

/** Signature algorithms that assertions may have: asymmetric ones alone. (`standards.md` P9) */
export type AssertionAlgorithm = (typeof algorithms)[number];

/** A private key: PKCS #8 in PEM, a JWK (RFC 7517), or a key of Web Crypto that may sign. */
export type PrivateKey = string | JWK | CryptoKey;

/** A private key, or a function that is asked for it at every signature, so that rotation needs no restart. */
export type AssertionKey = PrivateKey | (() => PrivateKey | Promise<PrivateKey>);

/** What is known of a key beside itself. */
export interface AssertionKeyOptions {
  /** Needed for a key in PEM and for an RSA key in a JWK without `alg`; any other says itself what it is for. */
  readonly alg?: AssertionAlgorithm | undefined;
  /** Which of the registered keys it is (RFC 7515 §4.1.4). @default the JWK's own */
  readonly kid?: string | undefined;
}

/** What one assertion says. */
export interface Assertion {
  readonly claims: JWTPayload;
  /** Header parameters beside `alg` and `kid`: `typ`, `x5t`, `x5t#S256`. */
  readonly header?: Readonly<Record<string, string>> | undefined;
  /** Epoch milliseconds by the server's clock. */
  readonly now: number;
  readonly lifetimeMs: number;
}

/** Signs one assertion, with a `jti` of its own. */
export type SignAssertion = (assertion: Assertion) => Promise<string>;

const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'] as const;
const expectedKey = 'a private key: PKCS #8 in PEM, a JWK with "d", or a CryptoKey that may sign';
const expectedAlg = algorithms.join(', ');

interface ReadyKey {
  readonly alg: AssertionAlgorithm;
  readonly kid: string | undefined;
  readonly key: CryptoKey | Uint8Array;
}

/**
 * A signer with a key. The key is read once, or with a function at every signature, and imported again only when it is
 * another one. `option`: how messages call it.
 * @throws {TokenError} `invalid_option`
 */
export function assertionSigner(option: string, key: AssertionKey, { alg, kid }: AssertionKeyOptions): SignAssertion {
  if (alg !== undefined && !isAlgorithm(alg)) throw invalidOption('alg', expectedAlg, alg);
  if (kid !== undefined && (typeof kid !== 'string' || kid === '')) throw invalidOption('kid', 'a string that is not empty', kid);
  const read = typeof key === 'function' ? () => ask(key) : () => key;
  if (typeof key !== 'function') checkKey(option, key, alg);
  let last: { readonly source: PrivateKey; readonly ready: Promise<ReadyKey> } | undefined;
  return async ({ claims, header, now, lifetimeMs }) => {
    const source = await read();
    if (last?.source !== source) last = { source, ready: importKey(option, source, alg) };
    const used = await last.ready;
    const name = kid ?? used.kid;
    const at = Math.floor(now / 1000);
    return new SignJWT({ jti: randomId(), ...claims, iat: at, exp: at + Math.floor(lifetimeMs / 1000) })
      .setProtectedHeader({ alg: used.alg, ...(name !== undefined && { kid: name }), ...header })
      .sign(used.key);
  };
}

async function ask(key: () => PrivateKey | Promise<PrivateKey>): Promise<PrivateKey> {
  try {
    return await key();
  } catch (error) {
    if (isTokenError(error)) throw error;
    // The foreign error may hold the key or the way to it: only the fact is told.
    throw new TokenError('grant_failed', 'the function that gives the private key failed', { phase: 'token' });
  }
}

// What can be said of a key before it is imported; answers with its algorithm.
function checkKey(option: string, key: unknown, alg: AssertionAlgorithm | undefined): AssertionAlgorithm {
  const isPem = typeof key === 'string' && /^\s*-----BEGIN PRIVATE KEY-----\s/.test(key);
  const own = isCryptoKey(key) ? algorithmOfKey(key) : isPrivateJwk(key) ? algorithmOfJwk(key) : undefined;
  if (!isPem && !isCryptoKey(key) && !isPrivateJwk(key)) throw invalidOption(option, expectedKey, key);
  const chosen = alg ?? own;
  if (!isAlgorithm(chosen)) throw invalidOption('alg', `one of ${expectedAlg}, where the key does not say itself what it is for`, alg ?? own);
  return chosen;
}

async function importKey(option: string, source: PrivateKey, wanted: AssertionAlgorithm | undefined): Promise<ReadyKey> {
  const alg = checkKey(option, source, wanted);
  try {
    if (typeof source === 'string') return { alg, kid: undefined, key: await importPKCS8(source, alg) };
    return isCryptoKey(source) ? { alg, kid: undefined, key: source } : { alg, kid: source.kid, key: await importJWK({ ...source, alg }, alg) };
  } catch {
    // What the library says of a broken key may quote it.
    throw invalidOption(option, `${expectedKey}, for ${alg}`, source);
  }
}

function isAlgorithm(value: unknown): value is AssertionAlgorithm {
  return algorithms.some((name) => name === value);
}

function isPrivateJwk(value: unknown): value is JWK {
  return typeof value === 'object' && value !== null && 'kty' in value && 'd' in value;
}

function isCryptoKey(value: unknown): value is CryptoKey {
  return Object.prototype.toString.call(value) === '[object CryptoKey]' && Reflect.get(Object(value), 'type') === 'private';
}

const algorithmNames: Readonly<Record<string, string>> = {
  'EC P-256': 'ES256',
  'OKP Ed25519': 'EdDSA',
  'RSASSA-PKCS1-v1_5 SHA-256': 'RS256',
  'RSA-PSS SHA-256': 'PS256',
  'ECDSA P-256': 'ES256',
  Ed25519: 'EdDSA',
};

function algorithmOfJwk({ alg, kty, crv }: JWK): string | undefined {
  return alg === 'Ed25519' ? 'EdDSA' : (alg ?? algorithmNames[`${kty} ${crv}`]);
}

function algorithmOfKey({ algorithm }: CryptoKey): string | undefined {
  const details = ['hash', 'namedCurve'].map((name) => Reflect.get(algorithm, name)).map((value) => Reflect.get(Object(value), 'name') ?? value);
  const name = [algorithm.name, ...details].filter((part) => typeof part === 'string').join(' ');
  return algorithmNames[name];
}
