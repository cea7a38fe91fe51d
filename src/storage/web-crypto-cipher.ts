import { base64url, base64urlBytes } from '../core/base64url.js';
import { checkOptions, checkPort, checkString } from '../core/check-option.js';
import type { Cipher } from '../core/cipher.js';
import type { KeyStore } from '../core/key-store.js';
import { parseObject } from '../core/parse-object.js';
import { randomBytes } from '../core/random.js';
import { unavailable } from '../core/unavailable.js';

export interface WebCryptoCipherOptions {
  /** Where the key is kept; it is made there at the first use, as one that cannot be exported. */
  readonly keyStore: KeyStore;
  /** What the key is called in the key store. @default 'storage' */
  readonly name?: string | undefined;
}

const schemaVersion = 1;
const ivBytes = 12;

/** AES-256-GCM of Web Crypto under a key that cannot be exported, with a random IV of 96 bits for each text. Needs https or localhost in a browser. */
export function webCryptoCipher(options: WebCryptoCipherOptions): Cipher {
  checkOptions('webCryptoCipher', options, ['keyStore', 'name']);
  const { keyStore, name: kid = 'storage' } = options;
  checkPort('keyStore', keyStore ?? null, ['getOrCreate', 'delete']);
  checkString('name', kid);

  // Asked for each time: a tab that went on with a key that was deleted would write what no other tab can read.
  const key = (): Promise<CryptoKey> => keyStore.getOrCreate(kid, makeKey);
  const parameters = (iv: BufferSource, context: string): AesGcmParams => ({
    name: 'AES-GCM',
    iv,
    additionalData: new TextEncoder().encode(JSON.stringify([schemaVersion, kid, context])),
  });

  return {
    async encrypt(text, context) {
      const iv = randomBytes(ivBytes);
      const data = await subtle().encrypt(parameters(iv, context), await key(), new TextEncoder().encode(text));
      return JSON.stringify({ v: schemaVersion, kid, iv: base64url(iv), data: base64url(new Uint8Array(data)) });
    },

    async decrypt(sealed, context) {
      const { v, kid: sealedWith, iv, data } = parseObject(sealed) ?? {};
      if (typeof v === 'number' && v > schemaVersion) throw unavailable('the record was encrypted by a newer version of tokenkeep');
      if (v !== schemaVersion || sealedWith !== kid || typeof iv !== 'string' || typeof data !== 'string') return undefined;
      const secret = await key();
      try {
        const opened = await subtle().decrypt(parameters(base64urlBytes(iv), context), secret, base64urlBytes(data));
        return new TextDecoder('utf-8', { ignoreBOM: true }).decode(opened);
      } catch {
        return undefined;
      }
    },
  };
}

function makeKey(): Promise<CryptoKey> {
  return subtle().generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
}

function subtle(): SubtleCrypto {
  const found: SubtleCrypto | undefined = globalThis.crypto?.subtle;
  if (found === undefined) throw unavailable('there is no Web Crypto here: a page needs https or localhost');
  return found;
}
