import { TokenError, type TokenErrorCode, type TokenErrorPhase } from '../core/errors.js';
import type { Preset } from '../core/preset.js';
import type { Answer } from './exchange.js';
import { excerpt } from './excerpt.js';
import type { ResponseMembers } from './response-members.js';
import { parseRetryAfter } from './retry-after.js';

/** What the reading of a failure depends on beside the answer itself. */
export interface FailureContext {
  readonly phase: TokenErrorPhase;
  readonly preset: Preset;
  /** A refused refresh token ends a session; a refused grant of another kind is a wrong setting. */
  readonly refusedGrant: 'grant_revoked' | 'grant_rejected';
  /** What was sent and must not be shown. */
  readonly secrets: readonly string[];
  readonly nowMs: number;
}

const codes: Readonly<Record<string, TokenErrorCode>> = {
  invalid_client: 'client_rejected',
  unauthorized_client: 'client_rejected',
  invalid_request: 'request_rejected',
  invalid_scope: 'request_rejected',
  invalid_target: 'request_rejected',
  invalid_resource: 'request_rejected',
  unsupported_grant_type: 'request_rejected',
  use_dpop_nonce: 'request_rejected',
  invalid_dpop_proof: 'request_rejected',
  interaction_required: 'interaction_required',
  login_required: 'interaction_required',
  consent_required: 'interaction_required',
  account_selection_required: 'interaction_required',
  mfa_required: 'interaction_required',
  insufficient_user_authentication: 'interaction_required',
  temporarily_unavailable: 'server_error',
  server_error: 'server_error',
  slow_down: 'rate_limited',
};

/** The members of an error answer that are read. */
export const errorMembers: readonly string[] = ['error', 'error_description', 'suberror', 'error_codes'];

/** An answer that is no success, as a failure: the taxonomy of `standards.md` R10. `members`: undefined without a JSON object. */
export function toTokenError(answer: Answer, members: ResponseMembers | undefined, context: FailureContext): TokenError {
  const { status } = answer;
  const word = typeof members?.['error'] === 'string' && members['error'] !== '' ? members['error'] : undefined;
  const code = (status === 429 ? 'rate_limited' : status === 503 ? 'server_error' : knownCode(word, members, context)) ?? codeOfStatus(answer, members, word);
  const asked = parseRetryAfter(answer.headers.get('retry-after'), context.nowMs);
  return new TokenError(code, describe(answer, members, word, context), {
    phase: context.phase,
    status,
    oauthError: word === undefined ? undefined : showWord(word, context.secrets),
    retryAfterMs: word === 'slow_down' ? Math.max(5000, asked ?? 0) : asked,
  });
}

function knownCode(word: string | undefined, members: ResponseMembers | undefined, context: FailureContext): TokenErrorCode | undefined {
  if (word === undefined) return undefined;
  const { codeMap = {} } = context.preset;
  const numbers: unknown = members?.['error_codes'];
  // The narrower a provider's own code, the more it says.
  for (const key of [`${word}+${String(members?.['suberror'])}`, ...(Array.isArray(numbers) ? numbers.map(String) : []), word]) {
    const mapped = Object.hasOwn(codeMap, key) ? codeMap[key] : undefined;
    if (mapped !== undefined) return mapped === 'grant_revoked' ? context.refusedGrant : mapped;
  }
  if (word === 'invalid_grant') return context.refusedGrant;
  return Object.hasOwn(codes, word) ? codes[word] : undefined;
}

function codeOfStatus({ status, text }: Answer, members: ResponseMembers | undefined, word: string | undefined): TokenErrorCode {
  if (status === 408 || status === 425 || status >= 500) return 'server_error';
  if (word !== undefined) return 'unknown_error';
  const isUnreadable = text === undefined || (members === undefined && (status < 300 || status === 403));
  return isUnreadable ? 'invalid_response' : 'unexpected_status';
}

function describe(answer: Answer, members: ResponseMembers | undefined, word: string | undefined, { phase, secrets }: FailureContext): string {
  const type = excerpt(answer.headers.get('content-type') ?? 'no content type', [], 64);
  const said = `the ${phase} request to ${answer.origin} was answered with ${answer.status}`;
  if (word !== undefined) {
    const description = members?.['error_description'];
    return `${said} "${showWord(word, secrets)}"${typeof description === 'string' ? `: ${excerpt(description, secrets, 200)}` : ''}`;
  }
  if (answer.text === undefined) return `${said} (${type}) and a body over the size limit`;
  if (answer.status < 300) return `${said} (${type})${members === undefined ? ' without a JSON object' : ', which is not a status of success here'}`;
  return `${said} (${type}): ${excerpt(answer.text, secrets, 200) || 'empty body'}`;
}

// The registered words are long runs of letters themselves, which an excerpt would take for tokens.
function showWord(word: string, secrets: readonly string[]): string {
  return /^[a-z_]{1,64}$/.test(word) && !secrets.some((secret) => word.includes(secret)) ? word : excerpt(word, secrets, 64);
}
