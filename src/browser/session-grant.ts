import type { Grant, GrantContext } from '../core/grant.js';
import type { KeyStore } from '../core/key-store.js';
import type { Preset } from '../core/preset.js';
import { checkTokenParameters } from '../core/token-parameters.js';
import type { TokenSet } from '../core/token-set.js';
import type { AuthorizationResponse } from '../protocol/authorization/authorization-response.js';
import type { AuthorizationTransaction } from '../protocol/authorization/authorization-transaction.js';
import { redeemCode } from '../protocol/authorization/redeem-code.js';
import { signedInGrant } from '../protocol/authorization/signed-in-grant.js';
import { type Dpop, dpop } from '../protocol/dpop/dpop.js';
import { type AuthorizationServer, checkAuthorizationServer } from '../protocol/issuer/authorization-server.js';
import { webCryptoCipher } from '../storage/web-crypto-cipher.js';
import { sealedGrant } from './sealed-grant.js';
import type { SessionOptions } from './session.js';

const further = ['redirectUri', 'scope', 'resource', 'audience', 'params'];

/** What a session's grant is made from. */
export type SessionGrantOptions = Pick<
  SessionOptions,
  'issuer' | 'server' | 'clientId' | 'auth' | 'fetch' | 'preset' | 'allowInsecureHttp' | 'redirectUri' | 'scope' | 'resource' | 'audience' | 'params' | 'dpop'
>;

/** A session's grant, and what it is bound to. */
export interface SessionGrant {
  readonly grant: Grant;
  readonly server: AuthorizationServer;
  /**
   * What a sign-in's code gives, as the record may hold it: the session's own token, whatever other APIs the user has agreed to as well.
   * @throws {TokenError}
   */
  redeem(transaction: AuthorizationTransaction, response: AuthorizationResponse, context: GrantContext): Promise<TokenSet>;
}

/**
 * The grant of a session, the same in a page and in a worker. `keys`: where its keys are kept, if they are; with `seals` its refresh
 * token is sealed once more.
 * @throws {TokenError} `invalid_option`
 */
export function sessionGrant(options: SessionGrantOptions, id: string, name: string, keys: KeyStore | undefined, seals: boolean): SessionGrant {
  const { issuer, server: metadata, clientId, auth, fetch, allowInsecureHttp, redirectUri, scope, resource, audience, params } = options;
  const defaults = checkTokenParameters(options);
  // A page cannot tell a 404 without CORS headers from a network that is down, so the likely place is asked first.
  const preset: Preset = { ...(defaults.scope?.includes('openid') && { discovery: 'oidc' }), ...options.preset };
  const bound = options.dpop === true && { dpop: keys ? keptKey(keys, `${name}:dpop`) : dpop() };
  const given = { issuer, server: metadata, clientId, auth, fetch, preset, allowInsecureHttp, redirectUri, scope, resource, audience, params, ...bound };
  const server = checkAuthorizationServer('createSession', given, further);
  // The key that proofs are made with is the session's, whatever record it is in.
  const { identity: _, ...grant } = { ...signedInGrant(server, defaults), id };
  const redeem = async (transaction: AuthorizationTransaction, response: AuthorizationResponse, context: GrantContext): Promise<TokenSet> =>
    (await redeemCode(server, transaction, response, { ...context, target: { resource: defaults.resource } })).tokens;
  if (!keys || !seals) return { grant, server, redeem };
  const sealed = sealedGrant(grant, webCryptoCipher({ keyStore: keys, name: 'refresh-token' }), name);
  return { grant: sealed, server, redeem: async (...sent) => sealed.seal(await redeem(...sent)) };
}

// Read anew for whatever is sent to the authorization server: a key that was deleted meanwhile is in nobody's store any more, and
// what is bound to it would end with this page or worker.
function keptKey(keyStore: KeyStore, keyName: string): Dpop {
  const read = (): Dpop => dpop({ keyStore, keyName });
  let key = read();
  let isReplaced = false;
  async function again(): Promise<string> {
    const before = await key.thumbprint();
    const wasNew = await key.isNew();
    key = read();
    const now = await key.thumbprint();
    isReplaced ||= wasNew || now !== before;
    return now;
  }
  return {
    required: true,
    async prove(request, now) {
      if (request.accessToken === undefined) await again();
      return key.prove(request, now);
    },
    isNew: async () => isReplaced || key.isNew(),
    thumbprint: again,
  };
}
