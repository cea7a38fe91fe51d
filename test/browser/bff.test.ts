import { createServer, type Server } from 'node:http';
import type { Browser, BrowserContext, Page, Request } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type OwnServers, startOwnServers } from '../../examples/bff/own-servers.js';
import { type Backend, startBackend } from '../../examples/bff/start.js';
import { close, listen } from '../../examples/demo/authorization-server.js';
import { leastContrast } from './support/least-contrast.js';
import { launch } from './support/tabs.js';
import { heapOf } from './support/what-page-sees.js';

let own: OwnServers;
let backend: Backend;
let browser: Browser;
let context: BrowserContext;
let complaints: string[];
/** Every token that the server has given. */
const secrets = new Set<string>();
let lastRefreshToken = '';

beforeAll(async () => {
  const storeKey = Buffer.alloc(32, 7).toString('base64url');
  [backend, browser] = await Promise.all([
    startBackend({
      port: 0,
      file: ':memory:',
      storeKey,
      async servers(origin) {
        own = await startOwnServers(origin, 60);
        return own.servers;
      },
    }),
    launch(),
  ]);
  own.users.provider.on('grant.success', ({ body: { access_token, refresh_token, id_token } = {} }) => {
    for (const each of [access_token, refresh_token, id_token]) if (each !== undefined) secrets.add(each);
    lastRefreshToken = refresh_token ?? lastRefreshToken;
  });
});

afterAll(async () => {
  await browser?.close();
  await Promise.all([backend?.close(), own?.close()]);
});

beforeEach(async () => {
  complaints = [];
  context = await browser.newContext();
});

afterEach(async () => {
  await context.close();
  expect(complaints, 'what the page said on the console').toEqual([]);
});

const button = (page: Page, name: string) => page.getByRole('button', { name });
const link = (page: Page) => page.getByRole('link', { name: 'Sign in' });
const says = (page: Page, text: string): Promise<void> => page.getByText(text, { exact: true }).first().waitFor();

async function open(of = context): Promise<Page> {
  const page = await of.newPage();
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(backend.origin);
  return page;
}

async function signIn(page: Page, name: 'alice' | 'bob'): Promise<void> {
  await link(page).click();
  await page.getByLabel(name).check();
  await button(page, 'Sign in').click();
  await says(page, `Hello, ${name}.`);
}

async function listOrders(page: Page, user: string): Promise<void> {
  await page.locator('#answer').evaluate((element) => element.replaceChildren());
  await button(page, 'List my orders').click();
  await page.locator('pre', { hasText: `"user": "${user}"` }).waitFor();
}

const sessionCookie = async (of = context) => (await of.cookies(backend.origin)).find(({ name }) => name === '__Host-session');
const calls = (): number => [...own.api.answers.values()].reduce((sum, count) => sum + count, 0);

/** All that goes between this browser and the servers that it talks to, as text. */
function trafficOf(of: BrowserContext): () => Promise<string> {
  const seen: Promise<string>[] = [];
  of.on('requestfinished', (request) => void seen.push(textOf(request)));
  return async () => (await Promise.all(seen)).join('\n');
}

async function textOf(request: Request): Promise<string> {
  const response = await request.response();
  const sent = [request.method(), request.url(), JSON.stringify(await request.allHeaders()), request.postData()];
  // A redirect has no body.
  const body = await response?.text().catch(() => '');
  return [...sent, response?.status(), JSON.stringify(await response?.headersArray()), body].join(' ');
}

describe('examples/bff', () => {
  it('signs in, calls the API, reloads and signs out, with a cookie that no script can read, and no token in the browser [S23]', async () => {
    const traffic = trafficOf(context);
    const page = await open();
    await says(page, 'You are not signed in.');
    await signIn(page, 'bob');
    expect(page.url()).toBe(`${backend.origin}/`);
    await listOrders(page, 'bob');
    await button(page, 'Place an order').click();
    await page.locator('pre', { hasText: '{\\"amount\\":1}' }).waitFor();
    // Refused by the API, and replaced behind the page.
    const before = own.users.tokenRequests();
    own.api.revokeLatest();
    await listOrders(page, 'bob');
    expect(own.users.tokenRequests()).toBe(before + 1);
    await page.reload();
    await says(page, 'Hello, bob.');
    await listOrders(page, 'bob');

    const cookie = await sessionCookie();
    expect(cookie).toMatchObject({ name: '__Host-session', domain: 'localhost', path: '/', httpOnly: true, secure: true, sameSite: 'Strict' });
    expect((await context.cookies(backend.origin)).map(({ name }) => name)).toEqual(['__Host-session']);
    const inPage = await page.evaluate(() => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }]));
    expect(inPage).toBe('["",{},{}]');
    expect(await page.evaluate(() => indexedDB.databases())).toEqual([]);

    const said = await traffic();
    const heap = await heapOf(page);
    // That it would be found: the cookie is in what was sent, and the page's own header in what it holds.
    expect(said.includes(cookie?.value ?? ' ')).toBe(true);
    expect(heap.includes('x-orders-page')).toBe(true);
    expect(heap.includes(cookie?.value ?? '')).toBe(false);
    expect(secrets.size).toBeGreaterThanOrEqual(4);
    for (const secret of secrets) {
      expect(said.includes(secret)).toBe(false);
      expect(heap.includes(secret)).toBe(false);
    }

    await button(page, 'Sign out').click();
    await says(page, 'You are not signed in.');
    expect(await context.cookies(backend.origin)).toEqual([]);
    await page.reload();
    await says(page, 'You are not signed in.');
    // At the server too: the refresh token is worth nothing any more.
    expect(await spend(lastRefreshToken)).toMatchObject({ error: 'invalid_grant' });
    // And the cookie, should somebody have kept it.
    const headers = { cookie: `__Host-session=${cookie?.value}`, 'x-orders-page': '1' };
    expect((await fetch(`${backend.origin}/api/orders`, { headers })).status).toBe(401);
  });

  it('gives each sign-in a session of its own, and never one that was there before it [S23]', async () => {
    const planted = 'A'.repeat(43);
    await context.addCookies([{ name: '__Host-session', value: planted, domain: 'localhost', path: '/', httpOnly: true, secure: true, sameSite: 'Strict' }]);
    const page = await open();
    await signIn(page, 'alice');
    const first = (await sessionCookie())?.value;
    expect(first).not.toBe(planted);
    await page.goto(`${backend.origin}/sign-in`);
    await says(page, 'Hello, alice.');
    const second = (await sessionCookie())?.value;
    expect(second).not.toBe(first);
    for (const [value, status] of [
      [planted, 401],
      [first, 401],
      [second, 200],
    ] as const) {
      const headers = { cookie: `__Host-session=${value}`, 'x-orders-page': '1' };
      expect((await fetch(`${backend.origin}/api/orders`, { headers })).status).toBe(status);
    }
  });

  it('refuses the callback of a sign-in that another browser began, before anything is sent (login CSRF) [S23]', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const attacker = await browser.newContext();
    const evil = await attacker.newPage();
    // Begun by no browser, so that its code is not spent when the authorization server sends the attacker back.
    const begun = (await fetch(`${backend.origin}/sign-in`, { redirect: 'manual' })).headers.get('location') ?? '';
    await evil.goto(begun);
    await evil.getByLabel('bob').check();
    const [request] = await Promise.all([evil.waitForRequest(`${backend.origin}/callback?*`), button(evil, 'Sign in').click()]);
    const callback = request.url();
    await says(evil, 'That sign-in did not work. Please try again.');
    const before = own.users.tokenRequests();

    const page = await open();
    await page.goto(callback);
    await says(page, 'That sign-in did not work. Please try again.');
    await says(page, 'You are not signed in.');
    expect(await sessionCookie()).toBeUndefined();
    // Nor does a sign-in help that this browser has begun itself.
    await link(page).click();
    await page.getByLabel('alice').waitFor();
    await page.goto(callback);
    await says(page, 'That sign-in did not work. Please try again.');
    expect(await sessionCookie()).toBeUndefined();
    expect(own.users.tokenRequests()).toBe(before);
    expect(log.mock.calls.map(String)).toEqual(Array.from({ length: 3 }, () => expect.stringContaining('the callback')));
    log.mockRestore();
    await attacker.close();
  });

  it.each([
    ['another site', '127.0.0.1', false],
    ['another origin of the same site, which cookies are sent to', 'localhost', true],
  ])('refuses the forms and requests of %s, and does nothing for them [S23]', async (_whose, host, hasCookie) => {
    const page = await open();
    await signIn(page, 'alice');
    await listOrders(page, 'alice');
    const asked = calls();
    const evil = await openEvil(host);
    for (const path of ['/sign-out', '/api/orders']) {
      const answered = evil.page.waitForResponse(backend.origin + path);
      await evil.page.evaluate((action) => {
        const form = Object.assign(document.createElement('form'), { method: 'post', action });
        document.body.append(form);
        form.submit();
      }, backend.origin + path);
      const response = await answered;
      const { cookie = '' } = await response.request().allHeaders();
      expect([response.request().method(), response.status(), cookie.includes('__Host-session')]).toEqual(['POST', 403, hasCookie]);
      await evil.page.waitForURL(backend.origin + path);
      await evil.page.goto(evil.url);
    }
    const tried = await evil.page.evaluate(async (origin) => {
      const attempt = (path: string, init: RequestInit): Promise<string> =>
        fetch(origin + path, { credentials: 'include', ...init }).then(
          async (response) => `${response.type} ${await response.text()}`,
          () => 'failed',
        );
      return [
        await attempt('/api/orders', { mode: 'no-cors' }),
        await attempt('/sign-out', { method: 'POST', mode: 'no-cors' }),
        // With the header the browser asks first, and is not let.
        await attempt('/api/orders', { headers: { 'x-orders-page': '1' } }),
        await attempt('/sign-out', { method: 'POST', headers: { 'x-orders-page': '1' } }),
      ];
    }, backend.origin);
    for (const each of tried) expect(each).toMatch(/^(failed|opaque )$/);
    // Their link to a sign-in begins none.
    const before = await sessionCookie();
    await evil.page.evaluate((href) => {
      const anchor = Object.assign(document.createElement('a'), { href });
      document.body.append(anchor);
      anchor.click();
    }, `${backend.origin}/sign-in`);
    await says(evil.page, 'Hello, alice.');
    expect(await sessionCookie()).toEqual(before);
    expect(calls()).toBe(asked);
    await page.reload();
    await says(page, 'Hello, alice.');
    await evil.close();
  });

  it('says with a 401 where to sign in when the server has ended the grant, asks the server no more, and signs in anew [S23]', async () => {
    const page = await open();
    await signIn(page, 'alice');
    await listOrders(page, 'alice');
    const first = lastRefreshToken;
    own.api.revokeLatest();
    await listOrders(page, 'alice');
    // A refresh token that comes twice ends the grant.
    expect(await spend(first)).toMatchObject({ error: 'invalid_grant' });
    own.api.revokeLatest();
    const [answer] = await Promise.all([page.waitForResponse('**/api/orders'), button(page, 'List my orders').click()]);
    expect([answer.status(), await answer.json()]).toEqual([401, { error: 'sign_in', signIn: '/sign-in' }]);
    await says(page, 'Your session has ended.');
    await says(page, 'You are not signed in.');
    expect(page.url()).toBe(`${backend.origin}/`);
    const asked = own.users.tokenRequests();
    for (let again = 0; again < 3; again++)
      expect(await page.evaluate(async () => (await fetch('/api/orders', { headers: { 'x-orders-page': '1' } })).status)).toBe(401);
    await page.reload();
    await says(page, 'You are not signed in.');
    expect(own.users.tokenRequests()).toBe(asked);
    await link(page).click();
    await says(page, 'Hello, alice.');
    await listOrders(page, 'alice');
    // The browser itself notes each 401.
    expect(complaints.splice(0)).toEqual(Array.from({ length: 4 }, () => expect.stringContaining('401')));
  });

  it('is served with a policy that allows its own files alone, and no inline script [S18, S23]', async () => {
    const response = await (await context.newPage()).goto(backend.origin);
    const headers = (await response?.allHeaders()) ?? {};
    expect(headers['content-security-policy']).toBe("default-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff' });
    expect(await response?.text()).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=/);
  });

  it('is readable in light and dark, 360 and 1280 pixels wide, signed out and in', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const other = await browser.newContext({ colorScheme });
      const page = await open(other);
      const look = async (): Promise<void> => {
        for (const width of [360, 1280]) {
          await page.setViewportSize({ width, height: 800 });
          expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
          const { ratio, where } = await page.evaluate(leastContrast);
          expect(ratio, where).toBeGreaterThanOrEqual(4.5);
        }
      };
      await says(page, 'You are not signed in.');
      await look();
      await signIn(page, 'alice');
      await listOrders(page, 'alice');
      await look();
      await other.close();
    }
  });
});

/** Sends a refresh token as the backend would. */
async function spend(refreshToken: string): Promise<unknown> {
  const { clientId, clientSecret, issuer } = own.servers;
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken });
  const response = await fetch(`${issuer}/token`, { method: 'POST', body, headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` } });
  return response.json();
}

/** A page of somebody else in the same browser. */
async function openEvil(host: string): Promise<{ readonly page: Page; readonly url: string; close(): Promise<void> }> {
  const server: Server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Evil</title><link rel="icon" href="data:,"><body>');
  });
  const url = `http://${host}:${await listen(server)}/`;
  const page = await context.newPage();
  await page.goto(url);
  return { page, url, close: () => close(server) };
}
