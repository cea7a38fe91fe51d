import { authenticateClient } from './client-authentication.js';
import type { RecordedRequest } from './recorded-request.js';
import { type Exchange, respondJson, respondRaw } from './server-context.js';
import { respondFault } from './token-endpoint.js';

/** The introspection endpoint (RFC 7662): whatever is not live is not active, and that is all it says. */
export async function introspectionEndpoint(request: RecordedRequest, exchange: Exchange): Promise<Response> {
  const { knobs, context } = exchange;
  if (knobs.introspectionAnswer !== undefined) return respondRaw(exchange, knobs.introspectionAnswer);
  const client = await authenticateClient(request, exchange);
  if ('error' in client) return respondFault(exchange, client, request);
  const value = request.params.get('token');
  if (value === null) return respondFault(exchange, { error: 'invalid_request', description: 'token is missing' }, request);
  const token = context.registry.liveAccessToken(value, context.now());
  if (token === undefined) return respondJson(exchange, 200, { active: context.registry.isLiveRefreshToken(value) });
  return respondJson(exchange, 200, {
    active: true,
    iss: context.issuer,
    client_id: token.clientId,
    scope: token.scope.join(' '),
    token_type: 'Bearer',
    aud: token.audience,
    exp: Math.floor((token.expiresAt + knobs.clockOffsetMs) / 1000),
    ...knobs.introspectionMembers,
  });
}
