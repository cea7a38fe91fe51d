import { dpop } from 'tokenkeep';
import { testKeyStore } from '../protocol/proofs.js';
import { call, canary, canaryNumber, noObject, type Row, type Spoilt, spoilt } from './row.js';

const make = (options: unknown): unknown => call(dpop, options);
const keyStore = testKeyStore();
const usable = 'a CryptoKeyPair that can sign or a private JWK';
const jwk = { kty: 'EC', crv: 'P-256', x: 'x'.repeat(43), y: 'y'.repeat(43), d: canary.padEnd(43, '0') };

export const dpopRows: readonly Row[] = [
  ...noObject('dpop', make, true),
  ...spoilt('dpop', make, {}, [
    ...[null, '', 'Required', canary, true].map((mode): Spoilt => [{ mode }, 'mode', '"required" or "preferred"', '[P18]']),
    ...[null, '', canary, 'es256', 'ES384', 'HS256', 'none'].map((alg): Spoilt => [{ alg }, 'alg', 'ES256, PS256, RS256, EdDSA', '[H19]']),
    ...[null, canary, canaryNumber, [], {}, () => canary, { privateKey: canary, publicKey: canary }].map((key): Spoilt => [{ key }, 'key', usable]),
    ...[
      { kty: 'oct' },
      { d: undefined },
      { d: [canary] },
      { d: `${canary} ` },
      { y: undefined },
      { crv: 'P-384' },
      { crv: 'secp256k1' },
      { alg: 'ES384' },
      { alg: canary },
      { kty: 'RSA', n: 'n'.repeat(300), e: 'AQAB', alg: 'RS256' },
      { kty: 'RSA', n: 'n'.repeat(342), e: 'AQAB' },
      { kty: 'OKP', crv: 'X25519' },
    ].map((changes): Spoilt => [{ key: { ...jwk, ...changes } }, 'key', usable]),
    [{ key: jwk, alg: 'EdDSA' }, 'alg', 'expected ES256'],
    [{ key: jwk, keyStore, keyName: canary }, 'keyStore', 'none beside "key"'],
    ...[null, canary, {}, { getOrCreate: canary, delete: canary }].map(
      (value): Spoilt => [{ keyStore: value, keyName: 'key' }, 'keyStore', 'an object with getOrCreate(), delete()', '[H22]'],
    ),
    ...[undefined, null, '', canaryNumber, `${canary}\n`].map((keyName): Spoilt => [{ keyStore, keyName }, 'keyName', 'a string that is not empty']),
    [{ keyName: canary }, 'keyName', 'none without "keyStore"'],
    [{ key: jwk, keyName: canary }, 'keyName', 'none without "keyStore"'],
    [{ algorithm: canary }, 'algorithm', 'it takes key, keyStore, keyName, alg, mode'],
    [{ privateKey: canary }, 'privateKey', 'unknown option'],
  ]),
];
