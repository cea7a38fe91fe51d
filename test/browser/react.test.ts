import type { Page } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ReactApp } from './page/react.js';
import { openApp } from './support/session-site.js';
import { complaints, context, sessionSuite, site } from './support/session-suite.js';

declare const app: ReactApp;

let page: Page;

sessionSuite({ entry: 'test/browser/page/react.tsx' });

beforeEach(async () => {
  page = await openApp(context, site.url, complaints);
});

afterEach(() => {
  expect(complaints).toEqual([]);
});

const shows = (on: Page, text: string): Promise<void> => on.getByRole('button', { name: text }).waitFor();

async function signIn(): Promise<void> {
  await page.getByRole('button', { name: 'signed_out' }).click();
  await shows(page, 'Hello alice');
}

describe('useSession() of React 19 in StrictMode', () => {
  it('shows who is signed in: effects run twice, the code is redeemed once, one sign-in [A9] [complaint 21]', async () => {
    await shows(page, 'signed_out');
    expect(await page.evaluate(() => app.shown)).toEqual(['restoring', 'signed_out']);
    const before = site.server.tokenRequests();
    await signIn();
    expect(await page.evaluate(() => [app.starts, app.failures])).toEqual([2, []]);
    expect(await page.evaluate(() => app.shown)).toEqual(['restoring', 'Hello alice']);
    expect(site.server.tokenRequests()).toBe(before + 1);
    expect(site.server.refusals).toEqual([]);
    expect(page.url()).toBe(site.url);
    await page.reload();
    await shows(page, 'Hello alice');
    expect(site.server.tokenRequests()).toBe(before + 1);
  });

  it('finds the user again when the callback URL is opened once more [A9]', async () => {
    let callback = '';
    page.on('request', (request) => {
      if (request.url().startsWith(`${site.url}callback?`)) callback = request.url();
    });
    await signIn();
    const redeemed = site.server.tokenRequests();
    await page.goto(callback);
    await shows(page, 'Hello alice');
    expect(page.url()).toBe(`${site.url}callback`);
    expect(site.server.tokenRequests()).toBe(redeemed);
  });

  it('renders again when somebody signs in or out in another tab [X10]', async () => {
    const other = await openApp(context, site.url, complaints);
    await shows(other, 'signed_out');
    await signIn();
    await shows(other, 'Hello alice');
    await other.evaluate(() => app.session.clear());
    await shows(page, 'signed_out');
  });

  it('renders a session that was ended before the page was loaded, with the same snapshot each time', async () => {
    await signIn();
    await page.evaluate(() => app.session.clear());
    await page.reload();
    await shows(page, 'signed_out');
    const isSame = await page.evaluate(() => {
      const { snapshot } = app.session;
      const first = snapshot();
      return snapshot() === first;
    });
    expect(isSame).toBe(true);
    expect(await page.evaluate(() => app.session.snapshot().lastError?.code)).toBe('login_required');
  });

  it('listens to the session that is there after a hot reload, and to no other', async () => {
    await signIn();
    await page.evaluate(() => app.hotReload());
    await page.waitForFunction(() => app.shown.length === 4, undefined, { polling: 10 });
    expect(await page.evaluate(() => app.shown)).toEqual(['restoring', 'Hello alice', 'restoring', 'Hello alice']);
    expect(await page.evaluate(() => app.listening)).toEqual([0, 1]);
    const redeemed = site.server.tokenRequests();
    expect(await page.evaluate(async () => (await app.session.getToken()).type)).toBe('Bearer');
    expect(site.server.tokenRequests()).toBe(redeemed);
    await page.evaluate(() => app.unmount());
    expect(await page.evaluate(() => app.listening)).toEqual([0, 0]);
  });

  it('hydrates what a server rendered although the session is restored already, without a mismatch', async () => {
    await signIn();
    expect(await page.evaluate(() => app.hydrate())).toEqual({ html: 'restoring', hydrated: 'Hello alice', complaints: [] });
  });
});
