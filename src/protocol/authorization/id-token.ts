import { base64url } from '../../core/base64url.js';
import { TokenError } from '../../core/errors.js';
import type { GrantContext } from '../../core/grant.js';
import { readClaims } from '../../core/read-claims.js';
import type { TokenSet } from '../../core/token-set.js';
import type { AuthorizationServer } from '../issuer/authorization-server.js';
import { describeRefusal, verifySigned } from './verify-signed.js';

/** What an ID token says of a user and of the sign-in (OIDC Core §2, §5.1), validated. */
export interface IdTokenClaims {
  readonly iss: string;
  /** The user, at this issuer. */
  readonly sub: string;
  readonly aud: string | readonly string[];
  /** Seconds since 1970 by the server's clock. */
  readonly exp: number;
  readonly iat: number;
  /** When the user last proved who they are, in seconds. */
  readonly auth_time?: number | undefined;
  /** How they did. */
  readonly acr?: string | undefined;
  readonly amr?: readonly string[] | undefined;
  readonly sid?: string | undefined;
  readonly name?: string | undefined;
  readonly email?: string | undefined;
  readonly [claim: string]: unknown;
}

/** What an ID token has to fit. */
export interface IdTokenExpectation {
  /** Sent with the request; undefined: none was sent, so that nothing has to be repeated. */
  readonly nonce: string | undefined;
  readonly maxAgeMs?: number | undefined;
}

const toleranceS = 30;
const longestOffsetMs = 24 * 3_600_000;

/**
 * Validates the ID token that came with a token set (OIDC Core §3.1.3.7): signature, `iss`, `aud`, `azp`, `exp`, `iat`,
 * `nonce`, `auth_time` where an age was asked for, `at_hash` where there is one. (`standards.md` A5, A16, A21 to A24)
 * @throws {TokenError} `id_token_rejected`; what a request for the server's keys may end with.
 */
export async function validateIdToken(
  server: AuthorizationServer,
  tokens: TokenSet,
  expected: IdTokenExpectation,
  context: GrantContext,
): Promise<IdTokenClaims> {
  const { time, clientId } = server;
  const { clock } = context;
  const { idToken, sentAt, accessToken } = tokens;
  if (idToken === undefined) throw rejected('there is none, though "openid" was asked for');
  const receivedAt = clock.now();
  const { nonce, maxAgeMs } = expected;
  // Where no answer may tell its date, the instant of a token that was made for this very sign-in stands in for it: a
  // user whose clock is an hour off can sign in (E13). The verdict on the signature comes with the verdict on the rest.
  const told = readClaims(idToken);
  const isOwn = nonce !== undefined && told?.['nonce'] === nonce;
  const made = isOwn && !time.isTold && typeof told.iat === 'number' ? told.iat * 1000 : undefined;
  const hasMoved = made !== undefined && Math.abs(made - receivedAt) <= longestOffsetMs;
  const nowMs = hasMoved ? made : time.now(clock);
  const fit = { nowMs, audience: clientId, required: ['sub', 'exp', 'iat'], maxAgeS: 600 };
  const { claims, alg } = await verifySigned(server, idToken, fit, context).catch((error: unknown) => {
    const what = describeRefusal(error);
    throw what === undefined ? error : rejected(what);
  });
  const { sub, aud, azp, auth_time: authTime, at_hash: atHash } = claims;
  if (typeof sub !== 'string' || sub === '') throw rejected('its "sub" names nobody');
  if (azp === undefined ? Array.isArray(aud) && aud.length > 1 : azp !== clientId) throw rejected('its "azp" is another client');
  if (nonce !== undefined && claims['nonce'] !== nonce) throw rejected('its "nonce" is not the one that was sent');
  if (maxAgeMs !== undefined && !(typeof authTime === 'number' && authTime + Math.floor(maxAgeMs / 1000) + toleranceS >= nowMs / 1000))
    throw rejected('its "auth_time" is older than was asked for, or missing');
  if (atHash !== undefined && atHash !== (await halfHash(accessToken, alg))) throw rejected('its "at_hash" belongs to another access token');
  if (hasMoved) time.set(made, sentAt, clock);
  return Object.freeze({ ...claims, iss: server.issuer, sub, aud: aud ?? clientId, exp: Number(claims.exp), iat: Number(claims.iat) });
}

/**
 * Validates the ID token of a refresh against the one before it (OIDC Core §12.2). (`standards.md` A25)
 * @throws {TokenError} as `validateIdToken`, and `grant_revoked` where it is about another user.
 */
export async function validateRefreshedIdToken(
  server: AuthorizationServer,
  tokens: TokenSet,
  before: string | undefined,
  context: GrantContext,
): Promise<void> {
  // What lies in the record was validated when it came.
  const old = before === undefined ? undefined : readClaims(before);
  // Said without proof, but through a channel that is as good as one (OIDC Core §3.1.3.7 item 6): nothing of another user is used.
  const sub = readClaims(tokens.idToken ?? '')?.sub;
  if (old?.sub !== undefined && sub !== undefined && sub !== old.sub)
    throw new TokenError('grant_revoked', 'the refreshed ID token is about another user; everything is dropped', { phase: 'id_token' });
  const claims = await validateIdToken(server, tokens, { nonce: undefined }, context);
  const { nonce, auth_time: authTime } = claims;
  if (nonce !== undefined && old !== undefined && nonce !== old['nonce']) throw rejected('its "nonce" is not that of the sign-in');
  if (authTime !== undefined && old?.['auth_time'] !== undefined && authTime !== old['auth_time']) throw rejected('its "auth_time" is not that of the sign-in');
}

// OIDC Core §3.1.3.6: the left half of the digest that the signature's algorithm uses.
async function halfHash(accessToken: string, alg: string): Promise<string> {
  const hash = `SHA-${/(256|384|512)$/.exec(alg)?.[0] ?? 512}`;
  const bytes = new Uint8Array(await crypto.subtle.digest(hash, new TextEncoder().encode(accessToken)));
  return base64url(bytes.slice(0, bytes.length / 2));
}

function rejected(what: string): TokenError {
  return new TokenError('id_token_rejected', `the ID token was refused: ${what}`, { phase: 'id_token' });
}
