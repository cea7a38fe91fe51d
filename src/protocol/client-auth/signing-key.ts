import type { JWK } from 'jose';
import { invalidOption } from '../../core/check-option.js';
import { decodePem } from './certificate.js';
import { keyAlgorithm } from '../key-algorithm.js';
import { loadJoseKeys } from '../load-jose.js';

/** How assertions are signed (RFC 7518 §3.1, RFC 8037, RFC 9864): never `none`, never with a shared secret. */
export type AssertionAlgorithm = 'RS256' | 'PS256' | 'ES256' | 'EdDSA' | 'Ed25519';

/** A private key: PKCS #8 in PEM without a password ("BEGIN PRIVATE KEY"), a JWK (RFC 7517), or one of Web Crypto. */
export type PrivateKey = string | JWK | CryptoKey;

const algorithms: readonly unknown[] = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'] satisfies readonly AssertionAlgorithm[];
const ed25519: readonly AssertionAlgorithm[] = ['EdDSA', 'Ed25519'];
const usable = 'a private key for RS256 or PS256 (2048 bits or more), ES256 or EdDSA: PKCS #8 in PEM, a JWK or a CryptoKey that can sign';

export function checkAssertionAlgorithm(alg: unknown): void {
  if (alg !== undefined && !algorithms.includes(alg)) throw invalidOption('alg', algorithms.join(', '), alg);
}

/** The algorithm to sign with, as far as the key shows it without being imported. */
export function checkPrivateKey(option: string, key: unknown, wanted: AssertionAlgorithm | undefined): AssertionAlgorithm {
  const able = typeof key === 'string' ? ofPem(option, key) : isCryptoKey(key) ? ofCryptoKey(key) : ofJwk(key);
  const [own] = able;
  if (own === undefined) throw invalidOption(option, usable, key);
  const alg = wanted ?? own;
  if (!able.includes(alg)) throw invalidOption('alg', `${able.join(' or ')}, since that is what the key is for`, alg);
  return alg;
}

/** A key that signs and cannot be taken out of the runtime's crypto again. The key has been checked. */
export async function importPrivateKey(option: string, key: PrivateKey, alg: AssertionAlgorithm): Promise<CryptoKey> {
  if (isCryptoKey(key)) return key;
  try {
    const { importJWK, importPKCS8 } = await loadJoseKeys();
    const options = { extractable: false };
    const imported = typeof key === 'string' ? await importPKCS8(pemOf(key) ?? '', alg, options) : await importJWK(key, alg, options);
    if (isCryptoKey(imported) && ofCryptoKey(imported).length > 0) return imported;
  } catch {
    // What others say of a private key may quote it.
  }
  throw invalidOption(option, usable, key);
}

/** Tells one key from another without looking into what cannot be looked into. */
export function identityOf(key: PrivateKey): string | CryptoKey {
  return typeof key === 'string' || isCryptoKey(key) ? key : JSON.stringify(key);
}

function isCryptoKey(value: unknown): value is CryptoKey {
  const { type, usages, algorithm } = Object(value);
  return typeof type === 'string' && Array.isArray(usages) && typeof algorithm === 'object';
}

function ofCryptoKey(key: CryptoKey): readonly AssertionAlgorithm[] {
  const own = key.type === 'private' && key.usages.includes('sign') ? keyAlgorithm(key) : undefined;
  return own === 'EdDSA' ? ed25519 : own ? [own] : [];
}

function ofJwk(jwk: unknown): readonly AssertionAlgorithm[] {
  const { kty, crv, d, n, alg } = Object(jwk);
  if (typeof d !== 'string' || !d) return [];
  const able = kty === 'EC' && crv === 'P-256' ? (['ES256'] as const) : kty === 'OKP' && crv === 'Ed25519' ? ed25519 : kty === 'RSA' ? ofRsa(n) : [];
  return able.filter((each) => alg === undefined || alg === each || (kty === 'OKP' && ed25519.includes(alg)));
}

// 2048 bits are 342 characters.
function ofRsa(modulus: unknown): readonly AssertionAlgorithm[] {
  return typeof modulus === 'string' && modulus.length >= 342 ? ['RS256', 'PS256'] : [];
}

function ofPem(option: string, text: string): readonly AssertionAlgorithm[] {
  const pem = pemOf(text);
  const label = /-----BEGIN ((?:[A-Z]{2,9} )?(?:ENCRYPTED |PRIVATE |PUBLIC )?(?:KEY|CERTIFICATE|PARAMETERS))-----/.exec(text)?.[1];
  if (pem === undefined)
    throw invalidOption(
      option,
      `PKCS #8 in PEM without a password ("BEGIN PRIVATE KEY")${label && label !== 'PRIVATE KEY' ? `, not "BEGIN ${label}"` : ''}`,
      text,
    );
  // The object identifiers of RFC 5280 and RFC 8410 stand at the beginning of the structure.
  const start = Array.from(decodePem(pem.replace(/-----[^-]+-----/g, '')).slice(0, 48), (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (start.includes('06092a864886f70d010101')) return ['RS256', 'PS256'];
  if (start.includes('06072a8648ce3d020106082a8648ce3d030107')) return ['ES256'];
  return start.includes('06032b6570') ? ed25519 : [];
}

// Without what stands around it, and with line ends as line ends.
function pemOf(text: string): string | undefined {
  const [, body] = /-----BEGIN PRIVATE KEY-----((?:[\w+/=\s]|\\[nr])+)-----END PRIVATE KEY-----/.exec(text) ?? [];
  const base64 = body?.replace(/\s|\\[nr]/g, '');
  return base64 && base64.length % 4 === 0 && /^[A-Za-z\d+/]+={0,2}$/.test(base64)
    ? `-----BEGIN PRIVATE KEY-----\n${base64}\n-----END PRIVATE KEY-----`
    : undefined;
}
