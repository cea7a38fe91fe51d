import type { JWTPayload } from 'jose';
import { base64urlBytes } from './base64url.js';
import { parseObject } from './parse-object.js';

/** The claims of a JWT, decoded and NOT verified; undefined for anything else. Not by jose's `decodeJwt`: see decision 0010. */
export function readClaims(token: string): JWTPayload | undefined {
  const [, payload = '', ...rest] = token.split('.');
  if (rest.length !== 1) return undefined;
  try {
    return parseObject(new TextDecoder().decode(base64urlBytes(payload)));
  } catch {
    return undefined;
  }
}
