import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { close, listen } from './authorization-server.ts';
import type { Message } from './page-messages.ts';

export interface PageServerOptions {
  /** 0 takes a free one. */
  readonly port: number;
  /** What is new since the last call of the same reader. */
  readonly reader: () => () => Message;
  /** Does what a button says; false when there is no such button. */
  readonly press: (name: string) => Promise<boolean>;
  /** Where `/app` leads to. */
  readonly appUrl: string;
}

export interface PageServer {
  readonly url: string;
  close(): Promise<void>;
}

const types: Readonly<Record<string, string>> = {
  'index.html': 'text/html; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'timeline.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'timeline.js': 'text/javascript; charset=utf-8',
  'log.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
};
const headers = {
  'content-security-policy': "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};
const everyMs = 200;

/** Serves the page, what it shows, and its buttons: on this machine, to a page of its own only. */
export async function startPageServer(options: PageServerOptions): Promise<PageServer> {
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  const port = await listen(server, options.port);
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const end = (status: number, body = '', type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(status, { ...headers, 'content-type': type }).end(body);
    };
    request.resume();
    // A name that somebody else's DNS points at this machine is not ours.
    if (!hosts.includes(request.headers.host ?? '')) return end(403, 'This page is at another address.');
    const path = request.url ?? '/';
    const button = /^\/trouble\/([a-z]+)$/.exec(path)?.[1];
    if (button !== undefined) {
      if (request.method !== 'POST') return end(405, 'A button is pressed with POST.');
      if (request.headers.origin !== `http://${request.headers.host}`) return end(403, 'Only the page itself presses its buttons.');
      return end((await options.press(button)) ? 204 : 404);
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') return end(405);
    if (path === '/events') return stream(response, options.reader());
    if (path === '/app') return void response.writeHead(302, { ...headers, location: options.appUrl }).end();
    const name = path === '/' ? 'index.html' : path.slice(1);
    const type = Object.hasOwn(types, name) ? types[name] : undefined;
    if (type === undefined) return end(404);
    end(200, await readFile(new URL(`page/${name}`, import.meta.url), 'utf8'), type);
  }

  return { url: `http://127.0.0.1:${port}/`, close: () => close(server) };
}

function stream(response: ServerResponse, read: () => Message): void {
  response.writeHead(200, { ...headers, 'content-type': 'text/event-stream' });
  const send = (): void => void response.write(`data: ${JSON.stringify(read())}\n\n`);
  send();
  const timer = setInterval(send, everyMs);
  response.once('close', () => clearInterval(timer));
}
