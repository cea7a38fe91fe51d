import type { Page } from 'playwright-core';
import { afterEach, describe, expect, it } from 'vitest';
import type { App } from './page/session.js';
import type { Storage } from './page/session-storage.js';
import { appLoaded, openApp } from './support/session-site.js';
import { complaints, context, sessionSuite, site } from './support/session-suite.js';
import { signedInPage, signIn, stateIs } from './support/signed-in.js';

declare const app: App;
declare const storage: Storage;

sessionSuite({ entry: 'test/browser/page/session-storage.ts', tokenLifetimeS: 600 });

afterEach(() => {
  expect(complaints).toEqual([]);
});

async function reloaded(page: Page): Promise<string> {
  await page.reload();
  await appLoaded(page);
  expect(await page.evaluate(() => app.started)).toBe('fine');
  return page.evaluate(() => app.session.snapshot().state);
}

const warnings = (page: Page): Promise<string[]> => page.evaluate(() => app.session.explain().flatMap((entry) => (entry.type === 'warning' ? entry.code : [])));

describe('a browser that keeps nothing', () => {
  it.each([
    ['has no IndexedDB', "Object.defineProperty(globalThis, 'indexedDB', { value: undefined })"],
    ['does not open IndexedDB', "IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError'); }"],
    ['has no room left', "IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); }"],
    ['has no Web Locks', "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })"],
  ])('%s: the session lives in the memory of its page, says so once, and works [X25] [X6] [S1]', async (_what, script) => {
    await context.addInitScript(script);
    const page = await openApp(context, site.url, complaints);
    expect(await page.evaluate(() => app.session.snapshot().state)).toBe('signed_out');
    await signIn(page);
    expect(await page.evaluate(() => app.call())).toBe(200);
    const renewed = await page.evaluate(async () => {
      const first = await app.session.getToken();
      return (await app.session.getToken({ invalidToken: first })).value !== first.value;
    });
    expect(renewed).toBe(true);
    expect(await warnings(page)).toEqual(['storage_degraded']);
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
    expect(kept).not.toMatch(/eyJ|refresh|accessToken|codeVerifier/);
    await page.evaluate(() => app.session.signOut());
    expect(await page.evaluate(() => app.token())).toBe('login_required');
    await signIn(page);
    expect(await reloaded(page)).toBe('signed_out');
  });
});

describe('what somebody else does to the storage', () => {
  it('signs out with that reason when it is cleared, and the next sign-in is kept again [X24]', async () => {
    const page = await signedInPage(context, site, complaints);
    const tools = await context.newCDPSession(page);
    await tools.send('Storage.clearDataForOrigin', { origin: new URL(site.url).origin, storageTypes: 'all' });
    // As a user who comes back from the developer tools.
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await stateIs(page, 'signed_out');
    expect(await page.evaluate(() => app.session.explain().at(-1))).toMatchObject({ type: 'session_ended', reason: 'storage_cleared', elsewhere: true });
    expect(await page.evaluate(() => app.token())).toBe('login_required');
    await signIn(page);
    expect(await reloaded(page)).toBe('signed_in');
    expect(await page.evaluate(() => app.call())).toBe(200);
  });

  it('leaves a record of a newer version alone: tokens are served to their end, and nothing is written over it [X26]', async () => {
    const page = await signedInPage(context, site, complaints);
    const newer = await page.evaluate(async () => {
      const records = (await storage.exported()).map(([key, entry]): [string, unknown] => [key, { ...Object(entry), v: 2 }]);
      await storage.imported(records);
      document.dispatchEvent(new Event('visibilitychange'));
      return records;
    });
    expect(await page.evaluate(() => app.call())).toBe(200);
    expect(await page.evaluate(() => app.session.snapshot().state)).toBe('signed_in');
    expect(await page.evaluate(async () => app.token({ invalidToken: await app.session.getToken() }))).toBe('store_unavailable');
    expect(await reloaded(page)).toBe('signed_out');
    expect(await page.evaluate(() => app.token())).toBe('store_unavailable');
    expect(await page.evaluate(() => app.outcome(app.session.signOut()))).toBe('store_unavailable');
    expect(await page.evaluate(() => storage.exported())).toEqual(newer);
  });

  it('counts a record that does not open any more as none, says so, and goes on after a sign-in [S2]', async () => {
    const page = await signedInPage(context, site, complaints);
    await page.evaluate(() => storage.change((value) => value.replace(/"data":"..../, '"data":"AAAA')));
    expect(await reloaded(page)).toBe('signed_out');
    expect(await page.evaluate(() => app.token())).toBe('login_required');
    expect(await warnings(page)).toContain('record_unreadable');
    await signIn(page);
    expect(await reloaded(page)).toBe('signed_in');
  });
});

describe('createSession({ store })', () => {
  it('refuses a store on localStorage, however it is wrapped, unless refresh tokens stay the same [X28]', async () => {
    const page = await openApp(context, site.url, complaints);
    site.options = { store: 'localStorage' };
    const refused = await context.newPage();
    const failed = refused.waitForEvent('pageerror');
    await refused.goto(site.url);
    expect((await failed).message).toMatch(/option "store": expected one where tabs see each write at once/);
    site.options = { store: 'localStorage', preset: { idTokenAlgorithms: ['ES256'], rotation: 'none' } };
    expect(await reloaded(page)).toBe('signed_out');
  });

  it.each([
    ['memory', 'signed_out'],
    ['sessionStorage', 'signed_in'],
  ])('takes one in %s, and DPoP with it: after a reload it is %s', async (store, after) => {
    site.options = { store };
    const page = await signedInPage(context, site, complaints);
    expect(await page.evaluate(() => app.call())).toBe(200);
    expect(await warnings(page)).toEqual([]);
    expect(await reloaded(page)).toBe(after);
    site.options = { store, clientId: 'bound', dpop: true };
    await reloaded(page);
    await signIn(page);
    expect(await page.evaluate(async () => (await app.session.getToken()).type)).toBe('DPoP');
  });
});
