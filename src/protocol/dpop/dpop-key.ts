import type { JWK } from 'jose';
import { checkPort, checkString, invalidOption } from '../../core/check-option.js';
import { isTokenError, TokenError } from '../../core/errors.js';
import type { KeyStore } from '../../core/key-store.js';
import { keyAlgorithm, keyParameters } from '../key-algorithm.js';
import { once } from '../../core/once.js';
import { digest } from '../../core/random.js';
import { unavailable } from '../../core/unavailable.js';

/** How proofs are signed. */
export type DpopAlgorithm = 'ES256' | 'PS256' | 'RS256' | 'EdDSA';

/** Where the key comes from; with neither `key` nor `keyStore` one is made and kept in memory. */
export interface DpopKeyOptions {
  /** A key pair of Web Crypto, or a private key as a JWK (RFC 7517). */
  readonly key?: CryptoKeyPair | JWK | undefined;
  /** Where the key outlives the process; it is made there at its first use. Needs a `keyName`. */
  readonly keyStore?: KeyStore | undefined;
  /** What the key is called in the `keyStore`: one name for each client, and for each user where there are several. */
  readonly keyName?: string | undefined;
  /** @default the key's own; ES256 for a key that is made here */
  readonly alg?: DpopAlgorithm | undefined;
}

/** A key that is ready to sign. */
export interface DpopKey {
  readonly alg: DpopAlgorithm;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
  readonly thumbprint: string;
  /** It was made just now: no token of an earlier run is bound to it. */
  readonly isNew: boolean;
}

const algorithms: readonly unknown[] = ['ES256', 'PS256', 'RS256', 'EdDSA'] satisfies readonly DpopAlgorithm[];
const usable = 'a CryptoKeyPair that can sign or a private JWK, for ES256, PS256 or RS256 (2048 bits or more) or EdDSA';

/** Checks the options. The reader gives the key, from its first use on, and reads again after a failure. */
export function dpopKeyReader(options: DpopKeyOptions): () => Promise<DpopKey> {
  const { key, keyStore, alg } = options;
  if (alg !== undefined && !algorithms.includes(alg)) throw invalidOption('alg', algorithms.join(', '), alg);
  if (key !== undefined && keyStore !== undefined) throw invalidOption('keyStore', 'none beside "key"', keyStore);
  checkPort('keyStore', keyStore, ['getOrCreate', 'delete']);
  if (keyStore === undefined && options.keyName !== undefined) throw invalidOption('keyName', 'none without "keyStore"', options.keyName);
  return once(key !== undefined ? given(key, alg) : keyStore ? kept(keyStore, checkString('keyName', options.keyName), alg) : () => newKey(alg));
}

function newPair(alg: DpopAlgorithm = 'ES256'): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(keyParameters(alg), false, ['sign', 'verify']);
}

async function newKey(alg: DpopAlgorithm = 'ES256'): Promise<DpopKey> {
  return ofPair(await newPair(alg), alg, true);
}

function kept(store: KeyStore, name: string, alg: DpopAlgorithm | undefined): () => Promise<DpopKey> {
  return async () => {
    let made: CryptoKeyPair | undefined;
    let pair: unknown;
    try {
      pair = await store.getOrCreate(name, async () => {
        made = await newPair(alg);
        return made;
      });
    } catch (error) {
      // The key may still be there: nobody is asked to sign in again for this.
      throw isTokenError(error) ? error : unavailable('the key store failed');
    }
    const own = isKeyPair(pair) && keyAlgorithm(pair.privateKey);
    if (!isKeyPair(pair) || !own) throw new TokenError('key_lost', 'the key store holds no key pair that can sign proofs', { phase: 'store' });
    checkAlgorithm(own, alg);
    const key = await ofPair(pair, own, false);
    // Whoever came second at the first use has made one too, but is given the other's; and a store may give a copy.
    return { ...key, isNew: made !== undefined && (await ofPair(made, own, true)).thumbprint === key.thumbprint };
  };
}

function given(key: unknown, wanted: DpopAlgorithm | undefined): () => Promise<DpopKey> {
  if (isKeyPair(key)) {
    const alg = keyAlgorithm(key.privateKey);
    if (!alg) throw invalidOption('key', usable, key);
    checkAlgorithm(alg, wanted);
    return () => ofPair(key, alg, false);
  }
  const jwk = copyOf(key);
  const alg = jwk && jwkAlgorithm(jwk, wanted);
  if (!jwk || !alg) throw invalidOption('key', usable, key);
  checkAlgorithm(alg, wanted);
  return async () => {
    try {
      const { subtle } = crypto;
      const parameters = keyParameters(alg);
      const privateKey = await subtle.importKey('jwk', jwk, parameters, false, ['sign']);
      const publicKey = await subtle.importKey('jwk', publicPart(jwk), parameters, true, ['verify']);
      return await ofPair({ privateKey, publicKey }, alg, false);
    } catch {
      // What others say of a private key may quote it.
      throw invalidOption('key', usable, key);
    }
  };
}

function checkAlgorithm(own: DpopAlgorithm, wanted: DpopAlgorithm | undefined): void {
  if (wanted !== undefined && wanted !== own) throw invalidOption('alg', `${own}, since that is what the key is for`, wanted);
}

async function ofPair({ privateKey, publicKey }: CryptoKeyPair, alg: DpopAlgorithm, isNew: boolean): Promise<DpopKey> {
  const publicJwk = publicPart(await crypto.subtle.exportKey('jwk', publicKey));
  // RFC 7638 §3: the required members alone, in the order of their names.
  return { alg, privateKey, publicJwk, thumbprint: await digest(JSON.stringify(publicJwk)), isNew };
}

function isKeyPair(value: unknown): value is CryptoKeyPair {
  const { privateKey, publicKey } = Object(value);
  const signs = privateKey?.type === 'private' && privateKey.usages?.includes?.('sign') === true;
  return signs && publicKey?.type === 'public' && publicKey.extractable === true && keyAlgorithm(privateKey) === keyAlgorithm(publicKey);
}

const publicMembers = ['crv', 'e', 'kty', 'n', 'x', 'y'] as const;
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi'];

// A copy, so that nobody changes the key afterwards; undefined when it cannot be a private key.
function copyOf(jwk: unknown): JWK | undefined {
  const copy = membersOf(jwk, [...publicMembers, ...privateMembers, 'alg']);
  const fits = Object.values(copy).every((value) => typeof value === 'string' && /^[\w-]+$/.test(value));
  return fits && copy['d'] !== undefined ? copy : undefined;
}

function publicPart(jwk: object): JWK {
  return membersOf(jwk, publicMembers);
}

function membersOf(jwk: unknown, names: readonly string[]): JWK {
  const members = names.map((name): [string, unknown] => [name, Reflect.get(Object(jwk), name)]);
  return Object.fromEntries(members.filter(([, value]) => value !== undefined));
}

function jwkAlgorithm({ kty, crv, x, y, d, n = '', ...jwk }: JWK, wanted: DpopAlgorithm | undefined): DpopAlgorithm | undefined {
  const { alg = kty === 'RSA' ? wanted : undefined } = jwk;
  if (kty === 'EC') return crv === 'P-256' && are256Bits(x, y, d) && (alg ?? 'ES256') === 'ES256' ? 'ES256' : undefined;
  if (kty === 'OKP') return crv === 'Ed25519' && are256Bits(x, d) && /^(?:EdDSA|Ed25519)$/.test(alg ?? 'EdDSA') ? 'EdDSA' : undefined;
  // 2048 bits are 342 characters.
  const rsa = (['PS256', 'RS256'] as const).find((name) => name === alg);
  return kty === 'RSA' && n.length >= 342 ? rsa : undefined;
}

function are256Bits(...members: readonly (string | undefined)[]): boolean {
  return members.every((member) => member?.length === 43);
}
