import type { Grant, GrantContext } from '../core/grant.js';
import type { KeptTokens } from '../manager/kept-tokens.js';
import { renew } from '../manager/renew.js';
import type { Renew } from '../manager/renewal-tools.js';
import type { GrantRecord } from '../manager/state.js';
import type { AuthorizationResponse } from '../protocol/authorization/authorization-response.js';
import type { AuthorizationTransaction } from '../protocol/authorization/authorization-transaction.js';
import type { AuthorizationServer } from '../protocol/issuer/authorization-server.js';
import type { BrowserStorage } from './browser-storage.js';
import type { RenewalPlace } from './session.js';
import { sessionGrant } from './session-grant.js';
import type { SessionSetup } from './session-setup.js';

/**
 * What a sign-in has brought: puts it in the place of what was kept; with `evenDisposed` also for a session that is gone.
 * @throws {TokenError} as {@link KeptTokens.signIn}
 */
export type Redeemed = (kept: KeptTokens, evenDisposed?: boolean) => Promise<void>;

/** What renews a session's tokens, and what it is bound to. */
export interface Renewal {
  readonly renew: Renew;
  readonly grant: Grant;
  readonly server: AuthorizationServer;
  /**
   * Redeems the code of a sign-in, once. `before`: the record that it is to replace.
   * @throws {TokenError} as `redeemCode`
   */
  redeem(transaction: AuthorizationTransaction, response: AuthorizationResponse, context: GrantContext, before: GrantRecord): Promise<Redeemed>;
  /** Where it runs, as far as that is known. */
  place(): RenewalPlace;
  /** Lets go of what it holds. */
  end(): void;
}

/**
 * Renewal in this very page, under the lock. Where the browser keeps the session, its refresh token is sealed once more.
 * @throws {TokenError} `invalid_option`
 */
export async function tabRenewal(setup: SessionSetup, storage: BrowserStorage, name: string, place: RenewalPlace): Promise<Renewal> {
  const { options, keyStore, grantId } = setup;
  const keys = (await storage.isDegraded()) ? undefined : keyStore;
  // What an application keeps elsewhere is its own affair.
  const { grant, server, redeem } = sessionGrant(options, grantId, name, keys, options.store === undefined);
  return {
    renew,
    grant,
    server,
    async redeem(transaction, response, context) {
      const tokens = await redeem(transaction, response, context);
      return (kept, evenDisposed) => kept.signIn(tokens, { evenDisposed });
    },
    place: () => place,
    end: () => undefined,
  };
}
