import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '../build.ts';
import { close, listen } from './authorization-server.ts';
import { startProtectedApi } from './protected-api.ts';
import { startUserServer } from './user-server.ts';

export interface AppServerOptions {
  /** 0 takes a free one. */
  readonly port: number;
  readonly tokenLifetimeS: number;
  readonly tokenDelayMs: number;
}

export interface AppServer {
  /** Of the app with its timeline; `spa/` and `react/` below it are the examples without. */
  readonly url: string;
  readonly issuer: string;
  /** Where `/demo` leads to. */
  demoUrl: string;
  /** How many requests reached the token endpoint. */
  tokenRequests(): number;
  close(): Promise<void>;
}

const resource = 'https://orders.example';
const types: Readonly<Record<string, string>> = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml' };
const pages: Readonly<Record<string, readonly string[]>> = {
  '/': ['demo/app/index.html', 'demo/app/app.css', 'demo/app/app.ts', 'demo/page/icon.svg'],
  '/spa/': ['spa/index.html', 'spa/style.css', 'spa/main.ts'],
  '/react/': ['react/index.html', 'react/style.css', 'react/main.tsx'],
};

/** The single-page apps of the examples, the server where their users sign in, and their API: each an origin of its own. */
export async function startAppServer({ port: wanted, tokenLifetimeS, tokenDelayMs }: AppServerOptions): Promise<AppServer> {
  const server = createServer((request, response) => {
    answer(request, response);
  });
  const port = await listen(server, wanted);
  const origin = `http://127.0.0.1:${port}`;
  const redirectUris = Object.keys(pages).map((path) => origin + path);
  const users = await startUserServer({ redirectUris, resource, tokenLifetimeS, tokenDelayMs });
  const { issuer } = users;
  const api = await startProtectedApi({
    issuer,
    audience: resource,
    scopes: { read: 'orders:read', write: 'orders:write' },
    allowOrigin: origin,
  });
  const bundles = await Promise.all(
    Object.entries(pages).map(async ([path, sources]) => {
      const found = await bundle(
        sources.map((source) => fileURLToPath(new URL(`../${source}`, import.meta.url))),
        { issuer, apiUrl: api.url },
      );
      return [...found].map(([name, text]) => [path + name, text] as const);
    }),
  );
  const files = new Map(bundles.flat());
  const headers = {
    'content-security-policy': `default-src 'self'; connect-src 'self' ${issuer} ${api.url}; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  };
  const app: AppServer = {
    url: `${origin}/`,
    issuer,
    demoUrl: `${origin}/`,
    tokenRequests: users.tokenRequests,
    async close() {
      await Promise.all([close(server), api.close(), users.close()]);
    },
  };

  function answer(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    // A name that somebody else's DNS points at this machine is not ours.
    if (request.headers.host !== new URL(origin).host) return void response.writeHead(403, headers).end('This page is at another address.');
    if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405, headers).end();
    const { pathname } = new URL(request.url ?? '/', origin);
    if (pathname === '/demo') return void response.writeHead(302, { ...headers, location: app.demoUrl }).end();
    // What this server alone can tell: requests of all tabs.
    if (pathname === '/token-requests') {
      return void response.writeHead(200, { ...headers, 'content-type': 'application/json' }).end(JSON.stringify(users.requests));
    }
    const name = pathname.endsWith('/') ? `${pathname}index.html` : pathname;
    const text = files.get(name);
    if (text === undefined) return void response.writeHead(404, headers).end();
    response.writeHead(200, { ...headers, 'content-type': `${types[extname(name)]}; charset=utf-8` }).end(text);
  }

  return app;
}
