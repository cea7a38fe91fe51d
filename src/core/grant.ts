import type { Clock } from './clock.js';
import type { TokenEvent } from './events.js';
import type { TokenSet } from './token-set.js';
import type { TokenTarget } from './token-source.js';

/** One request to a resource server, as a DPoP proof names it (RFC 9449 §4.2). */
export interface ProofRequest {
  readonly method: string;
  readonly url: string | URL;
  /** The access token that the request carries. */
  readonly accessToken: string;
  /** The resource server's nonce (RFC 9449 §9). */
  readonly nonce?: string | undefined;
}

/** Knows one way to get tokens, and nothing about time, storage or concurrency. */
export interface Grant {
  /** Issuer, client and defaults: grants with equal ids may share stored tokens. Never holds a secret. */
  readonly id: string;
  /**
   * `refreshToken`: one record and one lock for the whole grant, all its access tokens in it.
   * `regrant`: the grant is simply made again; one record per target. `never`: what there is, is all there is.
   */
  readonly renews: 'refreshToken' | 'regrant' | 'never';
  /**
   * True when the refresh token stays the same at every renewal, by the server's promise; then no intent is journalled
   * before a renewal. Left out: it may rotate.
   */
  readonly keepsRefreshToken?: boolean | undefined;
  /** Tells this grant's record from another's with the same id, in a shared store; a digest, never a secret. */
  identity?(): Promise<string>;
  /**
   * One request. Never called twice at a time for one record.
   * @throws {TokenError} with the reason; anything else that is thrown counts as `grant_failed`.
   */
  request(current: TokenSet | undefined, context: GrantContext): Promise<TokenSet>;
  /**
   * Revokes at the server (RFC 7009), where it offers that. An empty token is none; a refresh token that is left out is
   * the one that the grant itself holds.
   */
  revoke?(tokens: TokenSet, context: GrantContext): Promise<void>;
  /** A proof that the sender holds the key its tokens are bound to: for tokens of the type DPoP. */
  prove?(request: ProofRequest, clock: Clock): Promise<string>;
}

/** What a grant is given for one request. */
export interface GrantContext {
  readonly target: TokenTarget;
  readonly clock: Clock;
  /** Aborts at the time limit of this attempt. */
  readonly signal: AbortSignal;
  /** Puts something worth knowing in the journal. */
  readonly report: (event: TokenEvent) => void;
}
