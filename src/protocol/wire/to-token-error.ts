import type { Clock } from '../../core/clock.js';
import { TokenError, type TokenErrorCode } from '../../core/errors.js';
import type { Preset } from '../../core/preset.js';
import type { Answer } from './exchange.js';
import { excerpt } from './excerpt.js';
import type { ResponseMembers } from './response-members.js';
import { parseRetryAfter } from './retry-after.js';
import { parseExpiresIn } from './to-token-set.js';

/** What the reading of a failure depends on beside the answer itself. */
export interface FailureContext {
  readonly preset: Preset;
  /** A refused refresh token ends a session; a refused grant of another kind is a wrong setting. */
  readonly isRenewable?: boolean;
  /** What was sent and must not be shown. */
  readonly secrets: readonly string[];
  readonly clock: Clock;
}

// The registered error words; any other is `unknown_error`.
const words: readonly (readonly [TokenErrorCode, RegExp])[] = [
  ['grant_revoked', /^invalid_grant$/],
  ['client_rejected', /^(invalid|unauthorized)_client$/],
  ['request_rejected', /^(invalid_(request|scope|target|resource|dpop_proof)|unsupported_grant_type|use_dpop_nonce)$/],
  ['interaction_required', /^((interaction|login|consent|account_selection|mfa)_required|insufficient_user_authentication)$/],
  ['server_error', /^(temporarily_unavailable|server_error)$/],
  ['rate_limited', /^slow_down$/],
];

/** The members of an error answer that are read. */
export const errorMembers: readonly string[] = ['error', 'error_description', 'suberror', 'error_codes', 'interval'];

/** An answer that is no success, as a failure: the taxonomy of `standards.md` R10. `members`: undefined without a JSON object. */
export function toTokenError(answer: Answer, members: ResponseMembers | undefined, context: FailureContext): TokenError {
  const { phase, origin, status, headers } = answer;
  const { secrets, clock } = context;
  const { error, error_description: description, interval } = members ?? {};
  const word = typeof error === 'string' && error !== '' ? error : undefined;
  const oauthError = word && showWord(word, secrets);
  const asked = parseRetryAfter(headers.get('retry-after'), clock.now());
  const said = oauthError
    ? `"${oauthError}"${typeof description === 'string' ? `: ${excerpt(description, secrets, 200)}` : ''}`
    : describeBody(answer, secrets);
  return new TokenError(codeOf(answer, members, word, context), `the ${phase} request to ${origin} was answered with ${status} ${said}`, {
    phase,
    status,
    oauthError,
    retryAfterMs: word === 'slow_down' ? Math.max(5000, asked ?? 0, parseExpiresIn(interval) ?? 0) : asked,
  });
}

function codeOf({ phase, status, text }: Answer, members: ResponseMembers | undefined, word: string | undefined, context: FailureContext): TokenErrorCode {
  if (status === 429) return 'rate_limited';
  if (status === 503) return 'server_error';
  const known = word && codeOfWord(word, members, context);
  if (known) return known;
  if (status === 408 || status === 425 || status >= 500) return 'server_error';
  if (word) return 'unknown_error';
  if (text === undefined || (members === undefined && (status < 300 || status === 403))) return 'invalid_response';
  return phase === 'discovery' ? 'discovery_failed' : 'unexpected_status';
}

function codeOfWord(word: string, members: ResponseMembers | undefined, { preset, isRenewable }: FailureContext): TokenErrorCode | undefined {
  const { suberror, error_codes: numbers } = members ?? {};
  const codeMap = new Map(Object.entries(preset.codeMap ?? {}));
  // The narrower a provider's own code, the more it says.
  const key = [`${word}+${suberror}`, ...(Array.isArray(numbers) ? numbers.map(String) : []), word].find((name) => codeMap.has(name));
  const code = key === undefined ? words.find(([, names]) => names.test(word))?.[0] : codeMap.get(key);
  return code === 'grant_revoked' && !isRenewable ? 'grant_rejected' : code;
}

// The body of a success is never shown: there may be a token in it.
function describeBody({ status, headers, text }: Answer, secrets: readonly string[]): string {
  const type = excerpt(headers.get('content-type') ?? 'no content type', [], 64);
  if (text === undefined) return `(${type}): over the size limit`;
  return `(${type}): ${status < 300 ? 'not the JSON object of a success' : excerpt(text, secrets, 200) || 'empty body'}`;
}

// The registered words are long runs of letters themselves, which an excerpt would take for tokens.
function showWord(word: string, secrets: readonly string[]): string {
  return /^[a-z_]{1,64}$/.test(word) && !secrets.some((secret) => word.includes(secret)) ? word : excerpt(word, secrets, 64);
}
