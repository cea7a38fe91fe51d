import { checkOptions, invalidOption } from '../../core/check-option.js';
import { type ClientAuth, type ClientAuthRequest, type ClientSecret, secretReader } from './client-auth.js';
import { type AssertionOptions, assertionOptionNames, checkAssertionOptions, presentOwnAssertion } from './own-assertion.js';
import { signJwt } from './sign-assertion.js';

export interface ClientSecretJwtOptions extends AssertionOptions {}

/**
 * `client_secret_jwt`: the secret signs an assertion and is not sent itself (OpenID Connect Core §9). HS256, 60 seconds,
 * a new one for every attempt.
 *
 * @throws {TokenError} `invalid_option` when the secret has less than 32 bytes (RFC 7518 §3.2); that of a function at the
 * first request.
 */
export function clientSecretJwt(secret: ClientSecret, options: ClientSecretJwtOptions = {}): ClientAuth {
  const read = secretReader(secret);
  if (typeof secret === 'string') toKey(secret);
  checkOptions('clientSecretJwt', options, assertionOptionNames);
  const { audience, typ } = options;
  checkAssertionOptions(options);
  return Object.freeze({
    method: 'client_secret_jwt',
    authenticate: async (request: ClientAuthRequest) => {
      const value = await read();
      const key = toKey(value);
      return [value, ...(await presentOwnAssertion(request, { audience, typ }, (assertion) => signJwt(key, { alg: 'HS256' }, assertion)))];
    },
  });
}

function toKey(secret: string): Uint8Array {
  const key = new TextEncoder().encode(secret);
  if (key.length < 32) throw invalidOption('secret', 'at least 32 bytes, as HS256 needs', secret);
  return key;
}
