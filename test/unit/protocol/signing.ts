import { exportJWK, exportPKCS8, generateKeyPair, type JWK } from 'jose';

export interface TestKey {
  readonly pem: string;
  readonly jwk: JWK;
  readonly publicJwk: JWK;
  readonly cryptoKey: CryptoKey;
}

/** A key pair in every form in which somebody may hold it. */
export async function testKey(alg: 'RS256' | 'PS256' | 'ES256' | 'EdDSA'): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return {
    pem: await exportPKCS8(privateKey),
    jwk: { ...(await exportJWK(privateKey)), alg, kid: `${alg}-1` },
    publicJwk: { ...(await exportJWK(publicKey)), alg },
    cryptoKey: privateKey,
  };
}
