import type { Clock } from '../../core/clock.js';
import { TokenError } from '../../core/errors.js';
import { type AuthorizationTransaction, transactionTtlMs } from './authorization-transaction.js';
import { authorizationError } from './authorization-error.js';
import { fragmentOf, parseCallback } from './callback-url.js';

/** What a good callback brings. */
export interface AuthorizationResponse {
  readonly code: string;
}

const tokenNames = ['access_token', 'id_token', 'refresh_token', 'token', 'response'];

/**
 * Reads a callback URL against the transaction that it claims to answer; a path alone is taken as one of the redirect
 * URI's own host. Sends nothing, and what does not belong together is refused before anything could be sent (RFC 6749
 * §10.12, RFC 9207 §2.4, RFC 9700 §2.1).
 * @throws {TokenError} `callback_refused`; what the server's own error means: `login_required` (the user declined), `interaction_required`, …
 */
export function readAuthorizationResponse(callback: string | URL, transaction: AuthorizationTransaction, clock: Clock): AuthorizationResponse {
  const { issuer, state, isIssuerNamed, responseMode, redirectUri, createdAt } = transaction;
  const url = parseCallback(callback, redirectUri);
  if (url === undefined) throw refused('it is no URL');
  const expected = new URL(redirectUri);
  if (url.protocol !== expected.protocol || url.host !== expected.host || url.pathname !== expected.pathname)
    throw refused('it is not at the redirect URI: scheme, host, port and path have to be equal');
  const parameters = responseMode === 'query' ? url.searchParams : fragmentOf(url);
  for (const part of [url.searchParams, fragmentOf(url)])
    if (tokenNames.some((name) => part.has(name))) throw refused('it carries a token, which was not asked for');
  if (clock.now() - createdAt > transactionTtlMs) throw refused('the sign-in took longer than ten minutes');
  if (parameters.getAll('state').join() !== state) throw refused('its state is missing or not the one that was sent');
  const named = parameters.getAll('iss');
  if (named.length > 1 || (isIssuerNamed && !named[0]) || (named[0] && named[0] !== issuer)) throw refused('it does not come from the server that was asked');
  const [error, ...further] = parameters.getAll('error');
  if (further.length > 0) throw refused('a parameter stands in it twice');
  // An error response is one that passed the checks before.
  if (error) throw authorizationError(parameters, issuer);
  const [code, ...others] = parameters.getAll('code');
  if (!code || others.length > 0) throw refused('it carries no code, or several');
  return { code };
}

function refused(why: string): TokenError {
  return new TokenError('callback_refused', `the callback does not belong to this sign-in: ${why}`, { phase: 'authorization' });
}
