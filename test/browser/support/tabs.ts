import { createServer, type Server } from 'node:http';
import { build } from 'esbuild';
import { type Browser, type BrowserContext, chromium, type Frame, type JSHandle, type Page } from 'playwright-core';
import { findChromium, installCommand, launchArguments } from '../../support/chromium.mjs';
import type { Ports } from '../page/ports.js';

/** A page with the ports in it. */
export interface Tab {
  readonly page: Page;
  readonly ports: JSHandle<Ports>;
}

/** The built package, as a page loads it from a server of this computer. */
export interface PortsSite {
  readonly url: string;
  close(): Promise<void>;
}

export async function servePorts(): Promise<PortsSite> {
  const bundle = await build({
    entryPoints: ['test/browser/page/ports.ts'],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
    // Not the sources that the tests' own configuration maps the package to: what is published.
    tsconfigRaw: {},
  });
  const script = bundle.outputFiles[0]?.text ?? '';
  const server: Server = createServer((request, response) => {
    const isScript = request.url === '/ports.js';
    // The same server is another site under its other name.
    const other = `http://127.0.0.1:${port}`;
    response.writeHead(200, {
      'content-type': isScript ? 'text/javascript' : 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'self'; img-src data:; frame-src 'self' ${other}`,
    });
    const content = request.url === '/framed' ? `<iframe src="${other}/"></iframe>` : '<script type="module" src="/ports.js"></script>';
    const html = `<!doctype html><title>Ports</title><link rel="icon" href="data:,">${content}`;
    response.end(isScript ? script : html);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    url: `http://localhost:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function found(): Promise<{ executablePath: string; env: Record<string, string>; args: string[] }> {
  const browser = await findChromium();
  if (browser === undefined) throw new Error(`no Chromium: ${installCommand}`);
  return { ...browser, args: [...launchArguments] };
}

export interface LaunchOptions {
  /** Opens no window for a script. */
  readonly blocksPopups?: boolean;
  /** Keeps pages in its back/forward cache, as the browsers of users do. */
  readonly cachesPages?: boolean;
}

export async function launch({ blocksPopups = false, cachesPages = false }: LaunchOptions = {}): Promise<Browser> {
  const { args, ...program } = await found();
  return chromium.launch({
    ...program,
    args: [...args, ...(blocksPopups ? ['--block-new-web-contents'] : [])],
    ignoreDefaultArgs: cachesPages ? ['--disable-back-forward-cache'] : [],
  });
}

/** A browser that keeps what it stores in a folder. */
export async function launchIn(folder: string): Promise<BrowserContext> {
  return chromium.launchPersistentContext(folder, await found());
}

/** The same, with storage apart for each top-level site, as users have it: Playwright's own arguments turn that off. */
export async function launchPartitioned(folder: string): Promise<BrowserContext> {
  const { args, ...program } = await found();
  const own = ['--headless', '--remote-debugging-pipe', '--no-first-run', '--no-startup-window', `--user-data-dir=${folder}`];
  return chromium.launchPersistentContext(folder, { ...program, ignoreDefaultArgs: true, args: [...args, ...own] });
}

/** Opens a page and waits until the ports are in it. What the page complains of goes to `complaints`. */
export async function openTab(context: BrowserContext, url: string, complaints: string[] = []): Promise<Tab> {
  const page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  await page.goto(url);
  return { page, ports: await portsOf(page) };
}

export async function portsOf(page: Page | Frame): Promise<JSHandle<Ports>> {
  await page.waitForFunction(() => 'ports' in globalThis, undefined, { polling: 5 });
  return page.evaluateHandle((): Ports => Reflect.get(globalThis, 'ports'));
}
