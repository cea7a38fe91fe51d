import type { AccessToken } from '../core/access-token.js';
import type { TokenSet } from '../core/token-set.js';
import { type ManagerInternals, managerParts } from './build-manager.js';
import type { TokenManagerOptions } from './create-token-manager.js';
import { follow, type RenewalOrder } from './follow.js';
import type { GrantRecord } from './state.js';
import { type SignInConditions, takeSignIn } from './take-sign-in.js';
import type { TokenManager } from './token-manager.js';

/** A manager, and what the rooms above it do with its record. */
export interface KeptTokens {
  readonly tokens: TokenManager;
  record(): GrantRecord;
  /** As {@link takeSignIn}. */
  signIn(tokens: TokenSet, options?: SignInConditions): Promise<void>;
  /**
   * Forgets, here and in the store, and then asks the server to revoke, which `revoked` settles with.
   * @throws {TokenError} `store_unavailable`, `disposed`; what is forgotten here is revoked all the same.
   */
  signOut(): Promise<{ readonly revoked: Promise<void> }>;
  /** As {@link follow}. */
  renew(targetKey: string, order: RenewalOrder): Promise<AccessToken>;
  /** Something is under way that somebody may wait for, or lies in memory alone. */
  isBusy(): boolean;
  /** The store did not take everything: what memory alone has is offered again with each {@link read}. */
  isUnsaved(): boolean;
  /** Reads the store, while what memory has is served. @throws {TokenError} `store_unavailable` */
  read(): Promise<void>;
  /** The store may have changed: nothing is served before it was read again. `isOnline`: the network is back, which ends what its absence forbade. */
  recheck(isOnline?: boolean): Promise<void>;
}

/** A manager with its insides, from options that are checked here. @throws {TokenError} `invalid_option` */
export function buildManager(options: TokenManagerOptions, internals: ManagerInternals): KeptTokens {
  const parts = managerParts(options, internals);
  const { tokens, targets, renewals, forget } = parts;
  return {
    tokens,
    record: () => targets.own.keeper.record,
    signIn: (brought, conditions = {}) => takeSignIn(brought, conditions, parts),
    signOut: () => forget('revoked'),
    renew: (targetKey, order) => follow(targetKey, order, parts),
    isBusy: () => targets.all().some(({ flight, loading, keeper }) => flight !== undefined || loading !== undefined || keeper.isUnsaved),
    isUnsaved: () => targets.own.keeper.isUnsaved,
    async read() {
      await targets.own.keeper.read();
      renewals.sync(targets.all());
    },
    recheck: renewals.recheck,
  };
}
