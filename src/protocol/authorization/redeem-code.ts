import { isTokenError, TokenError } from '../../core/errors.js';
import type { GrantContext } from '../../core/grant.js';
import type { TokenSet } from '../../core/token-set.js';
import { abortable, withTimeLimit } from '../../core/waiting.js';
import type { AuthorizationResponse } from './authorization-response.js';
import type { AuthorizationServer } from '../issuer/authorization-server.js';
import type { AuthorizationTransaction } from './authorization-transaction.js';
import { type IdTokenClaims, validateIdToken } from './id-token.js';
import { revokeQuietly } from '../revocation.js';
import { signingKeys } from './signing-keys.js';
import { tokenRequester } from '../wire/token-request.js';

/** What a sign-in comes to. */
export interface SignedIn {
  readonly tokens: TokenSet;
  /** Who signed in; undefined where `openid` was not asked for. */
  readonly idTokenClaims: IdTokenClaims | undefined;
}

/** The part of a transaction that the redemption of its code needs. */
export type CodeTransaction = Pick<
  AuthorizationTransaction,
  'issuer' | 'clientId' | 'redirectUri' | 'codeVerifier' | 'nonce' | 'scope' | 'resource' | 'maxAgeMs'
>;

const limitMs = 30_000;
const longestPauseMs = 10_000;
const rememberedCodes = 10;

interface Redemption {
  readonly transaction: string;
  readonly result: Promise<SignedIn>;
}

const redemptions = new WeakMap<AuthorizationServer, Map<string, Redemption>>();

/**
 * Redeems an authorization code (RFC 6749 §4.1.3), and validates the ID token that comes with it. A code is sent once: who
 * asks for the same one again gets the same result, and no failure after which the server may have seen it is tried again.
 * `context.target.resource` goes before the transaction's. At most 30 s. (`standards.md` A11, A12, A21)
 * @throws {TokenError} `code_lost` when no usable answer came, `grant_revoked` when the server does not know the code,
 * `callback_refused` when it belongs to another transaction, `id_token_rejected`, `client_rejected`, …; a transient failure
 * only where nothing was sent.
 */
export function redeemCode(
  server: AuthorizationServer,
  transaction: CodeTransaction,
  { code }: AuthorizationResponse,
  context: GrantContext,
): Promise<SignedIn> {
  const codes = redemptions.get(server) ?? new Map<string, Redemption>();
  redemptions.set(server, codes);
  const { codeVerifier, nonce, redirectUri, issuer } = transaction;
  const own = JSON.stringify([codeVerifier, nonce, redirectUri, issuer]);
  const known = codes.get(code);
  if (known && known.transaction !== own)
    return Promise.reject(new TokenError('callback_refused', 'this code was redeemed for another sign-in', { phase: 'authorization' }));
  const result = known?.result ?? redeemInTime(server, transaction, code, context);
  if (known === undefined) {
    codes.set(code, { transaction: own, result });
    for (const oldest of [...codes.keys()].slice(0, -rememberedCodes)) codes.delete(oldest);
    result.catch((error: unknown) => {
      // Nothing was sent: the code is as good as before.
      if (isTokenError(error) && error.kind === 'transient') codes.delete(code);
    });
  }
  return abortable(result, context.signal);
}

// Not bound to the caller's signal: others may wait too, and what the server has given must not be dropped.
function redeemInTime(server: AuthorizationServer, transaction: CodeTransaction, code: string, context: GrantContext): Promise<SignedIn> {
  let isSent = false;
  const timeout = (): TokenError => {
    const error = new TokenError('timeout', `the sign-in was not complete within ${limitMs} ms`, { phase: 'token' });
    return isSent ? lost(error) : error;
  };
  return withTimeLimit(
    context.clock,
    limitMs,
    (signal) =>
      redeem(server, transaction, code, { ...context, signal }, () => {
        isSent = true;
      }),
    timeout,
  );
}

async function redeem(server: AuthorizationServer, transaction: CodeTransaction, code: string, context: GrantContext, sending: () => void): Promise<SignedIn> {
  const { issuer, clientId, redirectUri, codeVerifier, nonce, scope, maxAgeMs } = transaction;
  const metadata = await server.metadata(context);
  // The code is for whom the transaction names, whoever else this client knows (RFC 9700 §4.4).
  if (issuer !== metadata.issuer || clientId !== server.clientId)
    throw new TokenError('callback_refused', 'the sign-in was begun at another server, or for another client', { phase: 'authorization' });
  const body = new URLSearchParams({ code, redirect_uri: redirectUri });
  if (codeVerifier !== undefined) body.set('code_verifier', codeVerifier);
  for (const uri of new Set([context.target.resource ?? transaction.resource ?? []].flat())) body.append('resource', uri);
  // Fetched meanwhile; whoever needs them asks once more.
  if (nonce !== undefined && server.preset.idTokenSignature !== 'tls')
    signingKeys(server)
      .get(context)
      .catch(() => undefined);
  sending();
  const tokens = await sendOnce(server, { body, requested: scope, secrets: [code, codeVerifier ?? ''] }, context);
  if (nonce === undefined) return { tokens: withoutIdToken(tokens), idTokenClaims: undefined };
  try {
    return { tokens, idTokenClaims: await validateIdToken(server, tokens, { nonce, maxAgeMs }, context) };
  } catch (error) {
    await revokeQuietly(server, tokens, context);
    throw isTokenError(error) && error.kind === 'transient' ? lost(error) : error;
  }
}

type CodeRequest = Pick<Parameters<ReturnType<typeof tokenRequester>>[0], 'body' | 'requested' | 'secrets'>;

async function sendOnce(server: AuthorizationServer, request: CodeRequest, context: GrantContext, isLastTry = false): Promise<TokenSet> {
  const { clock, signal } = context;
  try {
    return await tokenRequester(server)({ ...request, grantType: 'authorization_code', isRenewable: true, isSingleUse: true }, context);
  } catch (error) {
    // The client's own credentials could not be had: nothing was sent.
    if (!isTokenError(error) || error.kind !== 'transient' || error.code === 'grant_failed') throw error;
    const { status, retryAfterMs = Infinity } = error;
    if (isLastTry || (status !== 429 && status !== 503) || retryAfterMs > longestPauseMs) throw lost(error);
    await clock.sleep(retryAfterMs, signal);
    return sendOnce(server, request, context, true);
  }
}

// Sending it again might revoke what it gave the first time (RFC 6749 §4.1.2).
function lost(error: TokenError): TokenError {
  return new TokenError('code_lost', `the code was sent and is lost, a new sign-in is needed: ${error.message}`, error);
}

// Nothing ties it to this sign-in.
function withoutIdToken({ idToken: _, ...tokens }: TokenSet): TokenSet {
  return Object.freeze(tokens);
}
