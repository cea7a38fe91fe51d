import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { clientAssertion, clientSecretJwt, privateKeyJwt } from 'tokenkeep';
import { mutualTls } from 'tokenkeep/server';
import { issueCertificate } from '../../support/certificates.js';
import { argument, call, canary, canaryNumber, noObject, type Row, type Spoilt, spoilt } from './row.js';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const jwk = (key: KeyObject): object => key.export({ format: 'jwk' });
const certificate = issueCertificate();

/** Options that are taken. */
export const goodKey: string = pem(ec);
export const goodCertificate: string = certificate.cert;
export const goodSecret: string = canary.repeat(3);

const pkcs8 = 'PKCS #8 in PEM without a password ("BEGIN PRIVATE KEY")';
const anyKey = 'a private key for RS256 or PS256 (2048 bits or more), ES256 or EdDSA';
const algorithms = 'RS256, PS256, ES256, EdDSA, Ed25519';
const inPem = 'a certificate in PEM';
const symmetric = await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
const pair = await crypto.subtle.generateKey(
  { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash: 'SHA-512' },
  false,
  ['sign', 'verify'],
);

const keys: readonly (readonly [title: string, key: unknown, words: string])[] = [
  ['nothing', undefined, anyKey],
  ['null', null, anyKey],
  ['a number', canaryNumber, anyKey],
  ['an empty string', '', pkcs8],
  ['a secret', canary, pkcs8],
  ['the path of a file', `/run/secrets/${canary}.pem`, pkcs8],
  ['a PEM text without base64', `-----BEGIN PRIVATE KEY-----\n${canary}!\n-----END PRIVATE KEY-----`, pkcs8],
  ['a PEM text that is cut off', goodKey.slice(0, 80), pkcs8],
  ['a PEM text of something else', `-----BEGIN PRIVATE KEY-----\n${btoa(canary.repeat(4))}\n-----END PRIVATE KEY-----`, anyKey],
  ['a public key in PEM', createPublicKey(ec).export({ type: 'spki', format: 'pem' }), 'not "BEGIN PUBLIC KEY"'],
  ['a certificate', certificate.cert, 'not "BEGIN CERTIFICATE"'],
  ['an encrypted key', ec.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: canary }), 'not "BEGIN ENCRYPTED PRIVATE KEY"'],
  ['an RSA key in PKCS #1', rsa.export({ type: 'pkcs1', format: 'pem' }), 'not "BEGIN RSA PRIVATE KEY"'],
  ['an EC key in SEC1', ec.export({ type: 'sec1', format: 'pem' }), 'not "BEGIN EC PRIVATE KEY"'],
  ['a key for P-384', pem(p384), anyKey],
  ['an RSA-PSS key of 2048 bits, which Web Crypto cannot import', pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey), anyKey],
  ['a JWK for P-384', jwk(p384), anyKey],
  ['a public JWK', jwk(createPublicKey(ec)), anyKey],
  ['a JWK of a secret', { kty: 'oct', k: canary }, anyKey],
  ['a JWK of 1024 bits', jwk(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey), anyKey],
  ['a JWK for another algorithm', { ...jwk(rsa), alg: 'RSA-OAEP-256' }, anyKey],
  ['an empty object', {}, anyKey],
  ['a list', [goodKey], anyKey],
  ['a key of node:crypto', ec, anyKey],
  ['a symmetric CryptoKey', symmetric, anyKey],
  ['a public CryptoKey', pair.publicKey, anyKey],
  ['a CryptoKey with SHA-512', pair.privateKey, anyKey],
  ['a pair of CryptoKeys', pair, anyKey],
];

const assertions: readonly Spoilt[] = [
  ...['', 'tokenEndpoint', canary, `https://as.test/${canary} x`, null, canaryNumber, ['issuer']].map(
    (audience): Spoilt => [{ audience }, 'audience', '"issuer", "token_endpoint" or a URI', '[P11]'],
  ),
  ...['', 'jwt', canary, null, false, canaryNumber].map((typ): Spoilt => [{ typ }, 'typ', '"client-authentication+jwt", "JWT" or "none"', '[P11]']),
];

const row = (title: string, make: () => unknown, named: string, words: string): Row => ({ title, make, named, words });

const wrongAlgorithms: readonly (readonly [title: string, key: KeyObject | object, alg: string, words: string])[] = [
  ['an RSA key', rsa, 'ES256', 'RS256 or PS256'],
  ['an RSA key', rsa, 'EdDSA', 'RS256 or PS256'],
  ['an EC key', ec, 'RS256', 'ES256, since that is what the key is for'],
  ['a JWK for PS256', { ...jwk(rsa), alg: 'PS256' }, 'RS256', 'PS256, since that is what the key is for'],
];

export const clientAuthRows: readonly Row[] = [
  ...keys.map(([title, key, words]) => row(`privateKeyJwt with ${title} for its key [P9]`, () => call(privateKeyJwt, key), 'key', words)),
  ...wrongAlgorithms.map(([title, key, alg, words]) =>
    row(`privateKeyJwt with ${title} for ${alg} [P9]`, () => call(privateKeyJwt, 'asymmetricKeyType' in key ? pem(key) : key, { alg }), 'alg', words),
  ),
  ...['none', 'HS256', 'RS1', 'RS512', 'es256', '', canary, null, canaryNumber].flatMap((alg) => [
    row(`privateKeyJwt for ${alg} [P9]`, () => call(privateKeyJwt, goodKey, { alg }), 'alg', algorithms),
    row(`privateKeyJwt of a function for ${alg} [P9]`, () => call(privateKeyJwt, () => goodKey, { alg }), 'alg', algorithms),
  ]),
  ...noObject('privateKeyJwt', (options) => call(privateKeyJwt, goodKey, options), true),
  ...spoilt('privateKeyJwt', (options) => call(privateKeyJwt, goodKey, options), {}, [
    ...assertions,
    ...['', canaryNumber, null, `${canary}\n`].map((kid): Spoilt => [{ kid }, 'kid', 'a string that is not empty']),
    ...['', canary, true, null, canaryNumber, goodKey.replace(/\n/g, '')].map((x5t): Spoilt => [{ x5t }, 'x5t', inPem, '[G3]']),
    [{ x5t: `-----BEGIN CERTIFICATE-----\n${btoa(canary)}\n-----END CERTIFICATE-----` }, 'x5t', inPem, '[G3]'],
    ...['kid', ['x5c'], [canary], null, {}].map((headers): Spoilt => [{ headers }, 'headers', 'a list of kid, x5t, x5t#S256', '[G3]']),
    [{ keyId: canary }, 'keyId', 'it takes alg, kid, x5t'],
  ]),
  ...noObject('clientSecretJwt', (options) => call(clientSecretJwt, goodSecret, options), true),
  ...spoilt('clientSecretJwt', (options) => call(clientSecretJwt, goodSecret, options), {}, [
    ...assertions,
    [{ alg: 'HS512' }, 'alg', 'it takes audience, typ'],
  ]),
  ...['', undefined, null, canaryNumber, [canary], `${goodSecret}\n`].map((secret) =>
    argument('clientSecretJwt', clientSecretJwt, [secret], 'secret', 'a string that is not empty and has no control characters'),
  ),
  ...[canary, 'x'.repeat(31)].map((secret) => argument('clientSecretJwt', clientSecretJwt, [secret], 'secret', 'at least 32 bytes', '[P10]')),
  ...[undefined, null, canary, {}, Promise.resolve(canary)].map((read) =>
    argument('clientAssertion', clientAssertion, [read], 'assertion', 'a function that gives the assertion', '[G2]'),
  ),
  ...noObject('mutualTls', (options) => call(mutualTls, options), false),
  ...spoilt('mutualTls', (options) => call(mutualTls, options), { fetch: () => canary }, [
    ...[undefined, null, canary, {}].map((fetch): Spoilt => [{ fetch }, 'fetch', 'a function', '[P13]']),
    ...['', canary, null, 'mtls', 'client_secret_basic'].map(
      (method): Spoilt => [{ method }, 'method', '"tls_client_auth" or "self_signed_tls_client_auth"', '[P13]'],
    ),
    ...['', canary, null, canaryNumber, [goodCertificate]].map((given): Spoilt => [{ certificate: given }, 'certificate', inPem, '[P13]']),
    [{ cert: canary }, 'cert', 'it takes fetch, method, certificate'],
  ]),
];
