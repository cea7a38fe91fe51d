import type { Grant } from '../core/grant.js';
import { checkTokenParameters } from '../core/token-parameters.js';
import type { KeyStore } from '../core/key-store.js';
import type { TokenSet } from '../core/token-set.js';
import { renew } from '../manager/renew.js';
import type { Renew } from '../manager/renewal-tools.js';
import { signedInGrant } from '../protocol/authorization/signed-in-grant.js';
import { type Dpop, dpop } from '../protocol/dpop/dpop.js';
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
  const keepsKeys = !(await storage.isDegraded());
  const bound = options.dpop === true && { dpop: keepsKeys ? keptKey(keyStore, `${name}:dpop`) : dpop() };
  const given = { issuer, server: metadata, clientId, auth, fetch, preset, allowInsecureHttp, redirectUri, scope, resource, audience, params, ...bound };
  const server = checkAuthorizationServer('createSession', given, further);
  // The key that proofs are made with is the session's, whatever record it is in.
  const { identity: _, ...grant } = { ...signedInGrant(server, checkTokenParameters(options)), id: grantId };
  // What an application keeps elsewhere is its own affair.
  if (!keepsKeys || options.store !== undefined) return { renew, grant, server, seal: (tokens) => Promise.resolve(tokens) };
  const sealed = sealedGrant(grant, webCryptoCipher({ keyStore, name: 'refresh-token' }), name);
  return { renew, grant: sealed, server, seal: sealed.seal };
}

// Read anew for each sign-in, which asks for the thumbprint: one whose key was deleted since would bind its tokens to a key that is
// gone with this page.
function keptKey(keyStore: KeyStore, keyName: string): Dpop {
  const read = (): Dpop => dpop({ keyStore, keyName });
  let key = read();
  return {
    required: true,
    prove: (request, now) => key.prove(request, now),
    isNew: () => key.isNew(),
    thumbprint() {
      key = read();
      return key.thumbprint();
    },
  };
}
