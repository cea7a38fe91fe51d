/**
 * What a failure asks of the application.
 *
 * - `transient`: try later; nothing was lost.
 * - `interaction`: a new sign-in or reconnect helps.
 * - `configuration`: a person must change a setting.
 * - `terminal`: nothing helps here.
 */
export type TokenErrorKind = 'transient' | 'interaction' | 'configuration' | 'terminal';

/** Where a failure happened. */
export type TokenErrorPhase =
  | 'options'
  | 'discovery'
  | 'authorization'
  | 'token'
  | 'id_token'
  | 'user_info'
  | 'device'
  | 'introspection'
  | 'revocation'
  | 'store'
  | 'lock'
  | 'wait'
  | 'http'
  | 'manager';

/** Why it failed: a closed list, documented one by one in `docs/errors.md`. */
export type TokenErrorCode =
  | 'network_error'
  | 'timeout'
  | 'server_error'
  | 'rate_limited'
  | 'invalid_response'
  | 'wait_timeout'
  | 'lock_timeout'
  | 'lock_lost'
  | 'store_unavailable'
  | 'code_unavailable'
  | 'grant_failed'
  | 'grant_revoked'
  | 'rotation_lost'
  | 'session_changed'
  | 'login_required'
  | 'interaction_required'
  | 'key_lost'
  | 'callback_refused'
  | 'subject_mismatch'
  | 'code_lost'
  | 'popup_blocked'
  | 'popup_closed'
  | 'invalid_option'
  | 'client_rejected'
  | 'request_rejected'
  | 'grant_rejected'
  | 'redirect_refused'
  | 'unacceptable_response'
  | 'unexpected_status'
  | 'unknown_error'
  | 'discovery_failed'
  | 'issuer_mismatch'
  | 'endpoint_refused'
  | 'id_token_rejected'
  | 'url_refused'
  | 'disposed'
  | 'static_token_expired';

// The code decides the kind, so no two places can disagree about one failure. What is in no list is `configuration`.
const kinds: readonly (readonly [TokenErrorKind, readonly TokenErrorCode[]])[] = [
  [
    'transient',
    [
      'network_error',
      'timeout',
      'server_error',
      'rate_limited',
      'invalid_response',
      'wait_timeout',
      'lock_timeout',
      'lock_lost',
      'store_unavailable',
      'code_unavailable',
      'grant_failed',
    ],
  ],
  [
    'interaction',
    [
      'grant_revoked',
      'rotation_lost',
      'session_changed',
      'login_required',
      'interaction_required',
      'key_lost',
      'callback_refused',
      'subject_mismatch',
      'code_lost',
      'popup_blocked',
      'popup_closed',
    ],
  ],
  ['terminal', ['disposed', 'static_token_expired']],
];

/** The facts of a failure beside its code and message. None of them ever holds a secret. */
export interface TokenErrorDetails {
  readonly phase: TokenErrorPhase;
  /** The authorization server's own `error` word (RFC 6749 §5.2). */
  readonly oauthError?: string | undefined;
  /** HTTP status of the response that caused the failure. */
  readonly status?: number | undefined;
  /** How long the server asked to be left alone, in milliseconds (RFC 9110 §10.2.3). */
  readonly retryAfterMs?: number | undefined;
  /** How many requests were sent before giving up. */
  readonly attempts?: number | undefined;
  /** True when the failure is remembered from an earlier request and nothing was sent this time. */
  readonly fromCache?: boolean | undefined;
}

/**
 * Every failure this package throws. Branch on `kind`, or on `code` for a finer answer; the message is for people.
 * Aborts are not wrapped: they reject with the signal's own reason.
 */
export class TokenError extends Error implements TokenErrorDetails {
  override readonly name: 'TokenError' = 'TokenError';
  declare readonly kind: TokenErrorKind;
  declare readonly code: TokenErrorCode;
  declare readonly phase: TokenErrorPhase;
  declare readonly oauthError: string | undefined;
  declare readonly status: number | undefined;
  declare readonly retryAfterMs: number | undefined;
  declare readonly attempts: number | undefined;
  declare readonly fromCache: boolean;

  constructor(code: TokenErrorCode, message: string, details: TokenErrorDetails) {
    super(message);
    const { phase, oauthError, status, retryAfterMs, attempts, fromCache = false } = details;
    const kind = kinds.find(([, codes]) => codes.includes(code))?.[0] ?? 'configuration';
    Object.assign(this, { kind, code, phase, oauthError, status, retryAfterMs, attempts, fromCache });
  }

  /** The same failure with some facts added or replaced. */
  with(details: Partial<TokenErrorDetails>): TokenError {
    return new TokenError(this.code, this.message, { ...this, ...details });
  }

  toJSON(): TokenErrorDetails & { name: string; kind: TokenErrorKind; code: TokenErrorCode; message: string } {
    return { ...this, message: this.message };
  }
}

/** Tells a {@link TokenError} from anything else, also one made by another copy of this package. */
export function isTokenError(value: unknown): value is TokenError {
  return value instanceof Error && value.name === 'TokenError' && 'kind' in value && 'code' in value;
}
