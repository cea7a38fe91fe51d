import { checkOptions, checkString, invalidOption } from '../../core/check-option.js';
import { TokenError } from '../../core/errors.js';
import { digest, randomId } from '../../core/random.js';
import { type DpopKey, type DpopKeyOptions, dpopKeyReader } from './dpop-key.js';
import { loadJose } from '../load-jose.js';

/** A client's key for sender-constrained tokens (RFC 9449): an opaque value, made by {@link dpop}. */
export interface Dpop {
  /** Whether a token that is not bound to the key is refused as a downgrade. */
  readonly required: boolean;
  /** A new proof for one request. `now`: epoch milliseconds by the server's clock. */
  prove(request: DpopProofRequest, now: number): Promise<string>;
  /** SHA-256 of the public key (RFC 7638), base64url: what tokens are bound to. */
  thumbprint(): Promise<string>;
  /** Whether the key was made in this process: then no refresh token of an earlier one can be used with it. */
  isNew(): Promise<boolean>;
}

/** What a proof is for. */
export interface DpopProofRequest {
  readonly method: string;
  readonly url: string | URL;
  readonly nonce?: string | undefined;
  /** Left out at the authorization server. */
  readonly accessToken?: string | undefined;
}

export interface DpopOptions extends DpopKeyOptions {
  /** What becomes of a token that the server did not bind to the key: refused, or used as a bearer token. @default 'required' */
  readonly mode?: 'required' | 'preferred' | undefined;
}

/**
 * Binds tokens to a key, so that a stolen token is of no use without it (RFC 9449). Give one value to every grant that is to
 * share the key. Without options: an ES256 key that cannot be exported, made at its first use and gone with the process.
 * @throws {TokenError} `invalid_option` here. When a token is wanted: `store_unavailable` when the key store fails,
 * `key_lost` when it holds no usable key, or when it had to make one and the server refuses the refresh token with it.
 */
export function dpop(options: DpopOptions = {}): Dpop {
  checkOptions('dpop', options, ['key', 'keyStore', 'keyName', 'alg', 'mode']);
  const { mode = 'required' } = options;
  if (mode !== 'required' && mode !== 'preferred') throw invalidOption('mode', '"required" or "preferred"', mode);
  const read = dpopKeyReader(options);
  return Object.freeze({
    required: mode === 'required',
    prove: async (request: DpopProofRequest, now: number) => sign(await read(), request, now),
    thumbprint: async () => (await read()).thumbprint,
    isNew: async () => (await read()).isNew,
  });
}

// RFC 9449 §4.2.
async function sign({ alg, privateKey, publicJwk }: DpopKey, { method, url, nonce, accessToken }: DpopProofRequest, now: number): Promise<string> {
  const claims = {
    jti: randomId(),
    htm: sentMethod(checkString('method', method)),
    htu: targetOf(url),
    iat: Math.floor(now / 1000),
    ...(nonce !== undefined && { nonce }),
    ...(accessToken !== undefined && { ath: await digest(accessToken) }),
  };
  const { SignJWT } = await loadJose();
  try {
    return await new SignJWT(claims).setProtectedHeader({ typ: 'dpop+jwt', alg, jwk: publicJwk }).sign(privateKey);
  } catch {
    throw new TokenError('grant_failed', 'the DPoP key could not sign', { phase: 'token' });
  }
}

// As the Fetch standard writes it on the wire.
function sentMethod(method: string): string {
  return /^(?:delete|get|head|options|post|put)$/i.test(method) ? method.toUpperCase() : method;
}

function targetOf(given: string | URL): string {
  if (!URL.canParse(given)) throw invalidOption('url', 'an absolute URL', given);
  const url = new URL(given);
  url.search = '';
  url.hash = '';
  url.username = '';
  url.password = '';
  return url.href;
}
