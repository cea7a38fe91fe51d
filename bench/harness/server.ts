// The authorization server and the API, in a process of their own so that their CPU time is not counted; one origin per contestant.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from './child.ts';

export interface OriginOptions {
  readonly lifetimeS: number;
  readonly tokenDelayMs: number;
}

/** What the server saw since the origin was opened. */
export interface Seen {
  readonly tokenRequests: number;
  readonly refused: number;
  readonly answered: number;
}

export type ServerMessage = { readonly do: 'open'; readonly options: OriginOptions } | { readonly do: 'seen'; readonly origin: string };

const filler = 'x'.repeat(880);
const origins = new Map<string, { tokenRequests: number; refused: number; answered: number }>();

serve(async (message: ServerMessage): Promise<string | Seen | undefined> => {
  if (message.do === 'seen') return origins.get(message.origin);
  return open(message.options);
});

async function open({ lifetimeS, tokenDelayMs }: OriginOptions): Promise<string> {
  const seen = { tokenRequests: 0, refused: 0, answered: 0 };
  const ends = new Map<string, number>();
  const server = createServer((request, response) => void answer(request, response));
  // Ten thousand connections at once are part of what is measured.
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 16_384 }, resolve));
  server.keepAliveTimeout = 60_000;
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  origins.set(origin, seen);
  return origin;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url = '' } = request;
    if (url.includes('/.well-known/')) return json(response, 200, metadata(origin));
    if (url.startsWith('/token')) {
      const token = `${++seen.tokenRequests}.${filler}`;
      request.resume();
      if (tokenDelayMs > 0) await new Promise((resolve) => setTimeout(resolve, tokenDelayMs));
      ends.set(token, Date.now() + lifetimeS * 1000);
      return json(response, 200, { access_token: token, token_type: 'Bearer', expires_in: lifetimeS });
    }
    request.resume();
    const end = ends.get(request.headers.authorization?.replace('Bearer ', '') ?? '');
    const isLive = end !== undefined && Date.now() < end;
    seen[isLive ? 'answered' : 'refused']++;
    if (!isLive) response.setHeader('www-authenticate', 'Bearer error="invalid_token"');
    json(response, isLive ? 200 : 401, { ok: isLive });
  }
}

function metadata(origin: string): object {
  return {
    issuer: origin,
    token_endpoint: `${origin}/token`,
    authorization_endpoint: `${origin}/authorize`,
    jwks_uri: `${origin}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
  };
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
