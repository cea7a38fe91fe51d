import { isTokenError, TokenError } from '../core/errors.js';
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
  const key = options.dpop === true ? (keys ? keptKey(keys, `${name}:dpop`) : dpop()) : undefined;
  const given = { issuer, server: metadata, clientId, auth, fetch, preset, allowInsecureHttp, redirectUri, scope, resource, audience, params, dpop: key };
  const server = checkAuthorizationServer('createSession', given, further);
  // The key that proofs are made with is the session's, whatever record it is in.
  const { identity: _, ...signedIn } = { ...signedInGrant(server, defaults), id };
  const grant: Grant = key ? { ...signedIn, request: (current, context) => withKey(key, current, signedIn.request(current, context)) } : signedIn;
  const redeem = async (transaction: AuthorizationTransaction, response: AuthorizationResponse, context: GrantContext): Promise<TokenSet> => {
    const { tokens } = await redeemCode(server, transaction, response, { ...context, target: { resource: defaults.resource } });
    return key ? Object.freeze({ ...tokens, raw: { ...tokens.raw, [boundTo]: await key.thumbprint() } }) : tokens;
  };
  if (!keys || !seals) return { grant, server, redeem };
  const sealed = sealedGrant(grant, webCryptoCipher({ keyStore: keys, name: 'refresh-token' }), name);
  return { grant: sealed, server, redeem: async (...sent) => sealed.seal(await redeem(...sent)) };
}

// In the record: whoever refreshes may be another page or worker than the one that made a key in the place of one that was deleted.
const boundTo = 'dpop_jkt';

async function withKey(key: Dpop, current: TokenSet | undefined, renewed: Promise<TokenSet>): Promise<TokenSet> {
  try {
    return await renewed;
  } catch (error) {
    const { [boundTo]: thumbprint } = current?.raw ?? {};
    const isLost = isTokenError(error) && error.code === 'grant_revoked' && thumbprint !== undefined && thumbprint !== (await key.thumbprint());
    throw isLost ? new TokenError('key_lost', 'the refresh token was refused with another DPoP key', error) : error;
  }
}

// Read anew for whatever is sent to the authorization server: a key that was deleted meanwhile is in nobody's store any more, and
// what is bound to it would end with this page or worker.
function keptKey(keyStore: KeyStore, keyName: string): Dpop {
  const read = (): Dpop => dpop({ keyStore, keyName });
  let key = read();
  const again = (): Promise<string> => {
    key = read();
    return key.thumbprint();
  };
  return {
    required: true,
    async prove(request, now) {
      if (request.accessToken === undefined) await again();
      return key.prove(request, now);
    },
    isNew: () => key.isNew(),
    thumbprint: again,
  };
}
