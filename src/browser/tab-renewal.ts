import type { Grant } from '../core/grant.js';
import { checkTokenParameters } from '../core/token-parameters.js';
import type { TokenSet } from '../core/token-set.js';
import { renew } from '../manager/renew.js';
import type { Renew } from '../manager/renewal-tools.js';
import { signedInGrant } from '../protocol/authorization/signed-in-grant.js';
import { dpop } from '../protocol/dpop/dpop.js';
import { type AuthorizationServer, checkAuthorizationServer } from '../protocol/issuer/authorization-server.js';
import { webCryptoCipher } from '../storage/web-crypto-cipher.js';
import type { BrowserStorage } from './browser-storage.js';
import { sealedGrant } from './sealed-grant.js';
import type { SessionSetup } from './session-setup.js';

const further = ['redirectUri', 'scope', 'resource', 'audience', 'params'];

/** What renews a session's tokens, and what it is bound to. */
export interface Renewal {
  readonly renew: Renew;
  readonly grant: Grant;
  readonly server: AuthorizationServer;
  /** A token set as the record may hold it. */
  seal(tokens: TokenSet): Promise<TokenSet>;
}

/**
 * Renewal in this very page, under the lock. Where the browser keeps the session, its refresh token is sealed once more.
 * @throws {TokenError} `invalid_option`
 */
export async function tabRenewal(setup: SessionSetup, storage: BrowserStorage, name: string): Promise<Renewal> {
  const { options, keyStore, grantId } = setup;
  const { issuer, server: metadata, clientId, auth, fetch, preset, allowInsecureHttp, redirectUri, scope, resource, audience, params } = options;
  const keepsKeys = options.store === undefined && !(await storage.isDegraded());
  const bound = options.dpop === true && { dpop: dpop(keepsKeys ? { keyStore, keyName: `${name}:dpop` } : {}) };
  const given = { issuer, server: metadata, clientId, auth, fetch, preset, allowInsecureHttp, redirectUri, scope, resource, audience, params, ...bound };
  const server = checkAuthorizationServer('createSession', given, further);
  // The key that proofs are made with is the session's, whatever record it is in.
  const { identity: _, ...grant } = { ...signedInGrant(server, checkTokenParameters(options)), id: grantId };
  if (!keepsKeys) return { renew, grant, server, seal: (tokens) => Promise.resolve(tokens) };
  const sealed = sealedGrant(grant, webCryptoCipher({ keyStore, name: 'refresh-token' }), name);
  return { renew, grant: sealed, server, seal: sealed.seal };
}
