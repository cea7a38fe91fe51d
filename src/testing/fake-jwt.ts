import { randomId } from '../core/random.js';

/** Text of the shape of a signed JWT. Nobody signed it: decoding works, verifying fails. */
export function fakeJwt(claims: Readonly<Record<string, unknown>>): string {
  const header = { alg: 'RS256', typ: 'at+jwt', kid: 'fake' };
  return [encode(header), encode({ ...claims, jti: randomId() }), `${randomId()}${randomId()}`].join('.');
}

function encode(part: unknown): string {
  const bytes = new TextEncoder().encode(JSON.stringify(part));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
