/// <reference lib="esnext.disposable" preserve="true" />
import type { TokenError } from '../core/errors.js';
import type { JournalEntry } from '../core/events.js';
import type { AccountStore } from '../core/token-store.js';
import type { TokenTarget } from '../core/token-source.js';
import type { TokenManagerOptions } from '../manager/create-token-manager.js';
import type { TokenManager } from '../manager/token-manager.js';
import type { SignInOptions } from '../protocol/authorization/sign-in-options.js';
import type { AuthorizationServerOptions } from '../protocol/issuer/authorization-server.js';

/** The server, the client, where users come back to, and where the accounts are kept. */
export interface AccountsOptions extends AuthorizationServerOptions, TokenTarget, Pick<TokenManagerOptions, 'lock' | 'clock' | 'skewMs' | 'minValidMs'> {
  /** As registered at the server. */
  readonly redirectUri: string;
  /** Where everything is kept; it holds secrets, so put `encryptedStore` around it. Several `createAccounts` may share one. */
  readonly store: AccountStore;
  /** Tells apart accounts of one server and client that are not to meet. @default 'default' */
  readonly name?: string | undefined;
  /** For how long a refresh token may lie unused, in milliseconds: `sweep()` uses it in time. @default what the server says, else the preset */
  readonly refreshTokenIdleMs?: number | undefined;
  /** The member of a token response that says who connected, where there is no ID token: a reconnect has to bring the same. */
  readonly subjectMember?: string | undefined;
  /** How many accounts are kept in memory at once. @default 1_000 */
  readonly maxAccounts?: number | undefined;
  /** After how long an account in memory is read from the store again, in milliseconds. @default 60_000 */
  readonly recheckMs?: number | undefined;
  /** Hears what happens to every account. It runs isolated: what it throws hurts nobody. */
  readonly onEvent?: ((event: AccountEvent) => void) | undefined;
}

/** `needs_reconnect`: only its owner can help, by connecting it again. */
export type AccountState = 'healthy' | 'renewing' | 'needs_reconnect';

/** `no_refresh_token`: the server gave none, and the access token has run out. */
export type ReconnectReason = 'grant_revoked' | 'rotation_lost' | 'key_lost' | 'no_refresh_token';

/** An event of an account's manager, or the news that it needs a reconnect: once, in the process that found out. */
export type AccountEvent = (JournalEntry | { readonly type: 'needs_reconnect'; readonly reason: ReconnectReason; readonly at: number }) & {
  readonly accountId: string;
};

/** What can be seen of an account without opening its record. */
export interface AccountInfo {
  readonly accountId: string;
  readonly state: AccountState;
  /** Why it needs a reconnect. */
  readonly reason?: ReconnectReason | undefined;
  /** When the sweep will see to it: epoch milliseconds. */
  readonly dueAt?: number | undefined;
}

/** An account's record, opened, without its secrets. */
export interface AccountDetails extends AccountInfo {
  /** Who connected it, where that is known. */
  readonly subject?: string | undefined;
  /** What its tokens are good for. */
  readonly scope: readonly string[];
  /** Members of the server's answers that the preset lists. */
  readonly raw: Readonly<Record<string, unknown>>;
}

export interface AccountQuery {
  readonly state?: AccountState | undefined;
  /** How many the store is asked for at a time. @default 100 */
  readonly limit?: number | undefined;
}

export interface AccountPage {
  /** At most `limit`; may be fewer, also where there are more pages. */
  readonly accounts: readonly AccountInfo[];
  /** Where the next page begins; undefined: this was the last one. */
  readonly cursor?: string | undefined;
}

export interface AuthorizeOptions extends SignInOptions {
  /** Where the user goes afterwards: a path, or a URL of the redirect URI's origin. `callback` gives it back. */
  readonly returnTo?: string | undefined;
}

export interface Connected {
  readonly accountId: string;
  readonly returnTo?: string | undefined;
  /** Members of the server's answer that the preset lists: a tenant, the address of the API. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** An account as another database kept it. */
export interface ImportedAccount {
  readonly refreshToken: string;
  /** One that is still good, with what is left of it. @default none: the first call spends the refresh token */
  readonly accessToken?: string | undefined;
  readonly expiresInMs?: number | undefined;
  readonly scope?: string | readonly string[] | undefined;
  readonly idToken?: string | undefined;
  /** Who connected it: a reconnect has to bring the same. @default the `sub` of `idToken` */
  readonly subject?: string | undefined;
  readonly raw?: Readonly<Record<string, unknown>> | undefined;
  /** Puts it in the place of what is there, also of a disconnected one. @default false */
  readonly replace?: boolean | undefined;
}

export interface SweepOptions {
  /** How many renewals at a time. @default 4 */
  readonly concurrency?: number | undefined;
  /** Over how long the renewals are spread, in milliseconds. @default 0: as fast as the server takes them */
  readonly spreadMs?: number | undefined;
  /** At most this many accounts, the most urgent first of those found; the next sweep goes on. @default 10_000 */
  readonly limit?: number | undefined;
  /** Ends it after the renewals that are under way. */
  readonly signal?: AbortSignal | undefined;
}

export interface SweepReport {
  /** Another sweep is under way, in this process or another one; nothing was done. */
  readonly elsewhere: boolean;
  /** How many accounts were due. */
  readonly due: number;
  readonly renewed: number;
  /** Somebody else had seen to them, or was at it, or all there was to do was to say `reauth_soon`. */
  readonly skipped: number;
  /** Those that were found to need a reconnect. */
  readonly needReconnect: readonly string[];
  /** They stay due. */
  readonly failed: readonly { readonly accountId: string; readonly error: TokenError }[];
  /** What was left of accounts that were disconnected a day ago, and of connections that were never finished. */
  readonly deleted: number;
}

/** One refresh token per connected customer, in a durable store, safe for many processes. */
export interface Accounts {
  /**
   * Begins a connection, or a reconnection: send the user to `url`, and put `transaction` in a cookie (HttpOnly, Secure,
   * SameSite=Lax, ten minutes).
   * @throws {TokenError} `invalid_option`, `store_unavailable`; what discovery or a pushed request may end with.
   */
  authorize(accountId: string, options?: AuthorizeOptions): Promise<{ readonly url: string; readonly transaction: string }>;
  /**
   * Finishes it with the request that the user came back with, and the cookie's value. Of a `Request` only path and query count,
   * since proxies change the rest; a string may be a path. What does not belong to that transaction is refused before anything
   * is sent; a transaction is good for one callback, whatever comes of it.
   * @throws {TokenError} `callback_refused`, `subject_mismatch`, `login_required` (the user declined), `code_lost`,
   * `id_token_rejected`, `store_unavailable`, …
   */
  callback(request: Request | URL | string, options: { readonly transaction: string | undefined }): Promise<Connected>;
  /**
   * Takes over an account from elsewhere. False, and nothing changes, when there is one by this id, or was until it was
   * disconnected: so an import can be repeated.
   * @throws {TokenError} `invalid_option`, `subject_mismatch`, `store_unavailable`
   */
  import(accountId: string, account: ImportedAccount): Promise<boolean>;
  /** The account's tokens. Keep it or ask again, as you like: it holds only the id. */
  account(accountId: string): TokenManager;
  /** All accounts, as the store's index shows them: no record is opened. In the store's own order. */
  list(query?: AccountQuery): AsyncIterable<AccountInfo>;
  /** The same, a page at a time. */
  page(query?: AccountQuery & { readonly cursor?: string | undefined }): Promise<AccountPage>;
  /** Opens one record; undefined when there is no such account. @throws {TokenError} `store_unavailable` */
  details(accountId: string): Promise<AccountDetails | undefined>;
  /**
   * Forgets an account, and revokes its tokens at the server. A tombstone stays for a day, so that no renewal that was under way
   * brings it back.
   * @throws {TokenError} when the server could not be told, or the store; see {@link TokenManager.revoke}.
   */
  disconnect(accountId: string): Promise<void>;
  /**
   * Renews what would expire unused, goes on with renewals that a crash interrupted, and deletes what is over. Call it every few minutes
   * in every process: one of them does it.
   * @throws {TokenError} `store_unavailable`; the signal's reason.
   */
  sweep(options?: SweepOptions): Promise<SweepReport>;
  /** Refuses further calls, and waits (at most 40 s) until refresh tokens that were sent have their successors stored. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
