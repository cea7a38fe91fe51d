/** A form in which an API refuses a token beside those of the standards (RFC 6750 §3.1): all members that are given must hold. */
export interface RejectedToken {
  readonly status: number;
  /** The `error` of a challenge in `WWW-Authenticate`. */
  readonly headerError?: string | undefined;
  /** Where to look in a JSON body of at most 64 KiB: names from the outside in, joined by dots (`error`, `0.errorCode`). */
  readonly path?: string | undefined;
  /** What stands there. */
  readonly equals?: string | number | boolean | undefined;
}

/**
 * How an authorization server departs from the standards: frozen, serialisable data. A server that conforms needs none.
 */
export interface Preset {
  /** Which well-known document to ask first. @default 'oauth' */
  readonly discovery?: 'oidc' | 'oauth' | undefined;
  /** Hosts beside the issuer's own where discovery may put endpoints that are not https or lie on private addresses. */
  readonly endpointOrigins?: readonly string[] | undefined;
  /** Whom signed assertions are for, of clients and of grants. @default 'issuer' (RFC 7523 §3 as updated by RFC 10070) */
  readonly assertionAudience?: 'issuer' | 'token_endpoint' | undefined;
  /** The `typ` of clients' assertions. @default 'client-authentication+jwt' */
  readonly assertionTyp?: 'client-authentication+jwt' | 'JWT' | 'none' | undefined;
  /** Which headers name the key of such assertions, as far as they are known. @default kid and x5t#S256 */
  readonly assertionHeaders?: readonly ('kid' | 'x5t' | 'x5t#S256')[] | undefined;
  /** What separates scope tokens in responses. @default 'space' */
  readonly scopeSeparator?: 'space' | 'comma' | undefined;
  /** Statuses of a successful token response. @default [200] */
  readonly successStatuses?: readonly number[] | undefined;
  /** Shape of a token response. @default 'json' */
  readonly responseFormat?: 'json' | 'form' | undefined;
  /** Type assumed when the response names none. */
  readonly tokenTypeDefault?: 'Bearer' | 'DPoP' | undefined;
  /** Response's own type name, in lower case, to the one it stands for. */
  readonly tokenTypeMap?: Readonly<Record<string, 'Bearer' | 'DPoP'>> | undefined;
  /** What lifetimes mean here. */
  readonly expiresIn?: { readonly unknownLifetimeMs?: number | undefined; readonly zeroMeans?: 'expired' | 'unknown' | undefined } | undefined;
  /** The token's own `exp` may shorten a known lifetime. @default false */
  readonly expHint?: boolean | undefined;
  /** Response members handed on under `raw`. */
  readonly rawMembers?: readonly string[] | undefined;
  /** Whether a refresh sends the scope again. @default 'omit' */
  readonly scopeOnRefresh?: 'omit' | 'required' | undefined;
  /** Whether a refresh replaces the refresh token. @default 'unknown' (treated as 'always') */
  readonly rotation?: 'always' | 'optional' | 'none' | 'unknown' | undefined;
  /** False: using a refresh token does not put off its end, which the server names; `reauth_soon` tells of it. @default true */
  readonly sliding?: boolean | undefined;
  /** How long a refresh token and its successors live from the sign-in on, in milliseconds, where the server does not say. */
  readonly absoluteLifetimeMs?: number | undefined;
  /** How long an unused refresh token lives at least, in milliseconds: `sweep()` of accounts refreshes it in time. */
  readonly idleLifetimeMs?: number | undefined;
  /** `unsupported`: confidential clients leave PKCE out. @default 'required' */
  readonly pkce?: 'required' | 'unsupported' | undefined;
  /** Algorithms that ID tokens may be signed with: the registered `id_token_signed_response_alg`. @default ['RS256'] */
  readonly idTokenAlgorithms?: readonly string[] | undefined;
  /** `tls`: an ID token is trusted for the channel that it came through (OIDC Core §3.1.3.7 item 6). @default 'jwks' */
  readonly idTokenSignature?: 'jwks' | 'tls' | undefined;
  /** Where and how users sign out at the provider. @default 'oidc' (RP-Initiated Logout) */
  readonly logout?: 'oidc' | 'none' | { readonly url: string; readonly clientIdParam: string; readonly redirectParam: string } | undefined;
  /** How its APIs refuse a token, beside a 401. `createServiceClient` heeds it; other HTTP clients take it as `alsoRejected: rejectedToken(…)`. */
  readonly rejectedToken?: readonly RejectedToken[] | undefined;
  /** Provider error codes that mean something else here; they move an error between kinds, never hide one. */
  readonly codeMap?: Readonly<Record<string, 'grant_revoked' | 'interaction_required' | 'client_rejected' | 'request_rejected' | 'server_error'>> | undefined;
}
