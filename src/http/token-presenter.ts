import type { AccessToken } from '../core/access-token.js';
import { isTokenError, TokenError } from '../core/errors.js';
import type { TokenSource } from '../core/token-source.js';
import { abortable } from '../core/waiting.js';

/** Gets tokens for requests and puts them into headers. */
export interface TokenPresenter {
  /** @throws {TokenError} whatever the source threw; the signal's reason once it has aborted. */
  obtain(signal: AbortSignal | undefined, invalidToken?: AccessToken): Promise<AccessToken>;
  /** Sets `Authorization` (RFC 6750 §2.1): the one way a token leaves (`standards.md` H3). */
  present(headers: Headers, token: AccessToken): void;
}

export function createTokenPresenter(tokens: TokenSource): TokenPresenter {
  let lastValue: string | undefined;
  let lastType: string | undefined;
  let lastHeader = '';
  return {
    async obtain(signal, invalidToken) {
      signal?.throwIfAborted();
      try {
        const pending = tokens.getToken({ signal, invalidToken });
        // A token that is at hand is not worth listening for an abort.
        const token = (await Promise.race([pending, undefined])) ?? (await abortable(pending, signal));
        signal?.throwIfAborted();
        return token;
      } catch (error) {
        signal?.throwIfAborted();
        // A foreign error must not pass for one of the API's own: ky would send the call again.
        throw isTokenError(error) ? error : new TokenError('grant_failed', 'The token source failed', { phase: 'http' });
      }
    },
    present(headers, { value, type }) {
      if (value !== lastValue || type !== lastType) {
        if (!/^[\x21-\x7e]+$/.test(value))
          throw new TokenError('unacceptable_response', 'The access token has characters that a header must not carry', { phase: 'http' });
        lastValue = value;
        lastType = type;
        lastHeader = `${type} ${value}`;
      }
      headers.set('authorization', lastHeader);
    },
  };
}
