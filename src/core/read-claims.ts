import type { JWTPayload } from 'jose';
import { parseObject } from './parse-object.js';

/** The claims of a JWT, decoded and NOT verified; undefined for anything else. Not by jose's `decodeJwt`: see decision 0010. */
export function readClaims(token: string): JWTPayload | undefined {
  const [, payload = '', ...rest] = token.split('.');
  if (rest.length !== 1) return undefined;
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0));
    return parseObject(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
