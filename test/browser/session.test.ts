import type { Page } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';
import type { App } from './page/session.js';
import { appLoaded, openApp } from './support/session-site.js';
import { complaints, context, sessionSuite, site } from './support/session-suite.js';

declare const app: App;

let page: Page;

sessionSuite();

beforeEach(async () => {
  page = await openApp(context, site.url, complaints);
});

async function signIn(on: Page, returnTo: string): Promise<void> {
  await on.evaluate((to) => void app.session.signIn({ returnTo: to }), returnTo);
  await on.waitForFunction(() => 'app' in globalThis && app.session.snapshot().state === 'signed_in', undefined, { polling: 10 });
  expect(await on.evaluate(() => app.started)).toBe('fine');
}

describe('createSession()', () => {
  it('signs in by redirect, restores after a reload, calls and signs out [A9] [S1] [X10]', async () => {
    expect(await page.evaluate(() => app.started)).toBe('fine');
    expect(await page.evaluate(() => app.session.snapshot())).toMatchObject({ state: 'signed_out', user: undefined });
    await signIn(page, '/orders?of=today');
    expect(page.url()).toBe(`${site.url}orders?of=today`);
    expect(await page.evaluate(() => app.session.snapshot())).toMatchObject({ state: 'signed_in', status: 'ready', user: { sub: 'alice' } });
    expect(await page.evaluate(() => app.call())).toBe(200);
    const redemptions = site.server.tokenRequests();
    await page.reload();
    await appLoaded(page);
    expect(await page.evaluate(() => app.call())).toBe(200);
    expect(await page.evaluate(() => app.session.user?.sub)).toBe('alice');
    expect(site.server.tokenRequests()).toBe(redemptions);
    expect(await page.evaluate(() => [localStorage.length, sessionStorage.length])).toEqual([0, 0]);
    await page.evaluate(() => app.session.signOut());
    expect(await page.evaluate(() => app.token())).toBe('login_required');
    await page.reload();
    await appLoaded(page);
    await page.evaluate(() => app.started);
    expect(await page.evaluate(() => app.session.snapshot().state)).toBe('signed_out');
    expect(complaints).toEqual([]);
  });

  it('tells what the server knows of the user [A26]', async () => {
    site.options = { resource: undefined, scope: 'openid email' };
    await page.reload();
    await appLoaded(page);
    await signIn(page, '/profile');
    expect(await page.evaluate(() => app.session.userInfo())).toMatchObject({ sub: 'alice', email: 'alice@example.com' });
  });
});
