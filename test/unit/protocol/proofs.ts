import { EmbeddedJWK, type JWK, type JWTPayload, jwtVerify } from 'jose';
import type { KeyStore } from 'tokenkeep';

/** What a DPoP proof says, once its signature by the key that it carries is verified. */
export interface ReadProof {
  readonly alg: string | undefined;
  readonly jwk: JWK;
  readonly claims: JWTPayload & { readonly htm?: unknown; readonly htu?: unknown; readonly ath?: unknown; readonly nonce?: unknown };
}

export async function readProof(proof: string | null | undefined): Promise<ReadProof> {
  if (typeof proof !== 'string') throw new Error('there is no proof');
  // The claims are compared by the tests; jose's own clock is not the one they were dated by.
  const { iat = 0 } = JSON.parse(atob((proof.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')));
  const { protectedHeader, payload } = await jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt', currentDate: new Date(Number(iat) * 1000) });
  const { alg, jwk } = protectedHeader;
  if (jwk === undefined) throw new Error('there is no key in it');
  return { alg, jwk, claims: payload };
}

export interface TestKeyStore extends KeyStore {
  readonly keys: Map<string, unknown>;
  /** How often it was asked. */
  reads: number;
  failure: unknown;
}

const makingIn = new WeakMap<Map<string, unknown>, Map<string, Promise<unknown>>>();

/** A key store in memory, to be emptied, spoilt and made to fail; stores over the same map share their keys. */
export function testKeyStore(keys: Map<string, unknown> = new Map()): TestKeyStore {
  const making = makingIn.get(keys) ?? new Map<string, Promise<unknown>>();
  makingIn.set(keys, making);
  const store: TestKeyStore = {
    keys,
    reads: 0,
    failure: undefined,
    async getOrCreate<K extends CryptoKey | CryptoKeyPair>(name: string, make: () => Promise<K>) {
      store.reads += 1;
      if (store.failure !== undefined) throw store.failure;
      if (!keys.has(name)) {
        const made = making.get(name) ?? make().finally(() => making.delete(name));
        making.set(name, made);
        keys.set(name, await made);
      }
      return keys.get(name) as K;
    },
    async delete(name) {
      keys.delete(name);
    },
  };
  return store;
}
