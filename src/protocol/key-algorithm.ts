/** How a key signs (RFC 7518 §3.1, RFC 8037). */
export type KeyAlgorithm = 'ES256' | 'PS256' | 'RS256' | 'EdDSA';

const names = { ES256: 'ECDSA', PS256: 'RSA-PSS', RS256: 'RSASSA-PKCS1-v1_5', EdDSA: 'Ed25519' } as const;
const all: readonly KeyAlgorithm[] = ['ES256', 'PS256', 'RS256', 'EdDSA'];
const curve = 'P-256';
const hash = 'SHA-256';

/** What a key of Web Crypto signs with; undefined when that is nothing we use, or too weak. */
export function keyAlgorithm({ algorithm }: CryptoKey): KeyAlgorithm | undefined {
  const { name, namedCurve = curve, hash: own = { name: hash }, modulusLength } = Object(algorithm);
  return modulusLength < 2048 || namedCurve !== curve || own.name !== hash ? undefined : all.find((alg) => names[alg] === name);
}

/** How Web Crypto makes or imports a key for it. What does not concern the algorithm, Web Crypto passes over. */
export function keyParameters(alg: KeyAlgorithm): EcKeyGenParams & RsaHashedKeyGenParams {
  return { name: names[alg], namedCurve: curve, hash, modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) };
}
