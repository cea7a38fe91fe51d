import { base64url, FlattenedEncrypt, flattenedDecrypt } from 'jose';
import { checkFunction, checkOptions, checkString, invalidOption } from '../core/check-option.js';
import type { Cipher } from '../core/cipher.js';
import { parseObject } from '../core/parse-object.js';
import { unavailable } from '../core/unavailable.js';

export { type ReencryptOptions, type ReencryptReport, reencrypt } from './reencrypt.js';

/** A key of 256 bits and the name under which it is found again. */
export interface JweKey {
  readonly kid: string;
  /** 32 bytes, as they are or in base64url or base64; or a secret `CryptoKey` for AES-GCM. */
  readonly key: string | Uint8Array | CryptoKey;
}

export interface JweCipherOptions {
  /** The first one encrypts, all decrypt. A function is asked for each text, so that keys change without a restart: keep what is costly. */
  readonly keys: readonly JweKey[] | (() => readonly JweKey[] | Promise<readonly JweKey[]>);
  /** Ids of keys that are gone for good: what they encrypted counts as absent, and is written over. @default [] */
  readonly lostKeys?: readonly string[] | undefined;
}

const schemaVersion = 1;
const keyBytes = 32;

/**
 * AES-256-GCM for servers, as a JSON Web Encryption (RFC 7516, `dir`, `A256GCM`) under keys with an id, with a random IV of 96 bits for
 * each text. A text under a key that is not there rejects with `store_unavailable`, so that a process that has not heard of a new key yet
 * destroys nothing; `lostKeys` names those that will never come back.
 *
 * @throws {TokenError} `invalid_option`
 */
export function jweCipher(options: JweCipherOptions): Cipher {
  checkOptions('jweCipher', options, ['keys', 'lostKeys']);
  const { keys, lostKeys = [] } = options;
  if (!Array.isArray(lostKeys) || !lostKeys.every((kid) => typeof kid === 'string')) throw invalidOption('lostKeys', 'a list of key ids', lostKeys);
  if (typeof keys === 'function') checkFunction('keys', keys);
  else checkKeys(keys);

  const all = async (): Promise<readonly JweKey[]> => {
    const found = typeof keys === 'function' ? await keys() : keys;
    checkKeys(found);
    return found;
  };
  const boundTo = (kid: string, context: string): string => JSON.stringify([schemaVersion, kid, context]);

  return {
    async encrypt(text, context) {
      const [current] = await all();
      if (current === undefined) throw unavailable('there is no key to encrypt with');
      const { kid, key } = current;
      const sealing = new FlattenedEncrypt(new TextEncoder().encode(text))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid })
        .setAdditionalAuthenticatedData(new TextEncoder().encode(boundTo(kid, context)));
      // The context is known to who reads; it need not lie there.
      const { aad: _context, ...sealed } = await sealing.encrypt(bytesOf(key));
      return JSON.stringify({ v: schemaVersion, ...sealed });
    },

    async decrypt(sealed, context) {
      const { v, protected: header, iv, ciphertext, tag } = parseObject(sealed) ?? {};
      if (typeof v === 'number' && v > schemaVersion) throw unavailable('the record was encrypted by a newer version of tokenkeep');
      if (v !== schemaVersion || typeof header !== 'string' || typeof iv !== 'string' || typeof ciphertext !== 'string' || typeof tag !== 'string')
        return undefined;
      const kid = kidOf(header);
      if (kid === undefined || lostKeys.includes(kid)) return undefined;
      const known = (await all()).find((each) => each.kid === kid);
      if (!known) throw unavailable('the record was encrypted with a key that is not among the keys given');
      const jwe = { protected: header, iv, ciphertext, tag, aad: base64url.encode(boundTo(kid, context)) };
      try {
        const { plaintext } = await flattenedDecrypt(jwe, bytesOf(known.key), { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] });
        return new TextDecoder('utf-8', { ignoreBOM: true }).decode(plaintext);
      } catch {
        return undefined;
      }
    },
  };
}

function kidOf(header: string): string | undefined {
  try {
    const { kid } = parseObject(new TextDecoder().decode(base64url.decode(header))) ?? {};
    return typeof kid === 'string' ? kid : undefined;
  } catch {
    return undefined;
  }
}

function checkKeys(keys: unknown): asserts keys is readonly JweKey[] {
  if (!Array.isArray(keys) || keys.length === 0) throw invalidOption('keys', 'a list of at least one { kid, key }', keys);
  for (const entry of keys) {
    const { kid, key } = Object(entry);
    checkString('keys.kid', kid);
    if (!isKey(key)) throw invalidOption('keys.key', 'a key of 256 bits: 32 bytes, their base64url, or a CryptoKey for AES-GCM', key);
  }
  if (new Set(keys.map(({ kid }) => kid)).size < keys.length) throw invalidOption('keys', 'key ids that differ', keys);
}

function isKey(key: unknown): boolean {
  // 32 bytes are 43 characters, of either alphabet, and a sign of padding that may be left out.
  if (typeof key === 'string') return /^[\w+/-]{43}=?$/.test(key);
  if (key instanceof Uint8Array) return key.length === keyBytes;
  const { type, algorithm } = Object(key);
  return type === 'secret' && Object(algorithm).name === 'AES-GCM' && Object(algorithm).length === 8 * keyBytes;
}

function bytesOf(key: JweKey['key']): Uint8Array | CryptoKey {
  return typeof key === 'string' ? base64url.decode(key.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')) : key;
}
