import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** A certificate and its private key, both as PEM. (RFC 5280; no tool needed.) */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
  readonly name: string;
}

export interface CertificateOptions {
  /** The subject's common name. */
  readonly name?: string;
  /** Who vouches for it. @default itself */
  readonly issuer?: Certificate;
  /** Its private key (PKCS #8 in PEM). @default a new one for P-256 */
  readonly key?: string;
}

/** A new certificate, for a client or for a server on this machine. */
export function issueCertificate({ name = 'tokenkeep test', issuer, key = newKey() }: CertificateOptions = {}): Certificate {
  const signer = createPrivateKey(issuer?.key ?? key);
  const algorithm = signer.asymmetricKeyType === 'rsa' ? sequence(oid('2a864886f70d01010b'), der(0x05, bytes())) : sequence(oid('2a8648ce3d040302'));
  const day = 24 * 60 * 60 * 1000;
  const validity = sequence(utcTime(Date.now() - day), utcTime(Date.now() + day));
  const isAuthority = sequence(oid('551d13'), der(0x01, bytes(0xff)), der(0x04, sequence(...(issuer ? [] : [der(0x01, bytes(0xff))]))));
  const names = sequence(oid('551d11'), der(0x04, sequence(der(0x82, Buffer.from('localhost')), der(0x87, bytes(127, 0, 0, 1)))));
  const version3 = der(0xa0, der(0x02, bytes(2)));
  const serial = der(0x02, Buffer.concat([bytes(1), randomBytes(8)]));
  const publicKey = createPublicKey(createPrivateKey(key)).export({ type: 'spki', format: 'der' });
  const extensions = der(0xa3, sequence(isAuthority, names));
  const body = sequence(version3, serial, algorithm, commonName(issuer?.name ?? name), validity, commonName(name), publicKey, extensions);
  const signature = der(0x03, Buffer.concat([bytes(0), sign('sha256', body, signer)]));
  const base64 = sequence(body, algorithm, signature).toString('base64').replace(/.{64}/g, '$&\n');
  return { key, cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`, name };
}

function newKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

const bytes = (...values: number[]): Buffer => Buffer.from(values);

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 0x80 ? bytes(length) : length < 0x100 ? bytes(0x81, length) : bytes(0x82, length >> 8, length & 0xff);
  return Buffer.concat([bytes(tag), size, content]);
}

const sequence = (...parts: Buffer[]): Buffer => der(0x30, Buffer.concat(parts));
const set = (...parts: Buffer[]): Buffer => der(0x31, Buffer.concat(parts));
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const commonName = (name: string): Buffer => sequence(set(sequence(oid('550403'), der(0x0c, Buffer.from(name)))));
// YYMMDDHHMMSSZ
const utcTime = (at: number): Buffer => der(0x17, Buffer.from(`${new Date(at).toISOString().replace(/\D/g, '').slice(2, 14)}Z`));
