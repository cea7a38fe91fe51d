import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { build } from 'esbuild';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import type { BrowserContext, Page } from 'playwright-core';
import { close, listen } from '../../../examples/demo/authorization-server.js';
import { api, type SignInServerOptions, startSignInServer } from '../../integration/support/sign-in-server.js';

export interface SessionSite {
  /** The app's origin, with a slash. */
  readonly url: string;
  readonly server: Awaited<ReturnType<typeof startSignInServer>>;
  /** What pages give to `createSession` beside the server, the client and the redirect URI. */
  options: Readonly<Record<string, unknown>>;
  /** Files of the app that cannot be had, by a part of their name. */
  missing: RegExp | undefined;
  /** The answers of the app's API, by status. */
  readonly answers: Map<number, number>;
  /** Another script in the place of the worker. */
  worker: string | undefined;
  /** The content security policy of the app's pages. */
  policy: string;
  /** Answers the app's API instead of the site. */
  api: RequestListener | undefined;
  close(): Promise<void>;
}

export interface SessionSiteOptions extends Omit<SignInServerOptions, 'redirectUris'> {
  /** The script of the pages. */
  readonly entry?: string;
}

/** An app that signs its users in at oidc-provider and calls its own API, with the built package as users bundle it. */
export async function startSessionSite({ entry = 'test/browser/page/session.ts', ...options }: SessionSiteOptions = {}): Promise<SessionSite> {
  const bundle = await build({
    entryPoints: { app: entry },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    outdir: 'out',
    chunkNames: 'chunks/[name]-[hash]',
    jsx: 'automatic',
    write: false,
    // Not the sources that the tests' own configuration maps the package to: what is published.
    tsconfigRaw: {},
  });
  // As bundlers without help for workers need it: the package's file beside the code that names it.
  const worker = readFileSync('dist/browser/worker.js', 'utf8');
  const files = new Map(bundle.outputFiles.map(({ path, text }) => [path.slice(path.indexOf('/out/') + 4), text]));
  const answers = new Map<number, number>();
  const app = createServer((request, response) => void serve(request, response).catch(() => response.destroy()));
  const port = await listen(app);
  const url = `http://localhost:${port}/`;
  const server = await startSignInServer({ ...options, redirectUris: [`${url}callback`, url] });
  const keys = createRemoteJWKSet(new URL(`${server.issuer}/jwks`), { cooldownDuration: 0 });
  const site: SessionSite = {
    url,
    server,
    options: {},
    missing: undefined,
    worker: undefined,
    answers,
    api: undefined,
    policy: `default-src 'self'; connect-src 'self' ${server.issuer}; img-src data:`,
    async close() {
      await Promise.all([close(app), server.close()]);
    },
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', url);
    if (pathname.startsWith('/api/')) return site.api ? site.api(request, response) : answer(request, response);
    if (pathname.endsWith('/worker.js') && !site.missing?.test(pathname)) return serveWorker(response);
    const file = files.get(pathname);
    if (site.missing?.test(pathname) || (file === undefined && pathname.endsWith('.js'))) return void response.writeHead(404).end();
    response.setHeader('cache-control', 'no-store');
    if (file !== undefined) return void response.writeHead(200, { 'content-type': 'text/javascript' }).end(file);
    const config = {
      issuer: server.issuer,
      clientId: 'spa',
      redirectUri: `${url}callback`,
      scope: 'openid api:read',
      resource: api,
      preset: { idTokenAlgorithms: ['ES256'] },
      ...site.options,
    };
    const meta = JSON.stringify(config).replaceAll('&', '&amp;').replaceAll('"', '&quot;');
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': site.policy });
    response.end(
      `<!doctype html><title>App</title><meta name="config" content="${meta}"><link rel="icon" href="data:,"><div id="app"></div><script type="module" src="/app.js"></script>`,
    );
  }

  // The worker obeys the policy of its own file, not that of the page.
  function serveWorker(response: ServerResponse): void {
    const policy = `default-src 'none'; connect-src ${server.issuer}`;
    response.writeHead(200, { 'content-type': 'text/javascript', 'cache-control': 'no-store', 'content-security-policy': policy });
    response.end(site.worker ?? worker);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, token = ''] = /^(?:Bearer|DPoP) (\S+)$/.exec(request.headers.authorization ?? '') ?? [];
    const status = await jwtVerify(token, keys, { issuer: server.issuer, audience: api }).then(
      () => 200,
      () => 401,
    );
    answers.set(status, (answers.get(status) ?? 0) + 1);
    response.writeHead(status, { 'content-type': 'application/json', ...(status === 401 && { 'www-authenticate': 'Bearer error="invalid_token"' }) });
    response.end(JSON.stringify({ status }));
  }

  return site;
}

/** Opens the app in a new tab. What the page complains of goes to `complaints`. */
export async function openApp(context: BrowserContext, url: string, complaints: string[]): Promise<Page> {
  const page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  await page.goto(url);
  await appLoaded(page);
  return page;
}

export async function appLoaded(page: Page): Promise<void> {
  // The page's element of that id is a global too.
  await page.waitForFunction(() => 'session' in Object(Reflect.get(globalThis, 'app')), undefined, { polling: 10 });
}
