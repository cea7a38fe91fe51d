import type { AccessToken } from './access-token.js';

/** Anything that can give a usable access token. Safe to call concurrently. */
export interface TokenSource {
  /**
   * An access token that is fit for use now.
   * @throws {TokenError} when there is none and none can be had; the signal's reason when the wait is aborted.
   */
  getToken(options?: GetTokenOptions): Promise<AccessToken>;
}

export interface GetTokenOptions {
  /**
   * The access token that a resource server has just refused. It is replaced if it is still the current one (compare
   * and swap by value); if somebody already replaced it, the newer one is the answer and nothing is requested.
   */
  readonly invalidToken?: AccessToken | undefined;
  /**
   * The caller would like the token to live at least this long, in milliseconds. Best effort: capped at half of the
   * token's lifetime, never an error.
   */
  readonly minValidMs?: number | undefined;
  /** Ends this wait only; the shared request goes on for the others. */
  readonly signal?: AbortSignal | undefined;
}

/** Which API a token is for, where one grant serves several. What is left out is taken from the grant. */
export interface TokenTarget {
  /** Resource indicators (RFC 8707): absolute URIs without fragment. */
  readonly resource?: string | readonly string[] | undefined;
  /** The `audience` parameter of servers that use one. */
  readonly audience?: string | undefined;
  /** Space-separated, or a list. */
  readonly scope?: string | readonly string[] | undefined;
  /** Further parameters of the token request. They cannot override the protocol's own. */
  readonly params?: Readonly<Record<string, string>> | undefined;
}
