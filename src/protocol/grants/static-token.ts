import { checkOptions, checkScope, invalidOption } from '../../core/check-option.js';
import { TokenError } from '../../core/errors.js';
import type { Grant } from '../../core/grant.js';
import { randomId } from '../../core/random.js';
import type { TokenType } from '../../core/token-set.js';
import { lifetimeByExp, toTokenSet } from '../wire/to-token-set.js';

/** An access token that somebody else obtained. */
export interface StaticTokenOptions {
  readonly accessToken: string;
  /** Epoch milliseconds; left out, a JWT's own `exp` counts, and an opaque token is used until it is refused. */
  readonly expiresAt?: number | undefined;
  readonly scope?: string | readonly string[] | undefined;
  /** @default 'Bearer' */
  readonly tokenType?: TokenType | undefined;
}

/**
 * A token that cannot be renewed: personal access tokens, tokens of vendor consoles. Past its time its request fails
 * with `static_token_expired`. There is no option for `expires_in`, which says nothing without the time of issue.
 * @throws {TokenError} `invalid_option`.
 */
export function staticToken(options: StaticTokenOptions): Grant {
  checkOptions('staticToken', options, ['accessToken', 'expiresAt', 'scope', 'tokenType']);
  const { accessToken, expiresAt, tokenType = 'Bearer' } = options;
  if (typeof accessToken !== 'string' || !/^[\x21-\x7e]+$/.test(accessToken))
    throw invalidOption('accessToken', 'a token (visible ASCII characters, no space)', accessToken);
  if (expiresAt !== undefined && !Number.isFinite(expiresAt)) throw invalidOption('expiresAt', 'epoch milliseconds', expiresAt);
  if (tokenType !== 'Bearer' && tokenType !== 'DPoP') throw invalidOption('tokenType', '"Bearer" or "DPoP"', tokenType);
  const requested = checkScope('scope', options.scope);
  return {
    id: `static:${randomId()}`,
    renews: 'never',
    request: async (_current, { clock, report }) => {
      const sentAt = clock.now();
      // Without the cap of a day that other grants have: nothing newer can be had after it.
      const left = expiresAt === undefined ? lifetimeByExp(accessToken, sentAt) : Math.max(0, expiresAt - sentAt);
      const tokens = toTokenSet({ access_token: accessToken, token_type: tokenType }, left, { preset: {}, sentAt, requested, isRenewable: false, report });
      if (tokens.lifetimeMs === 0)
        throw new TokenError('static_token_expired', 'the static access token has expired and cannot be renewed', { phase: 'token' });
      return tokens;
    },
  };
}
