import type { Grant } from '../core/grant.js';
import type { KeyStore } from '../core/key-store.js';
import { checkTokenParameters } from '../core/token-parameters.js';
import type { TokenSet } from '../core/token-set.js';
import { signedInGrant } from '../protocol/authorization/signed-in-grant.js';
import { dpop } from '../protocol/dpop/dpop.js';
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
  /** A token set as the record may hold it. */
  seal(tokens: TokenSet): Promise<TokenSet>;
}

/**
 * The grant of a session, the same in a page and in a worker. With a key store its refresh token is sealed once more.
 * @throws {TokenError} `invalid_option`
 */
export function sessionGrant(options: SessionGrantOptions, id: string, name: string, keyStore: KeyStore | undefined): SessionGrant {
  const { issuer, server: metadata, clientId, auth, fetch, preset, allowInsecureHttp, redirectUri, scope, resource, audience, params } = options;
  const bound = options.dpop === true && { dpop: dpop(keyStore ? { keyStore, keyName: `${name}:dpop` } : {}) };
  const given = { issuer, server: metadata, clientId, auth, fetch, preset, allowInsecureHttp, redirectUri, scope, resource, audience, params, ...bound };
  const server = checkAuthorizationServer('createSession', given, further);
  // The key that proofs are made with is the session's, whatever record it is in.
  const { identity: _, ...grant } = { ...signedInGrant(server, checkTokenParameters(options)), id };
  if (!keyStore) return { grant, server, seal: (tokens) => Promise.resolve(tokens) };
  const sealed = sealedGrant(grant, webCryptoCipher({ keyStore, name: 'refresh-token' }), name);
  return { grant: sealed, server, seal: sealed.seal };
}
