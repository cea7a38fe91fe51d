import type { TokenError } from './errors.js';

/** Why a token was wanted. */
export type RenewalReason = 'missing' | 'expiring' | 'expired' | 'refused' | 'short';

/** Something worth knowing that is not a failure. */
export type WarningCode =
  | 'lifetime_unknown'
  | 'same_token_returned'
  | 'large_token'
  | 'auth_method_not_listed'
  | 'stale_metadata'
  | 'record_unreadable'
  | 'storage_degraded'
  | 'id_token_dropped'
  | 'listener_failed';

/** What happens to a token between two uses. No event ever holds a secret. */
export type TokenEvent =
  /** A new access token is in use: requested from the server, or adopted from the store. */
  | {
      readonly type: 'token';
      readonly source: 'server' | 'store';
      readonly reason: RenewalReason;
      readonly background: boolean;
      readonly expiresAt: number | undefined;
      readonly target: string;
    }
  /** The token entered its renewal window; it is still served. */
  | { readonly type: 'expiring'; readonly expiresAt: number | undefined; readonly target: string }
  /** The token is not handed out any more. */
  | { readonly type: 'expired'; readonly expiresAt: number | undefined; readonly target: string }
  /** A resource server refused the current token. */
  | { readonly type: 'refused'; readonly target: string }
  /** A renewal failed. With `background`, no caller noticed. */
  | { readonly type: 'renewal_failed'; readonly error: TokenError; readonly background: boolean; readonly retryAt: number | undefined; readonly target: string }
  /** One request of a renewal failed and is repeated. */
  | { readonly type: 'attempt_failed'; readonly error: TokenError; readonly attempt: number; readonly retryInMs: number; readonly target: string }
  /** The grant is dead; only a new sign-in or reconnect helps. With `elsewhere`, another tab or process ended it, and the store told. */
  | {
      readonly type: 'session_ended';
      readonly reason: 'grant_revoked' | 'rotation_lost' | 'cleared' | 'revoked' | 'storage_cleared' | 'key_lost';
      readonly elsewhere: boolean;
    }
  /** The refresh token ends at `expiresAt`, however often it is used: ask its user to sign in again, or to reconnect, before. Once. */
  | { readonly type: 'reauth_soon'; readonly expiresAt: number }
  /** Somebody signed in here; whatever was kept before is gone. */
  | { readonly type: 'signed_in' }
  /** The server granted less than was asked for. */
  | { readonly type: 'scope_narrowed'; readonly requested: readonly string[]; readonly granted: readonly string[] }
  /** The store failed; tokens are served from memory meanwhile. */
  | { readonly type: 'storage_error'; readonly error: TokenError }
  | { readonly type: 'warning'; readonly code: WarningCode; readonly message: string };

/** What happens on the way to a resource server. */
export type HttpEvent =
  /** A request went outside the allow-list and carried no token. Once per origin. */
  | { readonly type: 'origin_not_allowed'; readonly origin: string }
  /** A 401 was answered with a renewal and a second send. */
  | { readonly type: 'retried'; readonly origin: string; readonly status: number }
  /** A 401 went to the caller because the request's body could not be sent again. */
  | { readonly type: 'not_replayable'; readonly origin: string }
  /** A 401 went to the caller because the renewal failed. */
  | { readonly type: 'renewal_unavailable'; readonly origin: string; readonly error: TokenError }
  /** A resource refused even a fresh token: its 401s cause no renewal until `until` (epoch milliseconds). */
  | { readonly type: 'quarantined'; readonly resource: string; readonly until: number }
  /** The resource asks for more than this token can give (RFC 6750 §3.1, RFC 9470). */
  | {
      readonly type: 'step_up';
      readonly origin: string;
      readonly error: string;
      readonly scopes: readonly string[];
      readonly acrValues: readonly string[];
      readonly maxAgeMs: number | undefined;
    };

/** One line of the journal: an event and when it happened, in epoch milliseconds. */
export type JournalEntry = TokenEvent & { readonly at: number };
