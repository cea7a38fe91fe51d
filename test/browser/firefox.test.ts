import type { Browser, BrowserContext, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { findFirefox, installCommand } from '../support/firefox.mjs';
import type { Ports } from './page/ports.js';
import type { App } from './page/session.js';
import type { Storage } from './page/session-storage.js';
import { boundApi } from './support/bound-api.js';
import { contractSuites } from './support/contract-suites.js';
import { launchFirefox, openPage, startedAt, stateIs } from './support/firefox.js';
import { type SessionSite, startSessionSite } from './support/session-site.js';
import { servePorts } from './support/tabs.js';

declare const app: App;
declare const storage: Storage;
declare const ports: Ports;

const firefox = findFirefox();
if (firefox === undefined) console.log(`skipped: the journeys in Firefox; there is none here: ${installCommand}`);

describe.skipIf(firefox === undefined)('in Firefox', () => {
  let browser: Browser;
  let context: BrowserContext;
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await launchFirefox(firefox);
  });

  afterAll(() => browser?.close());

  beforeEach(async () => {
    complaints.length = 0;
    context = await browser.createBrowserContext();
  });

  afterEach(() => context.close());

  describe('a session', () => {
    let site: SessionSite;

    beforeAll(async () => {
      site = await startSessionSite({ entry: 'test/browser/page/session-storage.ts', tokenLifetimeS: 600, dpopNonces: true });
    });

    afterAll(() => site?.close());

    beforeEach(() => {
      site.options = {};
      site.api = undefined;
      site.server.refusals.length = 0;
      site.server.holdAnswers(() => Promise.resolve());
    });

    async function open(path = ''): Promise<Page> {
      const page = await openPage(context, site.url + path, complaints);
      expect(await startedAt(page, `/${path}`)).toBe('fine');
      return page;
    }

    let signIns = 0;

    async function signIn(page: Page): Promise<void> {
      signIns++;
      // An address of its own, so that the wait for it does not end before the page has left.
      const returnTo = `/signed-in/${signIns}`;
      await page.evaluate((to) => void app.session.signIn({ returnTo: to }), returnTo);
      expect(await startedAt(page, returnTo)).toBe('fine');
    }

    async function reloaded(page: Page): Promise<void> {
      await page.reload();
      expect(await startedAt(page, new URL(page.url()).pathname)).toBe('fine');
    }

    async function signedIn(): Promise<Page> {
      const page = await open();
      await signIn(page);
      return page;
    }

    async function decided(page: Page): Promise<unknown> {
      await page.waitForFunction(() => app.session.snapshot().renewal !== undefined, { polling: 10 });
      return page.evaluate(() => app.session.snapshot().renewal);
    }

    /** Replaces the page's token, as an API's refusal would; tells the new one's value, or the code of the failure. */
    const renew = (page: Page): Promise<string> =>
      page.evaluate(async () => {
        const token = await app.session.getToken();
        return app.token({ invalidToken: token });
      });

    /** Begins a renewal whose answer the server keeps, and waits until it has rotated. */
    async function heldRenewal(page: Page): Promise<{ readonly release: () => void }> {
      const { promise, resolve } = Promise.withResolvers<void>();
      const before = site.server.refreshTokens.length;
      site.server.holdAnswers(() => promise);
      await page.evaluate(() => {
        void app.session.getToken().then((invalidToken) => app.token({ invalidToken }));
      });
      await vi.waitFor(() => expect(site.server.refreshTokens.length).toBe(before + 1), { timeout: 10_000, interval: 10 });
      site.server.holdAnswers(() => Promise.resolve());
      return { release: resolve };
    }

    it('is signed in by redirect, restored after a reload, calls, and is signed out in all tabs [A9] [S1] [X10]', async () => {
      const page = await signedIn();
      expect(await page.evaluate(() => app.session.snapshot())).toMatchObject({ state: 'signed_in', status: 'ready', user: { sub: 'alice' } });
      expect(await page.evaluate(() => app.call())).toBe(200);
      const redemptions = site.server.tokenRequests();
      await reloaded(page);
      expect(await page.evaluate(() => app.call())).toBe(200);
      expect(await page.evaluate(() => app.session.user?.sub)).toBe('alice');
      const other = await open();
      await stateIs(other, 'signed_in');
      expect(await other.evaluate(() => app.call())).toBe(200);
      expect(site.server.tokenRequests()).toBe(redemptions);
      expect(await page.evaluate(() => [localStorage.length, sessionStorage.length])).toEqual([0, 0]);
      await page.evaluate(() => app.session.signOut());
      await stateIs(other, 'signed_out');
      expect(await other.evaluate(() => app.token())).toBe('login_required');
      await reloaded(other);
      await stateIs(other, 'signed_out');
      await signIn(page);
      await stateIs(other, 'signed_in');
      expect(site.server.refusals).toEqual([]);
      expect(complaints).toEqual([]);
    });

    it('is signed in by popup, at a click, where the user is [A19]', async () => {
      const page = await open();
      await page.evaluate(() => {
        const signIn = (): void => void Reflect.set(globalThis, 'clicked', app.session.signIn({ via: 'popup' }));
        document.documentElement.addEventListener('click', signIn, { once: true });
      });
      await page.mouse.click(20, 20);
      await page.waitForFunction(() => 'clicked' in globalThis, { polling: 10 });
      expect(await page.evaluate(() => Reflect.get(globalThis, 'clicked'))).toMatchObject({ state: 'signed_in', user: { sub: 'alice' } });
      expect(await page.evaluate(() => app.call())).toBe(200);
      await vi.waitFor(async () => expect(await context.pages()).toHaveLength(1), { timeout: 5_000 });
      expect(complaints).toEqual([]);
    });

    it.each(['worker', 'tab'])('renews once for two tabs, in the %s [X1] [X14]', async (place) => {
      if (place === 'tab') site.options = { worker: false };
      const page = await signedIn();
      const other = await open();
      await stateIs(other, 'signed_in');
      expect([await decided(page), await decided(other)]).toEqual([place, place]);
      const before = await page.evaluate(() => app.token());
      const requests = site.server.tokenRequests();
      const [first, second] = await Promise.all([renew(page), renew(other)]);
      expect(first).toMatch(/^ey/);
      expect([second, first === before]).toEqual([first, false]);
      expect(site.server.tokenRequests()).toBe(requests + 1);
      expect(site.server.refusals).toEqual([]);
      expect(complaints).toEqual([]);
    });

    it.each(['creating', 'joined'])('loses nothing when the %s tab is closed in the middle of its renewal [X14]', async (which) => {
      const creating = await signedIn();
      expect(await decided(creating)).toBe('worker');
      const joined = await open();
      expect(await decided(joined)).toBe('worker');
      const [closing, staying] = which === 'creating' ? [creating, joined] : [joined, creating];
      const token = await staying.evaluate(() => app.token());
      const { release } = await heldRenewal(closing);
      await closing.close();
      release();
      await staying.waitForFunction((old) => app.session.peek() !== undefined && app.session.peek()?.value !== old, { polling: 10 }, token);
      expect(await renew(staying)).toMatch(/^ey/);
      expect(await staying.evaluate(() => app.call())).toBe(200);
      expect(site.server.refusals).toEqual([]);
    });

    it('names the loss once, and loops nowhere, when its only tab is reloaded in the middle of a renewal [R14]', async () => {
      const page = await signedIn();
      const requests = site.server.tokenRequests();
      const { release } = await heldRenewal(page);
      await page.reload();
      release();
      await startedAt(page, new URL(page.url()).pathname);
      expect(await renew(page)).toBe('rotation_lost');
      expect(await page.evaluate(() => Promise.all([app.token(), app.token()]))).toEqual(['rotation_lost', 'rotation_lost']);
      // The lost one, and the one replay that found out.
      expect(site.server.tokenRequests()).toBe(requests + 2);
      await signIn(page);
      expect(await renew(page)).toMatch(/^ey/);
    });

    it('is bound to a key that stays in IndexedDB, and ends with it [H19] [H20] [H22] [S3]', async () => {
      site.options = { clientId: 'bound', dpop: true };
      site.api = boundApi(site);
      const page = await signedIn();
      expect(await page.evaluate(() => app.call())).toBe(200);
      await reloaded(page);
      expect(await page.evaluate(() => app.call())).toBe(200);
      expect(await renew(page)).toMatch(/^ey/);
      expect(await page.evaluate(async () => (await app.session.getToken()).type)).toBe('DPoP');
      expect(await page.evaluate(() => app.call())).toBe(200);
      await page.evaluate(() => storage.deleteKeys(':dpop'));
      await reloaded(page);
      expect(await page.evaluate(() => app.call())).toBe(401);
      await stateIs(page, 'signed_out');
      expect(await page.evaluate(() => app.token())).toBe('key_lost');
    });

    it('goes on after a renewal that the server could not be reached for, and is signed out by nothing of it [R24]', async () => {
      const page = await signedIn();
      await site.server.stop();
      try {
        expect(await renew(page)).toMatch(/^(ey|network_error)/);
        expect(await page.evaluate(() => app.session.snapshot().state)).toBe('signed_in');
      } finally {
        await site.server.start();
      }
      expect(site.server.refusals).toEqual([]);
    });
  });

  describe('the contracts', () => {
    let site: Awaited<ReturnType<typeof servePorts>>;
    let page: Page;

    beforeAll(async () => {
      site = await servePorts();
    });

    afterAll(() => site?.close());

    beforeEach(async () => {
      const open = async (): Promise<Page> => {
        const opened = await openPage(context, site.url, complaints);
        await opened.waitForFunction(() => 'ports' in globalThis, { polling: 10 });
        return opened;
      };
      const other = await open();
      await other.evaluate(() => ports.lend());
      page = await open();
    });

    it.each(contractSuites)('of %s hold', async (suite, names) => {
      for (const name of names) {
        const failure = await page.evaluate((ofSuite, ofCase) => ports.runCase(ofSuite, ofCase), suite, name);
        expect([name, failure]).toEqual([name, undefined]);
      }
      expect(complaints).toEqual([]);
    });
  });
});
