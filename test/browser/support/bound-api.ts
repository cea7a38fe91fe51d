import { createHash } from 'node:crypto';
import type { RequestListener, ServerResponse } from 'node:http';
import { calculateJwkThumbprint, createRemoteJWKSet, EmbeddedJWK, jwtVerify } from 'jose';
import { expect } from 'vitest';
import { api } from '../../integration/support/sign-in-server.js';
import type { SessionSite } from './session-site.js';

const nonce = 'nonce-of-the-api';

/** Answers as an API does, with a challenge where it refuses. */
export function reply(response: ServerResponse, status: number, challenge?: string): void {
  response.writeHead(status, { 'content-type': 'application/json', ...(challenge && { 'www-authenticate': challenge, 'dpop-nonce': nonce }) });
  response.end('{}');
}

/** An API that takes a token only from whoever holds its key (RFC 9449 §4.3, §7, §9). */
export function boundApi(site: SessionSite): RequestListener {
  const keys = createRemoteJWKSet(new URL(`${site.server.issuer}/jwks`));
  return async ({ headers, method, url }, response) => {
    try {
      const [, token = ''] = /^DPoP (\S+)$/.exec(headers.authorization ?? '') ?? [];
      const { payload } = await jwtVerify<{ cnf?: { jkt?: string } }>(token, keys, { audience: api });
      const proof = await jwtVerify(String(headers['dpop']), EmbeddedJWK, { typ: 'dpop+jwt', maxTokenAge: 60 });
      const { ath, htm, htu, nonce: said } = proof.payload;
      if (said !== nonce) return reply(response, 401, 'DPoP error="use_dpop_nonce"');
      expect([ath, htm, htu]).toEqual([createHash('sha256').update(token).digest('base64url'), method, new URL(url ?? '', site.url).href]);
      expect(payload.cnf?.jkt).toBe(await calculateJwkThumbprint(proof.protectedHeader.jwk ?? {}));
      reply(response, 200);
    } catch {
      reply(response, 401, 'DPoP error="invalid_token"');
    }
  };
}
