import type { AccessToken } from '../../core/access-token.js';
import { TokenError } from '../../core/errors.js';
import type { GrantContext } from '../../core/grant.js';
import { parseObject } from '../../core/parse-object.js';
import { withTimeLimit } from '../../core/waiting.js';
import type { AuthorizationServer } from '../issuer/authorization-server.js';
import { type Answer, exchange } from '../wire/exchange.js';
import { requireEndpoint } from '../issuer/require-endpoint.js';
import { pickMembers } from '../wire/response-members.js';
import { toTokenError } from '../wire/to-token-error.js';
import { describeRefusal, verifySigned } from './verify-signed.js';

/** What the server tells of a user (OIDC Core §5.3.2). */
export interface UserInfo {
  readonly sub: string;
  readonly [claim: string]: unknown;
}

const limitMs = 10_000;

/**
 * Asks the UserInfo endpoint about the user that an access token stands for; `sub` is that of the ID token, and an answer
 * about anybody else is discarded (OIDC Core §5.3). A signed answer is verified.
 * @throws {TokenError} `id_token_rejected` for an answer about another user or one that does not verify; with `status` 401
 * when the access token was refused.
 */
export async function requestUserInfo(server: AuthorizationServer, token: AccessToken, sub: string, context: GrantContext): Promise<UserInfo> {
  const url = requireEndpoint(await server.metadata(context), 'userinfo_endpoint', 'user_info');
  let answer = await ask(server, url, token, undefined, context);
  // The endpoint is a resource server: its nonces are its own (RFC 9449 §9).
  const nonce = answer.headers.get('dpop-nonce') ?? undefined;
  if (answer.status === 401 && token.type === 'DPoP' && nonce !== undefined) answer = await ask(server, url, token, nonce, context);
  const { status, origin } = answer;
  if (status === 401 || status === 403)
    throw new TokenError('unexpected_status', `${origin} refused the access token for the user's claims with ${status}`, { phase: 'user_info', status });
  const claims = status === 200 ? await claimsOf(server, answer, context) : undefined;
  if (claims === undefined) throw toTokenError(answer, undefined, { preset: server.preset, secrets: [token.value], clock: context.clock });
  if (claims['sub'] !== sub) throw rejected('they are about another user, or about nobody');
  return Object.freeze({ ...pickMembers(claims, Object.keys(claims)), sub });
}

function ask(server: AuthorizationServer, url: string, token: AccessToken, nonce: string | undefined, { clock, signal }: GrantContext): Promise<Answer> {
  const timeout = (): TokenError => new TokenError('timeout', `no answer from the UserInfo endpoint within ${limitMs} ms`, { phase: 'user_info' });
  const get = (limit: AbortSignal) =>
    exchange('user_info', server.fetch, limit, async (send) => send(url, { headers: Object.fromEntries(await token.headers({ method: 'GET', url, nonce })) }));
  return withTimeLimit(clock, limitMs, get, timeout, signal);
}

async function claimsOf(server: AuthorizationServer, { headers, text }: Answer, context: GrantContext): Promise<Readonly<Record<string, unknown>> | undefined> {
  if (!/^application\/jwt\b/i.test(headers.get('content-type') ?? '')) return parseObject(text);
  const fit = { nowMs: server.time.now(context.clock), audience: server.clientId };
  const { claims } = await verifySigned(server, text?.trim() ?? '', fit, context).catch((error: unknown) => {
    const what = describeRefusal(error);
    throw what === undefined ? error : rejected(what);
  });
  return claims;
}

function rejected(what: string): TokenError {
  return new TokenError('id_token_rejected', `the user's claims were discarded: ${what}`, { phase: 'user_info' });
}
