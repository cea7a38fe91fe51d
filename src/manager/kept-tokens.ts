import type { AccessToken } from '../core/access-token.js';
import type { RenewalReason } from '../core/events.js';
import type { TokenSet } from '../core/token-set.js';
import type { TokenRequest } from './decide.js';
import type { GrantRecord } from './state.js';
import type { TokenManager } from './token-manager.js';

/** A manager, and what the rooms above it do with its record. */
export interface KeptTokens {
  readonly tokens: TokenManager;
  record(): GrantRecord;
  /**
   * Puts what a sign-in has brought in the place of whatever was kept before. A store that cannot be written loses none of it:
   * it is served from memory. An empty access token is none.
   * @throws {TokenError} `session_changed` when somebody signed out meanwhile, or the record is one that it must not replace; `disposed`
   */
  signIn(tokens: TokenSet, options?: SignInConditions): Promise<void>;
  /**
   * Forgets, here and in the store, and then asks the server to revoke, which `revoked` settles with.
   * @throws {TokenError} `store_unavailable`, `disposed`; what is forgotten here is revoked all the same.
   */
  signOut(): Promise<{ readonly revoked: Promise<void> }>;
  /**
   * Renews behind whoever uses the token, however long it has left; what somebody else has renewed meanwhile does as well.
   * @throws {TokenError} why there is no new one
   */
  renewNow(): Promise<void>;
  /**
   * Renews as another manager over the same record has decided, unless that happened meanwhile, or failed just now.
   * @throws {TokenError}
   */
  renew(targetKey: string, order: RenewalOrder): Promise<AccessToken>;
  /** Something is under way that somebody may wait for, or lies in memory alone. */
  isBusy(): boolean;
  /** The store may have changed: nothing is served before it was read again. `isOnline`: the network is back, which ends what its absence forbade. */
  recheck(isOnline?: boolean): Promise<void>;
}

/** What another manager has decided. */
export interface RenewalOrder {
  readonly reason: RenewalReason;
  readonly background: boolean;
  readonly want: TokenRequest;
}

/** What a sign-in may depend on. */
export interface SignInConditions {
  /** True for a record that it must not replace. */
  readonly refuses?: ((record: GrantRecord) => boolean) | undefined;
  /** A store that cannot be written is a failure; memory holds the tokens all the same. */
  readonly mustStore?: boolean | undefined;
}
