import type { Grant, GrantContext } from '../core/grant.js';
import type { KeptTokens } from '../manager/keep-tokens.js';
import { renew } from '../manager/renew.js';
import type { Renew } from '../manager/renewal-tools.js';
import type { AuthorizationResponse } from '../protocol/authorization/authorization-response.js';
import type { AuthorizationTransaction } from '../protocol/authorization/authorization-transaction.js';
import type { AuthorizationServer } from '../protocol/issuer/authorization-server.js';
import type { BrowserStorage } from './browser-storage.js';
import type { RenewalPlace } from './session.js';
import { sessionGrant } from './session-grant.js';
import type { SessionSetup } from './session-setup.js';

/** What renews a session's tokens, and what it is bound to. */
export interface Renewal {
  readonly renew: Renew;
  readonly grant: Grant;
  readonly server: AuthorizationServer;
  /**
   * Redeems the code of a sign-in; its tokens lie in the record when this resolves.
   * @throws {TokenError} as `redeemCode` and {@link KeptTokens.signIn}
   */
  signIn(transaction: AuthorizationTransaction, response: AuthorizationResponse, kept: KeptTokens, context: GrantContext): Promise<void>;
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
    signIn: async (transaction, response, kept, context) => kept.signIn(await redeem(transaction, response, context)),
    place: () => place,
    end: () => undefined,
  };
}
