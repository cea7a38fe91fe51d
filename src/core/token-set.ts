/**
 * One answer of the token endpoint, normalised. Immutable; a renewal makes a new one.
 * It holds secrets in clear: it travels between a grant, the manager and the store, and never reaches a caller.
 */
export interface TokenSet {
  readonly accessToken: string;
  readonly tokenType: TokenType;
  /** When the request that produced it was sent: epoch milliseconds by the local clock. */
  readonly sentAt: number;
  /** How long the access token lives from `sentAt`, in milliseconds; undefined when nobody said. */
  readonly lifetimeMs: number | undefined;
  /** Granted scope; the requested one when the server names none (RFC 6749 §5.1). */
  readonly scope: readonly string[];
  /** Absent means: keep the one you have (RFC 6749 §6). */
  readonly refreshToken?: string | undefined;
  readonly idToken?: string | undefined;
  /** Further members of the response that the preset lists. */
  readonly raw?: Readonly<Record<string, unknown>> | undefined;
}

/** How an access token is presented to a resource server (RFC 6750, RFC 9449). */
export type TokenType = 'Bearer' | 'DPoP';
