/** Bytes in the alphabet of URLs, without padding (RFC 4648 §5). */
export function base64url(bytes: Uint8Array): string {
  // Not all bytes as arguments of one call: their number is bounded.
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

/** The bytes of such a text. Throws for anything else. */
export function base64urlBytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0));
}
