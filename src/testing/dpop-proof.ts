import { calculateJwkThumbprint, compactVerify, EmbeddedJWK } from 'jose';
import { parseObject } from '../core/parse-object.js';
import { digest } from '../core/random.js';
import type { OAuthFault } from './fake-grant.js';
import type { RecordedRequest } from './recorded-request.js';
import { type Exchange, serverNow } from './server-context.js';

/** The key that a request proves to hold. */
export interface ProvenKey {
  readonly jkt: string;
}

/** What the proof of a request comes to (RFC 9449 §4.3); undefined: there is none. `accessToken`: the one that an API got. */
export async function readProof(request: RecordedRequest, exchange: Exchange, accessToken?: string): Promise<ProvenKey | OAuthFault | undefined> {
  const { context, knobs } = exchange;
  const proof = request.headers.get('dpop');
  if (proof === null) return undefined;
  const verified = await compactVerify(proof, EmbeddedJWK, { algorithms: [...dpopAlgorithms] }).catch(() => undefined);
  const { typ, jwk } = verified?.protectedHeader ?? {};
  if (verified === undefined || jwk === undefined || typ !== 'dpop+jwt') return invalid('signature, type or key');
  const { jti, htm, htu, iat, ath, nonce } = parseObject(new TextDecoder().decode(verified.payload)) ?? {};
  if (htm !== request.method) return invalid('htm');
  if (htu !== request.url.replace(/[?#].*$/, '')) return invalid('htu');
  if (typeof iat !== 'number' || Math.abs(serverNow(context, knobs) - iat * 1000) > knobs.dpopLeewayMs) return invalid('iat');
  if (ath !== (accessToken === undefined ? undefined : await digest(accessToken))) return invalid('ath');
  const nonces = noncesOf(request, exchange);
  if (nonces.everyMs !== undefined && !nonces.store.accepts(nonce, context.now(), nonces.everyMs)) return { error: 'use_dpop_nonce', description: 'nonce' };
  if (typeof jti !== 'string' || jti.length < 16 || context.proofs.has(jti)) return invalid('jti');
  context.proofs.add(jti);
  return { jkt: await calculateJwkThumbprint(jwk) };
}

/** The signatures that are taken, as metadata and challenges list them. */
export const dpopAlgorithms: readonly string[] = ['ES256', 'PS256', 'RS256', 'EdDSA'];

/** Gives the answer a nonce for the next proof, where proofs need one. */
export function offerNonce(response: Response, request: RecordedRequest, exchange: Exchange): Response {
  const { store, everyMs } = noncesOf(request, exchange);
  if (everyMs !== undefined) response.headers.set('dpop-nonce', store.next(exchange.context.now(), everyMs));
  return response;
}

function noncesOf({ endpoint }: RecordedRequest, { context, knobs }: Exchange): { readonly store: ServerNonces; readonly everyMs: number | undefined } {
  const isApi = endpoint === 'api';
  return { store: isApi ? context.apiNonces : context.tokenNonces, everyMs: isApi ? knobs.apiDpopNonceMs : knobs.dpopNonceMs };
}

type ServerNonces = Exchange['context']['apiNonces'];

function invalid(description: string): OAuthFault {
  return { error: 'invalid_dpop_proof', description };
}
