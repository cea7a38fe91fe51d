import type { JWK } from 'jose';
import { checkString } from '../../core/check-option.js';
import { askFor } from '../wire/ask-for.js';
import { readCertificate, thumbprintOf } from './certificate.js';
import { type AssertionAlgorithm, checkAssertionAlgorithm, checkPrivateKey, identityOf, importPrivateKey, type PrivateKey } from './signing-key.js';

/** What the server knows a key by. */
export interface PrivateKeyNames {
  /** @default the key's own: its JWK's `alg` or its type, and RS256 for RSA */
  readonly alg?: AssertionAlgorithm | undefined;
  /** The key's id at the server (RFC 7515 §4.1.4). @default that of its JWK */
  readonly kid?: string | undefined;
  /** The key's certificate in PEM (of a chain the first): its thumbprint goes into the header, as Microsoft Entra wants it. */
  readonly x5t?: string | undefined;
}

/** A key together with its names, so that they change together. */
export interface NamedPrivateKey extends PrivateKeyNames {
  readonly key: PrivateKey;
}

/** A private key, or a function that is asked for it at every signature, so that rotation needs no restart. */
export type PrivateKeySource = PrivateKey | (() => PrivateKey | NamedPrivateKey | Promise<PrivateKey | NamedPrivateKey>);

/** Header parameters that name a key (RFC 7515 §4.1.4, §4.1.7, §4.1.8): `x5t` is the old thumbprint, with SHA-1. */
export type KeyHeader = 'kid' | 'x5t' | 'x5t#S256';

/** A key that is ready to sign. */
export interface ReadyKey {
  readonly key: CryptoKey;
  readonly alg: AssertionAlgorithm;
  readonly names: Readonly<Partial<Record<KeyHeader, string>>>;
}

interface CheckedKey extends NamedPrivateKey {
  readonly alg: AssertionAlgorithm;
}

/** Reads a key: once, or with a function each time; it is imported again only when it is another one. `option`: how messages call it. */
export function keyReader(option: string, source: PrivateKeySource, defaults: PrivateKeyNames): () => Promise<ReadyKey> {
  let last: { readonly identity: readonly unknown[]; readonly ready: Promise<ReadyKey> } | undefined;
  const prepare = (named: CheckedKey): Promise<ReadyKey> => {
    const identity = [identityOf(named.key), named.alg, named.kid, named.x5t];
    if (last?.identity.every((part, index) => part === identity[index]) !== true) last = { identity, ready: importNamed(option, named) };
    return last.ready;
  };
  if (typeof source !== 'function') {
    const named = checkNamed(option, source, defaults);
    return () => prepare(named);
  }
  checkNames(defaults);
  return async () => prepare(checkNamed(option, await askFor('the private key', source), defaults));
}

function checkNamed(option: string, given: PrivateKey | NamedPrivateKey, defaults: PrivateKeyNames): CheckedKey {
  const named = isNamed(given) ? { ...defaults, ...given } : { ...defaults, key: given };
  checkNames(named);
  // A copy, so that nobody changes the key afterwards.
  const key = isJwk(named.key) ? { ...named.key } : named.key;
  return { ...named, key, alg: checkPrivateKey(option, key, named.alg) };
}

function checkNames({ alg, kid, x5t }: PrivateKeyNames): void {
  checkAssertionAlgorithm(alg);
  if (kid !== undefined) checkString('kid', kid);
  if (x5t !== undefined) readCertificate('x5t', x5t);
}

async function importNamed(option: string, { key, alg, kid, x5t }: CheckedKey): Promise<ReadyKey> {
  const id = kid ?? (isJwk(key) && typeof key.kid === 'string' ? key.kid : undefined);
  const names = { ...(id !== undefined && { kid: id }), ...(x5t !== undefined && (await thumbprintsOf(readCertificate('x5t', x5t)))) };
  return { key: await importPrivateKey(option, key, alg), alg, names };
}

async function thumbprintsOf(certificate: Uint8Array<ArrayBuffer>): Promise<Record<'x5t' | 'x5t#S256', string>> {
  return { x5t: await thumbprintOf(certificate, 'SHA-1'), 'x5t#S256': await thumbprintOf(certificate) };
}

function isNamed(given: PrivateKey | NamedPrivateKey): given is NamedPrivateKey {
  return typeof given === 'object' && given !== null && 'key' in given && !isJwk(given);
}

function isJwk(key: PrivateKey | NamedPrivateKey): key is JWK {
  return typeof key === 'object' && key !== null && 'kty' in key;
}
