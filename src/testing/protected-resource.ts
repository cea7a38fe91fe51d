import { challengeForms } from './challenge-forms.js';
import { dpopAlgorithms, offerNonce, readProof } from './dpop-proof.js';
import type { OAuthFault } from './fake-grant.js';
import type { RecordedRequest } from './recorded-request.js';
import { type Exchange, respond, respondJson, respondRaw, wait } from './server-context.js';
import type { IssuedAccessToken } from './token-registry.js';

type Route = (request: RecordedRequest, exchange: Exchange, token: IssuedAccessToken) => Response;

// Reached with a good token only.
const routes: Readonly<Record<string, Route>> = {
  '/always-401': (_request, exchange) => challenged(exchange),
  '/insufficient-scope': (_request, exchange) => forbidden(exchange, 'admin'),
  '/step-up': (_request, exchange) =>
    challenged(exchange, [
      'Bearer error="insufficient_user_authentication", error_description="A recent sign-in is needed", acr_values="urn:mfa", max_age="60"',
    ]),
  '/claims': (_request, exchange) =>
    challenged(exchange, [`Bearer realm="", error="insufficient_claims", claims="${btoa('{"access_token":{"acrs":{"essential":true,"value":"c1"}}}')}"`]),
  '/echo': (request, exchange) => {
    const response = respond(exchange, { status: 200 });
    const headers = new Headers(response.headers);
    headers.set('content-type', request.headers.get('content-type') ?? 'application/octet-stream');
    return new Response(Uint8Array.from(request.bytes), { headers });
  },
};

// Reached with any token, or none.
const openRoutes: Readonly<Record<string, (request: RecordedRequest, exchange: Exchange) => Response>> = {
  '/redirect': (request, exchange) => {
    const query = new URL(request.url).searchParams;
    return respond(exchange, { status: Number(query.get('status') ?? 302), headers: { location: query.get('to') ?? '/' } });
  },
  '/status': (request, exchange) => respond(exchange, { status: Number(new URL(request.url).searchParams.get('code') ?? 200) }),
};

/** An API that takes the tokens of this server (RFC 6750, RFC 9449 §7), and answers with what it knows of the token. */
export async function protectedResource(request: RecordedRequest, exchange: Exchange): Promise<Response> {
  await wait(exchange, exchange.knobs.apiLatencyMs);
  const response = offerNonce(await answer(request, exchange), request, exchange);
  await wait(exchange, exchange.knobs.apiLatencyAfterMs);
  return response;
}

async function answer(request: RecordedRequest, exchange: Exchange): Promise<Response> {
  const { knobs, context } = exchange;
  if (knobs.apiAnswer !== undefined) return respondRaw(exchange, knobs.apiAnswer);
  const { pathname } = new URL(request.url);
  const open = Object.hasOwn(openRoutes, pathname) ? openRoutes[pathname] : undefined;
  if (open !== undefined) return open(request, exchange);

  const header = request.headers.get('authorization');
  // RFC 6750 §3.1: no error code for a request that carries no token.
  if (header === null) return challenged(exchange, ['Bearer realm="api"']);
  const [, scheme, value = ''] = /^(bearer|dpop) +(\S+)$/i.exec(header) ?? [];
  const isBound = scheme?.toLowerCase() === 'dpop';
  const key = isBound ? await readProof(request, exchange, value) : undefined;
  if (isBound && (!key || 'error' in key)) return unproven(exchange, key ?? { error: 'invalid_dpop_proof', description: 'there is none' });
  const token = context.registry.liveAccessToken(value, context.now());
  const jkt = key && 'jkt' in key ? key.jkt : undefined;
  // A token that is bound is no bearer token (RFC 9449 §7.2).
  if (token === undefined || knobs.apiRefuses || token.jkt !== jkt) return challenged(exchange);
  if (token.certificateThumbprint !== undefined && token.certificateThumbprint !== request.certificateThumbprint) return challenged(exchange);
  if (knobs.requiredScope !== undefined && !token.scope.includes(knobs.requiredScope)) return forbidden(exchange, knobs.requiredScope);

  const route = Object.hasOwn(routes, pathname) ? routes[pathname] : undefined;
  if (route !== undefined) return route(request, exchange, token);
  const { clientId, scope, resource, audience } = token;
  return respondJson(exchange, 200, { method: request.method, path: pathname, clientId, scope, resource, audience });
}

function challenged(exchange: Exchange, lines?: readonly string[]): Response {
  const { challenge } = exchange.knobs;
  const response = respondJson(exchange, 401, { error: 'unauthorized' });
  for (const line of lines ?? (typeof challenge === 'string' ? challengeForms[challenge] : challenge)) response.headers.append('www-authenticate', line);
  return response;
}

function unproven(exchange: Exchange, { error, description }: OAuthFault): Response {
  return challenged(exchange, [`DPoP error="${error}", error_description="${description}", algs="${dpopAlgorithms.join(' ')}"`]);
}

function forbidden(exchange: Exchange, scope: string): Response {
  return respondJson(exchange, 403, { error: 'forbidden' }, { 'www-authenticate': `Bearer realm="api", error="insufficient_scope", scope="${scope}"` });
}
