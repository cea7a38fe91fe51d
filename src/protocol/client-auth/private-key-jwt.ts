import { checkOptions, invalidOption } from '../../core/check-option.js';
import type { ClientAuth, ClientAuthRequest } from './client-auth.js';
import type { KeyHeader, PrivateKeyNames, PrivateKeySource } from './key-reader.js';
import { type AssertionOptions, assertionOptionNames, checkAssertionOptions, presentOwnAssertion } from './own-assertion.js';
import { assertionSigner } from './sign-assertion.js';

export interface PrivateKeyJwtOptions extends AssertionOptions, PrivateKeyNames {
  /** Which header parameters name the key. @default the preset's `assertionHeaders`, else `kid` and `x5t#S256`, as far as they are known */
  readonly headers?: readonly KeyHeader[] | undefined;
}

const keyHeaders: readonly KeyHeader[] = ['kid', 'x5t', 'x5t#S256'];

/**
 * `private_key_jwt`: a key that never leaves the service signs an assertion (RFC 7523 §2.2, OpenID Connect Core §9); 60
 * seconds, a new one for every attempt. The key is imported once, not extractable. What a function throws becomes
 * `grant_failed`, unless it is a `TokenError`.
 *
 * @throws {TokenError} `invalid_option`; what shows only when the key is imported, at the first request.
 */
export function privateKeyJwt(key: PrivateKeySource, options: PrivateKeyJwtOptions = {}): ClientAuth {
  checkOptions('privateKeyJwt', options, ['alg', 'kid', 'x5t', 'headers', ...assertionOptionNames]);
  checkAssertionOptions(options);
  const { audience, typ, headers, alg, kid, x5t } = options;
  const fits = headers === undefined || (Array.isArray(headers) && headers.every((name) => keyHeaders.includes(name)));
  if (!fits) throw invalidOption('headers', `a list of ${keyHeaders.join(', ')}`, headers);
  const sign = assertionSigner('key', key, { alg, kid, x5t });
  return Object.freeze({
    method: 'private_key_jwt',
    authenticate: (request: ClientAuthRequest) =>
      presentOwnAssertion(request, { audience, typ }, (assertion) => sign({ ...assertion, keyHeaders: headers ?? request.preset.assertionHeaders })),
  });
}
