import { readProof } from './dpop-proof.js';
import { signClaims } from './id-token-issuer.js';
import type { RecordedRequest } from './recorded-request.js';
import { type Exchange, respond, respondJson, respondRaw } from './server-context.js';

/** The UserInfo endpoint (OIDC Core §5.3). */
export async function userInfoEndpoint(request: RecordedRequest, exchange: Exchange): Promise<Response> {
  const { knobs, context } = exchange;
  if (knobs.userInfoAnswer) return respondRaw(exchange, knobs.userInfoAnswer);
  const [, scheme = '', value = ''] = /^(bearer|dpop) +(\S+)$/i.exec(request.headers.get('authorization') ?? '') ?? [];
  const token = context.registry.liveAccessToken(value, context.now());
  const user = token?.family?.signIn?.user;
  const proof = token?.jkt === undefined ? undefined : await readProof(request, exchange, value);
  const isBound = token?.jkt !== undefined && (scheme.toLowerCase() !== 'dpop' || proof === undefined || 'error' in proof || proof.jkt !== token.jkt);
  if (token === undefined || user === undefined || isBound)
    return respondJson(exchange, 401, { error: 'invalid_token' }, { 'www-authenticate': 'Bearer error="invalid_token"' });
  const claims = { sub: user, name: `User ${user}`, ...knobs.userInfoClaims };
  if (knobs.userInfoForm === 'json') return respondJson(exchange, 200, claims);
  const text = await signClaims({ iss: context.issuer, aud: token.clientId, ...claims }, knobs);
  return respond(exchange, { status: 200, text, contentType: 'application/jwt' });
}
