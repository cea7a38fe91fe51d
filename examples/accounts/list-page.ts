// The page of the list: who is connected, in which state, and what can happen to them.
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isTokenError } from 'tokenkeep';
import type { Accounts } from 'tokenkeep/server';
import { close, listen } from '../demo/authorization-server.ts';
import { type Books, redirectUri } from './server.ts';

export interface ListPageOptions {
  readonly accounts: Accounts;
  readonly server: Pick<Books, 'endGrant'>;
  /** Kills a process that renews this account's token. */
  readonly kill: (customer: string) => Promise<void>;
}

const people = new Map([
  ['acme', 'ada'],
  ['beta', 'bob'],
  ['corp', 'cleo'],
  ['delta', 'dora'],
]);
const files = new Map([
  ['/', ['index.html', 'text/html; charset=utf-8']],
  ['/list.js', ['list.js', 'text/javascript; charset=utf-8']],
  ['/style.css', ['style.css', 'text/css; charset=utf-8']],
]);
const headers = {
  'content-security-policy': "default-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};
const connectCookie = 'connect';

/** As if an API had refused the account's token. */
export async function renew(accounts: Accounts, customer: string): Promise<void> {
  const tokens = accounts.account(customer);
  await tokens.getToken({ invalidToken: await tokens.getToken() });
}

export async function startListPage({ accounts, server, kill }: ListPageOptions): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { origin, port, host } = new URL(redirectUri);
  const actions = new Map<string, (customer: string) => Promise<unknown>>([
    ['renew', (customer) => renew(accounts, customer)],
    ['kill', kill],
    ['end-grant', (customer) => server.endGrant(people.get(customer) ?? '')],
    ['disconnect', (customer) => accounts.disconnect(customer)],
  ]);

  async function states(): Promise<readonly object[]> {
    const known = new Map<string, object>();
    for await (const info of accounts.list()) known.set(info.accountId, info);
    return [...people.keys()].map((accountId) => ({ accountId, state: 'not_connected', ...known.get(accountId) }));
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    const end = (status: number, body = '', type = 'text/plain; charset=utf-8'): void =>
      void response.writeHead(status, { ...headers, 'content-type': type }).end(body);
    const go = (location: string, cookie?: string): void =>
      void response.writeHead(302, { ...headers, location, ...(cookie && { 'set-cookie': cookie }) }).end();
    if (request.headers.host !== host) return end(421);
    const { pathname, searchParams } = new URL(request.url ?? '/', origin);
    const customer = searchParams.get('customer') ?? '';

    if (request.method === 'POST') {
      // Only this page presses its buttons.
      if (request.headers.origin !== origin) return end(403);
      const action = actions.get(pathname.slice(1));
      if (action === undefined || !people.has(customer)) return end(404);
      return end(200, await problemOf(action(customer)));
    }
    const [file, type] = files.get(pathname) ?? [];
    if (file !== undefined) return end(200, await readFile(new URL(`page/${file}`, import.meta.url), 'utf8'), type);
    if (pathname === '/accounts') return end(200, JSON.stringify(await states()), 'application/json');
    if (pathname === '/connect' && people.has(customer)) {
      const { url, transaction } = await accounts.authorize(customer, { loginHint: searchParams.get('user') ?? people.get(customer) });
      return go(url, `${connectCookie}=${transaction}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax`);
    }
    if (pathname === '/connected') {
      const [, transaction] = /(?:^|; )connect=([\w-]+)/.exec(request.headers.cookie ?? '') ?? [];
      const problem = await problemOf(accounts.callback(request.url ?? '', { transaction }));
      return go(problem === '' ? '/' : `/?problem=${problem}`, `${connectCookie}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax`);
    }
    return end(404);
  }

  const page = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      console.error(String(error));
      response.destroy();
    });
  });
  await listen(page, Number(port));
  return { url: `${origin}/`, close: () => close(page) };
}

function problemOf(task: Promise<unknown>): Promise<string> {
  return task.then(
    () => '',
    (error: unknown) => (isTokenError(error) ? error.code : 'failed'),
  );
}
