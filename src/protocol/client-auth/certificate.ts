import { invalidOption } from '../../core/check-option.js';
import { base64url } from '../../core/base64url.js';

/** The first certificate of a PEM text (RFC 7468 §5), decoded. */
export function readCertificate(option: string, value: unknown): Uint8Array<ArrayBuffer> {
  try {
    const [, text] = /-----BEGIN CERTIFICATE-----([\w+/=\s\\]+)-----END CERTIFICATE-----/.exec(String(value)) ?? [];
    if (typeof value === 'string' && text) {
      const bytes = decodePem(text);
      // A DER sequence, of some length.
      if (bytes[0] === 0x30 && bytes.length > 64) return bytes;
    }
  } catch {
    // No base64 in it.
  }
  throw invalidOption(option, 'a certificate in PEM ("BEGIN CERTIFICATE")', value);
}

/** A certificate's thumbprint, base64url: `x5t#S256` with SHA-256, `x5t` with SHA-1 (RFC 7515 §4.1.7, §4.1.8). */
export async function thumbprintOf(certificate: Uint8Array<ArrayBuffer>, hash: 'SHA-256' | 'SHA-1' = 'SHA-256'): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest(hash, certificate)));
}

/** Environment variables often hold line ends as two characters. */
export function decodePem(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replace(/\s|\\[nr]/g, '')), (character) => character.charCodeAt(0));
}
