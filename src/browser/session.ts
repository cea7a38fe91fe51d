import type { TokenTarget } from '../core/token-source.js';
import type { createHttpClient, HttpClientOptions } from '../http/create-http-client.js';
import type { ResourceChallenge } from '../http/read-refusal.js';
import type { TokenManagerOptions } from '../manager/create-token-manager.js';
import type { TokenManager, TokenSnapshot } from '../manager/token-manager.js';
import type { IdTokenClaims } from '../protocol/authorization/id-token.js';
import type { SignInOptions } from '../protocol/authorization/sign-in-options.js';
import type { UserInfo } from '../protocol/authorization/user-info.js';
import type { AuthorizationServerOptions } from '../protocol/issuer/authorization-server.js';

/** The server, the client, where it sends its users back to, what its tokens are for, and how they are kept. */
export interface SessionOptions extends Omit<AuthorizationServerOptions, 'dpop'>, TokenTarget, Omit<TokenManagerOptions, 'grant'> {
  /** Where the server sends the user after a sign-in: as registered there, on this origin. */
  readonly redirectUri: string;
  /** Tells sessions of one client on one origin apart, such as two users at once. @default 'default' */
  readonly name?: string | undefined;
  /** Binds the tokens to a key of this browser that cannot be exported (RFC 9449). @default false */
  readonly dpop?: boolean | undefined;
  /**
   * Makes the shared worker that renews, from the file `tokenkeep/worker` as the application serves it; false: this page renews.
   * Where there is none, or with a `fetch`, `store`, `lock` or `clock` of your own, this page renews as well: `snapshot().renewal` says so.
   * @default the file that lies beside this code, as bundlers find it
   */
  readonly worker?: (() => SharedWorker) | false | undefined;
}

/** A sign-in as a session begins it. */
export interface SessionSignInOptions extends SignInOptions {
  /**
   * How the user gets to the server: in this window, or in one of its own, for which `signIn` has to be called in a click.
   * Where popups are blocked, fall back to `redirect`. @default 'redirect'
   */
  readonly via?: 'redirect' | 'popup' | undefined;
  /**
   * Where the user is to be afterwards: a URL of this origin. With a popup this page stays where it is; then this is where the
   * popup goes on if this page has gone. @default where they are now
   */
  readonly returnTo?: string | undefined;
  /**
   * What an API asked for, as the `onChallenge` of `http()` gets it: more scopes, or a fresher or stronger sign-in. What the other
   * options say goes first. The page goes away, so ask the user before. One that a sign-in has answered within the last 30 s is refused
   * with `request_rejected`: an API that always asks for more, or a server that grants no more, would send the user to and fro.
   */
  readonly challenge?: ResourceChallenge | undefined;
}

export interface SignOutOptions {
  /** Ends the user's session at the server too, which means to go there (OpenID Connect RP-Initiated Logout). @default false */
  readonly provider?: boolean | undefined;
  /** Where to go afterwards: a URL of this origin; registered at the server where that is asked to come back. */
  readonly returnTo?: string | undefined;
}

/**
 * Why the tab renews, and no worker: `off`, as the application said; `own_fetch`, `own_store`, `own_lock`, `own_clock`, which a worker
 * cannot have; `storage_degraded`, nothing is shared; `unsupported` by this browser; `refused`, by a content security policy or another
 * origin; `not_loaded`, the file is not there or does not run; `version`, an older or newer worker; `no_keys`, it cannot read keys
 * (WebKit); `silent`, no answer within 3 s; `dead`, it ended twice in short time. The last two are tried again after 30 s.
 */
export type TabReason =
  | 'off'
  | 'own_fetch'
  | 'own_store'
  | 'own_lock'
  | 'own_clock'
  | 'storage_degraded'
  | 'unsupported'
  | 'refused'
  | 'not_loaded'
  | 'version'
  | 'no_keys'
  | 'silent'
  | 'dead';

/** Where renewals run. */
export interface RenewalPlace {
  /** In a shared worker, which outlives the tab, or in this tab; undefined while that is not decided yet. */
  readonly renewal: 'worker' | 'tab' | undefined;
  /** Why it is the tab. */
  readonly renewalReason: TabReason | undefined;
}

/** The state of a session at a glance; the same object until it changes. Holds no secret. */
export interface SessionSnapshot extends TokenSnapshot, RenewalPlace {
  /** `restoring` until the store was read, or the sign-in in the URL is complete. */
  readonly state: 'restoring' | 'signed_in' | 'signed_out';
  /** Who is signed in, as their ID token says; undefined without the scope `openid`. */
  readonly user: IdTokenClaims | undefined;
}

/** A user's session in a browser: signs in and out, keeps the tokens alive, across reloads and tabs. */
export interface Session extends TokenManager {
  /**
   * Finishes the sign-in that the URL carries, if it carries one, else restores what is stored. Call it once when the page
   * loads, before a router reads the URL; further calls get the same result. After a `transient` failure nothing is lost, and the
   * next call goes on. In a popup it hands the callback to the page that opened it, and closes the window.
   * @throws {TokenError} when a sign-in failed: `callback_refused`, `login_required` (the user declined), `code_lost`,
   * `id_token_rejected`, … A failed restore throws nothing: nobody is signed in, then.
   */
  start(): Promise<SessionSnapshot>;
  /**
   * Sends the user to the server to sign in, and back. By redirect the promise stays open while the page goes away, and `start()`
   * on the page that they come back to finishes it. By popup it resolves when they are signed in.
   * @throws {TokenError} `invalid_option`, `discovery_failed`, what a request to the server may end with, `store_unavailable` (also with
   * `dpop` where the browser keeps nothing, so that a redirect would lose the key), `code_unavailable`, `disposed`; with a popup also `popup_blocked`, `popup_closed`, and what `start()` throws.
   */
  signIn(options?: SessionSignInOptions): Promise<SessionSnapshot>;
  /**
   * Forgets all tokens here and in all tabs, which works offline, then revokes them at the server, as far as it can be
   * reached within two seconds. A renewal that is under way brings nothing back.
   * @throws {TokenError} `invalid_option`; `store_unavailable` when the tokens could not be removed from the store.
   */
  signOut(options?: SignOutOptions): Promise<void>;
  /** Who is signed in, as their validated ID token says; undefined without the scope `openid`. */
  readonly user: IdTokenClaims | undefined;
  /**
   * What the server tells of the user (OpenID Connect Core §5.3).
   * @throws {TokenError} as `getToken`; `id_token_rejected` when the answer is about somebody else.
   */
  userInfo(): Promise<UserInfo>;
  snapshot(): SessionSnapshot;
  /** A ky instance whose requests carry a token and are repeated once after a 401. See `createHttpClient`. */
  http(options: SessionHttpOptions): ReturnType<typeof createHttpClient>;
}

export interface SessionHttpOptions extends Omit<HttpClientOptions, 'tokens'> {
  /** Where the tokens come from: `session.for(target)` for another API. @default the session's own tokens */
  readonly tokens?: HttpClientOptions['tokens'] | undefined;
}
