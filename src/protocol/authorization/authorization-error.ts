import { TokenError, type TokenErrorCode } from '../../core/errors.js';
import { excerpt } from '../wire/excerpt.js';

// RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6, RFC 8707 §2, RFC 9126 §2.3; any other word is `unknown_error`.
const words: readonly (readonly [TokenErrorCode, RegExp])[] = [
  ['login_required', /^access_denied$/],
  ['interaction_required', /^((interaction|login|consent|account_selection|mfa)_required|unmet_authentication_requirements)$/],
  ['client_rejected', /^(invalid|unauthorized)_client$/],
  ['request_rejected', /^(invalid_(request(_uri|_object)?|scope|target|dpop_proof)|unsupported_response_type|(request(_uri)?|registration)_not_supported)$/],
  ['server_error', /^(temporarily_unavailable|server_error)$/],
];

/** The error that a server sent a user back with. Nothing in it ends a session. (`standards.md` A17, P27) */
export function authorizationError(parameters: URLSearchParams, issuer: string): TokenError {
  const word = parameters.get('error') ?? '';
  const description = parameters.get('error_description');
  const shown = /^[a-z_]{1,64}$/.test(word) ? word : excerpt(word, [], 64);
  const code = words.find(([, names]) => names.test(word))?.[0] ?? 'unknown_error';
  const said = description ? `: ${excerpt(description, [], 200)}` : '';
  return new TokenError(code, `${new URL(issuer).origin} answered the sign-in with "${shown}"${said}`, { phase: 'authorization', oauthError: shown });
}
