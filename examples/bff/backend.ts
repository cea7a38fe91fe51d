// The backend of one page: signs users in, keeps their tokens, and calls the API for them. The page has a cookie, and nothing else.
import { readFile } from 'node:fs/promises';
import { isTokenError } from 'tokenkeep';
import { createAuthFetch } from 'tokenkeep/http';
import type { Accounts } from 'tokenkeep/server';
import { hostCookie } from './cookies.ts';
import type { Handler } from './serve.ts';
import type { Sessions } from './sessions.ts';

export interface BackendOptions {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  /** What the page calls `/api/orders` is `/orders` below it. */
  readonly apiUrl: string;
}

// What the page may ask of the API. Nothing else is forwarded.
const forwarded = [
  { method: 'GET', path: /^\/api(\/orders(?:\/[\w-]+)?)$/ },
  { method: 'POST', path: /^\/api(\/orders)$/ },
] as const;

const files = new Map<string, readonly [name: string, type: string]>([
  ['/', ['index.html', 'text/html; charset=utf-8']],
  ['/main.js', ['main.js', 'text/javascript; charset=utf-8']],
  ['/style.css', ['style.css', 'text/css; charset=utf-8']],
]);

const headers = {
  'content-security-policy': "default-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
} as const;

// Strict: no page of another site can send it along.
const sessionCookie = hostCookie('session', 'Strict');
// Lax: the user comes back from the authorization server, which is another site.
const signInCookie = hostCookie('sign-in', 'Lax', 600);

export function createBackend({ accounts, sessions, apiUrl }: BackendOptions): Handler {
  async function signIn(request: Request): Promise<Response> {
    // The page begins it, or who types the address. A link of others leads to the page: they could end a session with it.
    if (/^(cross|same)-site$/.test(request.headers.get('sec-fetch-site') ?? '')) return redirect('/');
    // First, not afterwards: many servers keep one grant for a user, and revoking a part of it ends all.
    await endSession(request);
    const returnTo = new URL(request.url).searchParams.get('returnTo') ?? '/';
    // An account for each sign-in: signing out in one browser leaves the others alone.
    const { url, transaction } = await accounts.authorize(crypto.randomUUID(), { returnTo });
    return redirect(url, signInCookie.write(transaction));
  }

  async function callback(request: Request): Promise<Response> {
    // Refused unless this browser began it: nobody is signed in to somebody else's account.
    const { accountId, returnTo = '/' } = await accounts.callback(request, { transaction: signInCookie.read(request) });
    return redirect(returnTo, signInCookie.clear, sessionCookie.write(sessions.begin(accountId)));
  }

  /** Here in any case; at the authorization server if it answers. */
  async function endSession(request: Request): Promise<void> {
    const accountId = sessions.end(sessionCookie.read(request));
    if (accountId === undefined) return;
    await accounts.disconnect(accountId).catch(logFailure);
    sessions.forget(accountId);
  }

  async function whoIsIt(request: Request): Promise<Response> {
    const accountId = sessions.accountOf(sessionCookie.read(request));
    const account = accountId === undefined ? undefined : await accounts.details(accountId);
    return json(200, account === undefined || account.state === 'needs_reconnect' ? { signIn: '/sign-in' } : { user: account.subject });
  }

  async function signOut(request: Request): Promise<Response> {
    await endSession(request);
    return new Response(null, { status: 204, headers: { ...headers, 'set-cookie': sessionCookie.clear } });
  }

  async function forward(request: Request, path: string): Promise<Response> {
    const accountId = sessions.accountOf(sessionCookie.read(request));
    if (accountId === undefined) return signInFirst();
    const tokens = accounts.account(accountId);
    const callApi = createAuthFetch(tokens, { allow: [apiUrl] });
    const type = request.headers.get('content-type');
    const response = await callApi(apiUrl + path + new URL(request.url).search, {
      method: request.method,
      // Of the page's own headers only these: neither its cookies nor an Authorization of its own.
      headers: { accept: 'application/json', ...(type !== null && { 'content-type': type }) },
      ...(request.body !== null && { body: await request.arrayBuffer() }),
      redirect: 'manual',
      signal: AbortSignal.timeout(40_000),
    });
    // The token was refused and could not be replaced: this says why.
    if (response.status === 401) await tokens.getToken();
    if (response.status === 401 || (response.status >= 300 && response.status < 400)) return json(502, { error: 'api_failed' });
    // Of the API's headers only this one: no Set-Cookie, and nothing about tokens.
    return new Response(response.body, {
      status: response.status,
      headers: { ...headers, 'content-type': response.headers.get('content-type') ?? 'application/octet-stream' },
    });
  }

  async function answerPage(request: Request, pathname: string): Promise<Response> {
    // A page of another origin cannot send this header without being let, and nobody here lets it: no request of its own gets further.
    if (request.headers.get('x-orders-page') === null) return json(403, { error: 'not_from_the_page' });
    const at = `${request.method} ${pathname}`;
    if (at === 'GET /session') return whoIsIt(request);
    if (at === 'POST /sign-out') return signOut(request);
    const [path] = forwarded.flatMap((each) => (each.method === request.method ? (each.path.exec(pathname)?.[1] ?? []) : []));
    return path === undefined ? json(404, { error: 'not_found' }) : forward(request, path);
  }

  return async (request) => {
    const { pathname } = new URL(request.url);
    const isGet = request.method === 'GET';
    const [file, type = ''] = (isGet && files.get(pathname)) || [];
    if (file !== undefined) return new Response(await readFile(new URL(`page/${file}`, import.meta.url)), { headers: { ...headers, 'content-type': type } });
    try {
      if (isGet && pathname === '/sign-in') return await signIn(request);
      if (isGet && pathname === '/callback') return await callback(request);
    } catch (error) {
      logFailure(error);
      return redirect(`/?problem=${isTokenError(error) ? error.code : 'unknown'}`, signInCookie.clear);
    }
    try {
      return await answerPage(request, pathname);
    } catch (error) {
      // Said, not done: a page that went there by itself could go round in circles.
      if (isTokenError(error) && error.kind === 'interaction') return signInFirst();
      logFailure(error);
      return json(isTokenError(error) ? 503 : 502, { error: 'try_again' });
    }
  };
}

function signInFirst(): Response {
  return json(401, { error: 'sign_in', signIn: '/sign-in' });
}

function json(status: number, content: object): Response {
  return Response.json(content, { status, headers });
}

function redirect(location: string, ...cookies: readonly string[]): Response {
  const response = new Response(null, { status: 302, headers: { ...headers, location } });
  for (const each of cookies) response.headers.append('set-cookie', each);
  return response;
}

// No error of tokenkeep holds a token.
function logFailure(error: unknown): void {
  console.error(String(error));
}
