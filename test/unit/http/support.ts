import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import ky from 'ky';
import { type AccessToken, createAccessToken } from '../../../src/core/access-token.js';
import type { HttpEvent } from '../../../src/core/events.js';
import type { GetTokenOptions, TokenSource } from '../../../src/core/token-source.js';
import { type AuthFetchOptions, createAuthFetch, createHttpClient } from '../../../src/http.js';

export function bearer(value: string, scope: readonly string[] = ['read']): AccessToken {
  return createAccessToken({ accessToken: value, tokenType: 'Bearer', sentAt: 0, lifetimeMs: 60_000, scope });
}

/** A token source that renews by compare-and-swap, one renewal at a time, and counts. */
export class FakeTokens implements TokenSource {
  renewals = 0;
  calls: GetTokenOptions[] = [];
  /** What the next renewal rejects with. */
  failure: unknown;
  /** A renewal that the server answers with the token it had given before. */
  sticky = false;
  /** Settles renewals by hand. */
  gate: Promise<void> = Promise.resolve();
  #current = 0;
  #flight: Promise<AccessToken> | undefined;

  get current(): AccessToken {
    return bearer(`token-${this.#current}`);
  }

  async getToken(options: GetTokenOptions = {}): Promise<AccessToken> {
    this.calls.push(options);
    options.signal?.throwIfAborted();
    if (options.invalidToken === undefined || options.invalidToken.value !== this.current.value) return this.current;
    this.#flight ??= this.#renew().finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  /** As if the token had run out and been renewed, without any 401. */
  rotate(): void {
    this.#current += 1;
  }

  async #renew(): Promise<AccessToken> {
    this.renewals += 1;
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    if (!this.sticky) this.#current += 1;
    return this.current;
  }
}

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface TestServer extends AsyncDisposable {
  readonly origin: string;
  readonly seen: Seen[];
  authorizations(): (string | undefined)[];
}

type Answer = (request: Seen, response: ServerResponse, count: number) => void;

/** A real HTTP server on the loopback; `host` names it differently to make another origin. */
export async function serve(answer: Answer): Promise<TestServer> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    request.on('end', () => {
      const entry = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) };
      seen.push(entry);
      answer(entry, response, seen.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    seen,
    authorizations: () => seen.map(({ headers }) => headers.authorization),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Accepts exactly the tokens that `accepts` admits; answers with what it was sent. */
export function guarded(accepts: (token: string) => boolean): Answer {
  return ({ headers, body, method }, response) => {
    if (accepts((headers.authorization ?? '').replace(/^Bearer /, ''))) {
      response.writeHead(200, { 'content-type': 'text/plain', 'x-method': method }).end(body);
    } else {
      response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end('refused');
    }
  };
}

export type Caller = (url: string, init?: RequestInit & { auth?: boolean; retryOn401?: boolean }) => Promise<Response>;

/** Every way to the same decorator. */
export const adapters: readonly { readonly name: string; make(tokens: TokenSource, options: AuthFetchOptions): Caller }[] = [
  { name: 'plain fetch', make: (tokens, options) => createAuthFetch(tokens, options) },
  {
    name: 'a URL input',
    make(tokens, options) {
      const api = createAuthFetch(tokens, options);
      return (url, init) => api(new URL(url), init);
    },
  },
  {
    name: 'a Request input',
    make(tokens, options) {
      const api = createAuthFetch(tokens, options);
      return (url, { auth, retryOn401, ...init } = {}) =>
        api(new Request(url, init), { ...(auth !== undefined && { auth }), ...(retryOn401 !== undefined && { retryOn401 }) });
    },
  },
  {
    name: 'createHttpClient',
    make(tokens, options) {
      const api = createHttpClient({ ...options, tokens, throwHttpErrors: false });
      return (url, init) => api(url, kyOptions(init));
    },
  },
  {
    name: "a user's own ky",
    make(tokens, options) {
      const own = ky.create({
        headers: { 'x-own': 'yes' },
        throwHttpErrors: false,
        hooks: { beforeRequest: [({ request }) => request.headers.set('x-hook', 'yes')] },
      });
      const api = createHttpClient({ ...options, tokens, ky: own });
      return (url, init) => api(url, kyOptions(init));
    },
  },
  {
    name: 'ky.create with the fetch',
    make(tokens, options) {
      const api = ky.create({ fetch: createAuthFetch(tokens, options), throwHttpErrors: false, retry: 0 });
      return (url, init) => api(url, kyOptions(init));
    },
  },
];

function kyOptions(init: Parameters<Caller>[1] = {}): Omit<RequestInit, 'headers'> & { headers: Headers } {
  return { ...init, headers: new Headers(init.headers) };
}

export function record(): { readonly events: HttpEvent[]; readonly onEvent: (event: HttpEvent) => void } {
  const events: HttpEvent[] = [];
  return { events, onEvent: (event) => events.push(event) };
}

/** A `fetch` without a network. */
export function stubFetch(answer: (url: string, headers: Headers, init: RequestInit | undefined) => Response | Promise<Response>): typeof fetch {
  return async (input, init) =>
    answer(input instanceof Request ? input.url : String(input), new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined)), init);
}

/** Lets everything that is due now happen. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
