import type { JWTHeaderParameters, JWTPayload } from 'jose';
import { randomId } from '../../core/random.js';
import { type KeyHeader, keyReader, type PrivateKeyNames, type PrivateKeySource } from './key-reader.js';
import { loadJose } from '../load-jose.js';

/** What one assertion says. Which claims there are is up to its user; the dates and the `jti` are made here. */
export interface Assertion {
  readonly claims: JWTPayload;
  /** Header parameters beside `alg` and those that name the key. */
  readonly header?: Readonly<Record<string, string>> | undefined;
  /** Which parameters name the key, as far as its names are known. @default kid and x5t#S256 */
  readonly keyHeaders?: readonly KeyHeader[] | undefined;
  /** Epoch milliseconds by the server's clock. */
  readonly now: number;
  readonly lifetimeMs: number;
}

/** Signs one assertion, with a `jti` of its own. */
export type SignAssertion = (assertion: Assertion) => Promise<string>;

/**
 * The one signer of JWT assertions: of clients (`private_key_jwt`, RFC 7523 §2.2) and of grants (RFC 7523 §2.1). With a
 * function the key is asked for at every signature, and imported again only when it is another one. `option`: how messages
 * call it.
 * @throws {TokenError} `invalid_option`
 */
export function assertionSigner(option: string, source: PrivateKeySource, names: PrivateKeyNames): SignAssertion {
  const read = keyReader(option, source, names);
  return async (assertion) => {
    const { key, alg, names } = await read();
    const shown = (assertion.keyHeaders ?? ['kid', 'x5t#S256']).map((name) => [name, names[name]] as const);
    return signJwt(key, { ...Object.fromEntries(shown), alg }, assertion);
  };
}

/** Signs with a key that is ready. No `nbf`: a server whose clock is a second behind would refuse it. */
export async function signJwt(key: CryptoKey | Uint8Array, names: JWTHeaderParameters, { claims, header, now, lifetimeMs }: Assertion): Promise<string> {
  const iat = Math.floor(now / 1000);
  // Loaded when there is something to sign: who has a secret starts without it.
  const { SignJWT } = await loadJose();
  return new SignJWT({ jti: randomId(), ...claims, iat, exp: iat + Math.floor(lifetimeMs / 1000) }).setProtectedHeader({ ...header, ...names }).sign(key);
}
