import { revocationRequest } from 'oauth4webapi';
import type { TokenError } from '../core/errors.js';
import type { GrantContext } from '../core/grant.js';
import type { TokenSet } from '../core/token-set.js';
import type { AuthorizationServer } from './authorization-server.js';
import { exchange } from './exchange.js';
import { parseObject, pickMembers } from './response-members.js';
import type { ServerMetadata } from './server-metadata.js';
import { authenticate, endpoints, maxAnswerBytes } from './token-request.js';
import { errorMembers, toTokenError } from './to-token-error.js';

const longestWaitMs = 5000;

/**
 * Revokes a token set at the server (RFC 7009): the refresh token first, since that ends the grant. Does nothing where
 * the server offers no revocation. A 503 with a short Retry-After is tried once more.
 */
export async function revokeTokens(server: AuthorizationServer, tokens: TokenSet, context: GrantContext): Promise<void> {
  const metadata = await server.metadata(context);
  if (metadata.revocation_endpoint === undefined) return;
  const failures: unknown[] = [];
  for (const [token, hint] of [[tokens.refreshToken, 'refresh_token'] as const, [tokens.accessToken, 'access_token'] as const]) {
    if (token === undefined) continue;
    // One that cannot be revoked must not keep the other alive.
    await revoke(server, metadata, token, hint, context).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}

async function revoke(server: AuthorizationServer, metadata: ServerMetadata, token: string, hint: string, context: GrantContext): Promise<void> {
  const failure = await tryRevoke(server, metadata, token, hint, context);
  if (failure === undefined) return;
  const { status, retryAfterMs } = failure;
  if (status !== 503 || retryAfterMs === undefined || retryAfterMs > longestWaitMs) throw failure;
  await context.clock.sleep(retryAfterMs, context.signal);
  const second = await tryRevoke(server, metadata, token, hint, context);
  if (second !== undefined) throw second;
}

async function tryRevoke(
  server: AuthorizationServer,
  metadata: ServerMetadata,
  token: string,
  hint: string,
  { clock, signal }: GrantContext,
): Promise<TokenError | undefined> {
  const secrets = [token];
  const answer = await exchange({ phase: 'revocation', fetch: server.fetch, signal, maxBytes: maxAnswerBytes, keepalive: true }, (library) =>
    revocationRequest(endpoints(metadata), { client_id: server.clientId }, authenticate(server, secrets), token, {
      additionalParameters: { token_type_hint: hint },
      ...library,
    }),
  );
  if (answer.status >= 200 && answer.status < 300) return undefined;
  const object = parseObject(answer.text ?? '');
  const members = object && pickMembers(object, errorMembers);
  if (members?.['error'] === 'unsupported_token_type') return undefined;
  return toTokenError(answer, members, {
    phase: 'revocation',
    preset: server.preset,
    refusedGrant: 'grant_rejected',
    secrets,
    nowMs: clock.now(),
  });
}
