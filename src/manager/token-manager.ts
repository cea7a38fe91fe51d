/// <reference lib="esnext.disposable" preserve="true" />
import type { AccessToken } from '../core/access-token.js';
import type { TokenError } from '../core/errors.js';
import type { JournalEntry } from '../core/events.js';
import type { TokenSource, TokenTarget } from '../core/token-source.js';

/** Keeps the access tokens of one grant alive. Safe to call from anywhere, any number of times at once. */
export interface TokenManager extends TokenSource {
  /**
   * Tokens for another API from the same grant. The handle holds only the key: make one per call or keep it, as you like.
   * @throws {TokenError} `invalid_option`
   */
  for(target: TokenTarget): TokenSource;
  /** Waits for a first token, so that a service can fail fast at boot. Rejects as `getToken` does. */
  ready(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** What `getToken` would serve right now, without any I/O; undefined when it would have to wait. */
  peek(): AccessToken | undefined;
  /** The state at a glance; the same object until it changes. */
  snapshot(): TokenSnapshot;
  /** Calls back after each change of `snapshot()`. Starts no timer. Returns its undo. */
  subscribe(listener: () => void): () => void;
  /** The last 200 events, oldest first: what happened and why, without secrets. */
  explain(): readonly JournalEntry[];
  /**
   * Forgets all tokens here, then revokes them at the server where it offers that (RFC 7009).
   * @throws {TokenError} when the server could not be told; the tokens are forgotten all the same.
   */
  revoke(): Promise<void>;
  /**
   * Forgets all tokens of the targets it knows, here and in the store. A renewal in flight is dropped; its callers hear
   * `session_changed`, and what it brings is revoked.
   * @throws {TokenError} `store_unavailable` when the store could not be told; the tokens are forgotten here all the same.
   */
  clear(): Promise<void>;
  /**
   * Refuses new calls with `disposed`, ends all waits and timers, and waits (at most 40 s) until a refresh token that
   * was sent has its successor stored. Closes nothing that it was given. May be called twice.
   */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The state of a manager's own target at a glance. Holds no secret. */
export interface TokenSnapshot {
  /** `empty`: no token yet. `failed`: no usable token, and the last request failed. `ended`: only a new sign-in helps. */
  readonly status: 'empty' | 'ready' | 'renewing' | 'failed' | 'ended' | 'disposed';
  /** Epoch milliseconds; undefined without a token or a known lifetime. */
  readonly expiresAt: number | undefined;
  /** From when the token is renewed behind the callers: epoch milliseconds. */
  readonly renewAt: number | undefined;
  /** Why the last renewal failed; undefined once one succeeded. */
  readonly lastError: TokenError | undefined;
}
