import type { Clock } from '../core/clock.js';
import type { HttpEvent } from '../core/events.js';
import type { ResourceChallenge } from './read-refusal.js';
import type { TokenRejections } from './rejected-token.js';

/** How an auth fetch treats requests. */
export interface AuthFetchOptions {
  /**
   * Who may see the token: origins (`https://api.example.com`) or URL prefixes (`https://example.com/api/v1`). Compared on
   * parsed URLs, at path-segment boundaries; no wildcards. Plain http only on loopback and for `allowInsecureHttp`.
   */
  readonly allow: readonly string[];
  /** What becomes of a request to anywhere else: sent without a token, or refused with `url_refused`. @default 'plain' */
  readonly allowOutside?: 'plain' | 'refuse' | undefined;
  /** Plain http origins beyond loopback that may see the token. Whoever can read that network can take the token. */
  readonly allowInsecureHttp?: readonly string[] | undefined;
  /** Sends the requests. @default the global `fetch`, looked up at each call */
  readonly fetch?: typeof fetch | undefined;
  /**
   * Called when the API asks for more than this token can give: `insufficient_scope` (RFC 6750 §3.1),
   * `insufficient_user_authentication` (RFC 9470 §3), `insufficient_claims`. The response still goes to the caller,
   * untouched. What the handler throws changes nothing for the call.
   */
  readonly onChallenge?: ((challenge: ResourceChallenge) => unknown) | undefined;
  /** Narrows which 401s mean that the token was refused. Gets a copy of the response, whose body it may read. */
  readonly isTokenRejected?: ((response: Response) => boolean | Promise<boolean>) | undefined;
  /** Which answers are treated like a 401 that refuses the token, beside those: `rejectedToken([…])` for an API with ways of its own. */
  readonly alsoRejected?: TokenRejections | undefined;
  /**
   * Whether the body of a `Request` is kept for a second send: left out, up to 1 MiB; `true`, without a limit; `false`, never.
   * Bodies given as `init.body` are sent again when their type allows it (not a stream), whatever is set here.
   */
  readonly replayBody?: boolean | undefined;
  readonly onEvent?: ((event: HttpEvent) => void) | undefined;
  /** Times the quarantine of a resource that refuses every token. @default the machine's clock */
  readonly clock?: Clock | undefined;
}

/**
 * What a call may say beside the members of `RequestInit`. ky hands both on, but its types don't know them: give ky a
 * constant of this type (`const plain: AuthRequestInit = { auth: false }`).
 */
export interface AuthRequestInit extends RequestInit {
  /** `false`: this call is sent as it is, without a token. */
  readonly auth?: boolean | undefined;
  /** `false`: a 401 of this call goes to the caller; nothing is renewed and nothing is sent again. */
  readonly retryOn401?: boolean | undefined;
}

/** A `fetch` that also takes the members of {@link AuthRequestInit}. */
export type AuthFetch = typeof fetch & ((input: RequestInfo | URL, init?: AuthRequestInit) => Promise<Response>);
