import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { calculateJwkThumbprint, createRemoteJWKSet, EmbeddedJWK, jwtVerify } from 'jose';
import { close, listen } from '../../../examples/demo/authorization-server.js';

export interface DpopApi extends AsyncDisposable {
  readonly url: string;
  /** How each request was answered, in their order: `GET /orders 401 use_dpop_nonce`. */
  readonly log: string[];
  /** Proofs need a nonce: `once` for each request a new one, `known` always the same one; undefined: none. */
  nonces: 'once' | 'known' | undefined;
  /** Tokens that are refused though the server gave them. */
  readonly revoked: Set<string>;
}

class Refused extends Error {}

/** An API that takes DPoP-bound tokens of one issuer alone (RFC 9449 §7), verified by jose. */
export async function startDpopApi(issuer: string): Promise<DpopApi> {
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  const seen = new Set<string>();
  const unused = new Set<string>(['the-known-one']);
  let issued = 0;
  let url = '';
  const log: string[] = [];

  async function verify({ headers, method, url: path }: IncomingMessage): Promise<void> {
    const [, token] = /^DPoP ([\x21-\x7e]+)$/.exec(headers.authorization ?? '') ?? [];
    const { dpop: proof } = headers;
    if (token === undefined || typeof proof !== 'string') throw new Refused('invalid_token');
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt', maxTokenAge: 30, clockTolerance: 2 }).catch(() => {
      throw new Refused('invalid_dpop_proof');
    });
    const { jti = '', htm, htu, ath, nonce } = payload;
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(token))).toString('base64url');
    if (htm !== method || htu !== `${url}${path?.split('?')[0]}` || ath !== digest || jti.length < 16 || seen.has(jti)) throw new Refused('invalid_dpop_proof');
    if (api.nonces !== undefined && (typeof nonce !== 'string' || !unused.has(nonce))) throw new Refused('use_dpop_nonce');
    if (api.nonces === 'once') unused.delete(String(nonce));
    seen.add(jti);
    const { payload: claims } = await jwtVerify(token, keys, { issuer, typ: 'at+jwt' }).catch(() => {
      throw new Refused('invalid_token');
    });
    const jkt = await calculateJwkThumbprint(protectedHeader.jwk ?? {});
    const { cnf } = claims;
    if (typeof cnf !== 'object' || cnf === null || !('jkt' in cnf) || cnf.jkt !== jkt) throw new Refused('invalid_token');
    if (api.revoked.has(token)) throw new Refused('invalid_token');
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const error = await verify(request).then(
      () => undefined,
      (failure: unknown) => (failure instanceof Refused ? failure.message : 'invalid_request'),
    );
    log.push(`${request.method} ${request.url} ${error === undefined ? 200 : `401 ${error}`}`);
    if (api.nonces === 'known') response.setHeader('dpop-nonce', 'the-known-one');
    if (api.nonces === 'once') {
      const nonce = `nonce-${issued++}`;
      unused.add(nonce);
      response.setHeader('dpop-nonce', nonce);
    }
    if (error !== undefined) response.setHeader('www-authenticate', `DPoP error="${error}", algs="ES256"`);
    response.writeHead(error === undefined ? 200 : 401, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error, method: request.method, body: Buffer.concat(chunks).toString() }));
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  url = `http://127.0.0.1:${await listen(server)}`;
  const api: DpopApi = { url, log, nonces: undefined, revoked: new Set(), [Symbol.asyncDispose]: () => close(server) };
  return api;
}
