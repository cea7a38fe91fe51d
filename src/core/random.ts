import { base64url } from './base64url.js';
import { invalidOption } from './check-option.js';

/** 128 random bits, base64url. */
export function randomId(): string {
  return base64url(fill(new Uint8Array(16)));
}

/** As many random bytes. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return fill(new Uint8Array(length));
}

/** 256 random bits, base64url: 43 characters. */
export function randomSecret(): string {
  return base64url(fill(new Uint8Array(32)));
}

/** A number in [0, 1) for jitter. */
export function randomFraction(): number {
  return (fill(new Uint32Array(1))[0] ?? 0) / 2 ** 32;
}

/** SHA-256 of a text, base64url. */
export async function digest(text: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))));
}

// Every manager draws a number when it is made: without a source of randomness that fails, not a later call.
function fill<T extends Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(array: T): T {
  if (typeof globalThis.crypto?.getRandomValues !== 'function')
    throw invalidOption('globalThis.crypto', 'the Web Crypto API of this runtime', globalThis.crypto);
  return crypto.getRandomValues(array);
}
