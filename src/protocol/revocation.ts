import { TokenError } from '../core/errors.js';
import type { GrantContext } from '../core/grant.js';
import { parseObject } from '../core/parse-object.js';
import type { TokenSet } from '../core/token-set.js';
import { withTimeLimit } from '../core/waiting.js';
import { type AuthorizationServer, endpointFor } from './issuer/authorization-server.js';
import { type FormPost, postForm } from './wire/post-form.js';
import { pickMembers } from './wire/response-members.js';
import { errorMembers, toTokenError } from './wire/to-token-error.js';

const longestWaitMs = 5000;

/**
 * Revokes a token set at the server (RFC 7009): the refresh token first, since that ends the grant. Does nothing where
 * the server offers no revocation. A 503 with a short Retry-After is tried once more.
 *
 * Once the refresh token is revoked, an access token that has the form of a JWT is left alone: the server is to invalidate what
 * it can of the same grant by itself (RFC 7009 §2.1), and what resource servers check without asking it, nobody can take back.
 */
export async function revokeTokens(server: AuthorizationServer, tokens: TokenSet, context: GrantContext): Promise<void> {
  const metadata = await server.metadata(context);
  const url = endpointFor(server, metadata, 'revocation_endpoint');
  if (url === undefined) return;
  const failures: unknown[] = [];
  for (const [hint, token] of Object.entries({ refresh_token: tokens.refreshToken, access_token: tokens.accessToken })) {
    if (!token || (hint === 'access_token' && tokens.refreshToken && failures.length === 0 && isSelfContained(token))) continue;
    const body = new URLSearchParams({ token_type_hint: hint, token });
    // One that cannot be revoked must not keep the other alive.
    await revoke(server, { phase: 'revocation', url, metadata, body, secrets: [token] }, context).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}

// By its form alone: nothing in it is read.
function isSelfContained(token: string): boolean {
  return /^eyJ[\w-]*\.[\w-]+\.[\w-]+$/.test(token);
}

/** Revokes tokens that nobody is to have, as far as that goes within 5 s; says nothing of a failure. */
export async function revokeQuietly(server: AuthorizationServer, tokens: TokenSet, context: GrantContext): Promise<void> {
  const timeout = (): TokenError => new TokenError('timeout', 'the revocation took too long', { phase: 'revocation' });
  await withTimeLimit(context.clock, longestWaitMs, (signal) => revokeTokens(server, tokens, { ...context, signal }), timeout).catch(() => undefined);
}

async function revoke(server: AuthorizationServer, post: FormPost, context: GrantContext, isLastTry = false): Promise<void> {
  const { clock, signal } = context;
  const { answer, secrets } = await postForm(server, post, context);
  if (answer.status >= 200 && answer.status < 300) return;
  const members = pickMembers(parseObject(answer.text), errorMembers);
  if (members?.['error'] === 'unsupported_token_type') return;
  const failure = toTokenError(answer, members, { preset: server.preset, secrets, clock });
  const { status, retryAfterMs = Infinity } = failure;
  if (isLastTry || status !== 503 || retryAfterMs > longestWaitMs) throw failure;
  await clock.sleep(retryAfterMs, signal);
  return revoke(server, post, context, true);
}
