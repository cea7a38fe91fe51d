import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';
import { close, listen } from './authorization-server.ts';

export interface ProtectedApiOptions {
  readonly issuer: string;
  /** The API's resource indicator: tokens for anything else are refused. */
  readonly audience: string;
  /** What reading needs, and what everything else needs. */
  readonly scopes: { readonly read: string; readonly write: string };
  /** The origin of pages that may call it. @default none */
  readonly allowOrigin?: string;
}

export interface ProtectedApi {
  readonly url: string;
  /** How many requests were answered with each status. */
  readonly answers: ReadonlyMap<number, number>;
  /** From now on the token that was accepted last is refused. */
  revokeLatest(): void;
  /** Reads the issuer's keys again, as it does by itself every ten minutes and when it meets an unknown one. */
  reloadKeys(): Promise<void>;
  close(): Promise<void>;
}

/** An API that accepts access tokens of one issuer (RFC 6750, RFC 9068), and nothing expired by even a second. */
export async function startProtectedApi(options: ProtectedApiOptions): Promise<ProtectedApi> {
  const keys = createRemoteJWKSet(new URL(await jwksUri(options.issuer)), { cooldownDuration: 0 });
  const revoked = new Set<string>();
  const answers = new Map<number, number>();
  let latest = '';

  async function verify(token: string): Promise<JWTPayload> {
    const { payload } = await jwtVerify(token, keys, { issuer: options.issuer, audience: options.audience, typ: 'at+jwt', requiredClaims: ['exp', 'jti'] });
    const id = payload.jti ?? '';
    if (revoked.has(id)) throw new errors.JWTInvalid('the token was revoked');
    latest = id;
    return payload;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (status: number, body: object, challenge?: string): void => {
      answers.set(status, (answers.get(status) ?? 0) + 1);
      response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...(challenge && { 'www-authenticate': challenge }) });
      response.end(JSON.stringify(body));
    };
    if (options.allowOrigin !== undefined) {
      for (const [name, value] of Object.entries(cors(options.allowOrigin))) response.setHeader(name, value);
      if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    }
    const body = await readBody(request);
    const token = /^Bearer ([\x21-\x7e]+)$/i.exec(request.headers.authorization ?? '')?.[1];
    // Who sent no token is told how to authenticate, and nothing more (RFC 6750 §3).
    if (token === undefined) return send(401, { error: 'no token' }, 'Bearer realm="orders"');
    let claims: JWTPayload;
    try {
      claims = await verify(token);
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) return send(503, { error: 'cannot verify tokens now' });
      return send(401, { error: 'invalid token' }, `Bearer realm="orders", error="invalid_token", error_description="${error.code}"`);
    }
    const needed = request.method === 'GET' ? options.scopes.read : options.scopes.write;
    if (
      !String(claims['scope'] ?? '')
        .split(' ')
        .includes(needed)
    ) {
      return send(403, { error: 'scope' }, `Bearer realm="orders", error="insufficient_scope", scope="${needed}"`);
    }
    send(200, { method: request.method, path: request.url, client: claims['client_id'], user: claims.sub, body });
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    answers,
    revokeLatest: () => {
      revoked.add(latest);
    },
    reloadKeys: () => keys.reload(),
    close: () => close(server),
  };
}

const cors = (origin: string): Readonly<Record<string, string>> => ({
  'access-control-allow-origin': origin,
  'access-control-allow-headers': 'authorization, content-type',
  'access-control-expose-headers': 'www-authenticate',
  'access-control-max-age': '600',
  vary: 'origin',
});

async function jwksUri(issuer: string): Promise<string> {
  const response = await fetch(`${issuer}/.well-known/openid-configuration`);
  const metadata: unknown = await response.json();
  if (typeof metadata !== 'object' || metadata === null || !('jwks_uri' in metadata)) throw new Error('the issuer names no keys');
  return String(metadata.jwks_uri);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
