const names: ReadonlyMap<string, 'ES256' | 'PS256' | 'RS256' | 'EdDSA'> = new Map([
  ['ECDSA P-256', 'ES256'],
  ['RSA-PSS SHA-256', 'PS256'],
  ['RSASSA-PKCS1-v1_5 SHA-256', 'RS256'],
  ['Ed25519 ', 'EdDSA'],
]);

/** What a key of Web Crypto signs with (RFC 7518 §3.1, RFC 8037); undefined when that is nothing we use, or too weak. */
export function keyAlgorithm({ algorithm }: CryptoKey): 'ES256' | 'PS256' | 'RS256' | 'EdDSA' | undefined {
  const { name, namedCurve, hash, modulusLength } = Object(algorithm);
  return modulusLength < 2048 ? undefined : names.get(`${name} ${namedCurve ?? hash?.name ?? ''}`);
}
