import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { App } from './page/session.js';
import type { Storage } from './page/session-storage.js';
import { appLoaded, openApp } from './support/session-site.js';
import { complaints, context, sessionSuite, site } from './support/session-suite.js';
import { signedInPage, signIn, stateIs } from './support/signed-in.js';

declare const app: App;
declare const storage: Storage;

sessionSuite({ entry: 'test/browser/page/session-storage.ts', tokenLifetimeS: 600 });

// What is left of a session whose tokens are gone.
const nothingLeft = [expect.objectContaining({ ended: 'revoked', tokens: [] })];

async function storedSessions(page: Page): Promise<unknown[]> {
  const records = await page.evaluate(() => storage.records());
  for (const record of records) expect(record).not.toHaveProperty('refreshToken');
  return records.filter((record) => 'epoch' in record);
}

const revocations = (): number => site.server.log.filter((line) => line === 'POST /token/revocation').length;

describe('signOut()', () => {
  it('revokes the refresh token, leaves a self-contained access token to its end, and the console empty [R27] [G11]', async () => {
    const page = await signedInPage(context, site, complaints);
    await page.evaluate(() => app.session.signOut());
    expect(revocations()).toBe(1);
    expect(await storedSessions(page)).toEqual(nothingLeft);
    expect(complaints).toEqual([]);
  });

  it('works offline: the tombstone is written and the other tabs are signed out within a second [R27] [X10] [complaint 28]', async () => {
    const page = await signedInPage(context, site);
    const other = await openApp(context, site.url, complaints);
    await stateIs(other, 'signed_in');
    await context.setOffline(true);
    // Both by the clock of the browser: how long it takes to ask it is no matter here.
    await other.evaluate(() => {
      const { session } = app;
      session.subscribe(() => session.snapshot().state === 'signed_out' && Reflect.set(globalThis, 'endedAt', Date.now()));
    });
    const began = await page.evaluate(async () => {
      const now = Date.now();
      await app.session.signOut();
      return now;
    });
    await stateIs(other, 'signed_out');
    const endedAt: number = await other.evaluate(() => Reflect.get(globalThis, 'endedAt'));
    expect(endedAt - began).toBeLessThan(1_000);
    expect(await other.evaluate(() => app.token())).toBe('login_required');
    expect(await storedSessions(other)).toEqual(nothingLeft);
    await context.setOffline(false);
    await page.reload();
    await appLoaded(page);
    await page.evaluate(() => app.started);
    expect(await page.evaluate(() => app.session.snapshot().state)).toBe('signed_out');
    expect(complaints).toEqual([]);
  });

  it('goes to the provider with nothing left in the storage, and comes back from there [A29]', async () => {
    const page = await signedInPage(context, site, complaints);
    const other = await openApp(context, site.url, complaints);
    let left: unknown[] | undefined;
    let sent: URLSearchParams | undefined;
    await page.route('**/session/end?**', async (route) => {
      sent = new URL(route.request().url()).searchParams;
      left = await storedSessions(other);
      await route.continue();
    });
    await page.evaluate(() => void app.session.signOut({ provider: true, returnTo: '/' }));
    await page.waitForURL('**/session/end?**');
    expect(left).toEqual(nothingLeft);
    expect(Object.fromEntries(sent ?? [])).toEqual({
      client_id: 'spa',
      id_token_hint: expect.stringMatching(/^eyJ/),
      post_logout_redirect_uri: site.url,
    });
    await page.evaluate(() => {
      const form = document.forms[0];
      const agreed = Object.assign(document.createElement('input'), { type: 'hidden', name: 'logout', value: 'yes' });
      form?.append(agreed);
      form?.submit();
    });
    await page.waitForURL(site.url);
    await appLoaded(page);
    await page.evaluate(() => app.started);
    expect(await page.evaluate(() => app.session.snapshot())).toMatchObject({ state: 'signed_out', user: undefined });
    expect(complaints).toEqual([]);
  });

  it('goes on after two seconds when the server does not answer, and the request goes on by itself [R27] [P28]', async () => {
    // Where the test can hold the request.
    site.options = { worker: false };
    const page = await signedInPage(context, site, complaints);
    const asked = page.waitForRequest('**/token/revocation');
    await page.route('**/token/revocation', () => undefined);
    await page.evaluate(() => void app.session.signOut({ returnTo: '/bye' }));
    await asked;
    const began = Date.now();
    await page.waitForURL(`${site.url}bye`);
    expect(Date.now() - began).toBeGreaterThan(1_000);
    expect(Date.now() - began).toBeLessThan(4_000);
    await appLoaded(page);
    expect(await storedSessions(page)).toEqual(nothingLeft);
  });

  it('wins over a renewal that is under way, whose tokens are revoked: nothing comes back [R26]', async () => {
    // Where the test can hold the request.
    site.options = { worker: false };
    const page = await signedInPage(context, site, complaints);
    const [asked, signedOut] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let late = '';
    await page.route('**/token', async (route) => {
      const response = await route.fetch();
      late = (await response.json()).refresh_token;
      asked.resolve();
      await signedOut.promise;
      await route.fulfill({ response });
    });
    await page.evaluate(async () => {
      const refused = await app.session.getToken();
      Reflect.set(globalThis, 'renewing', app.token({ invalidToken: refused }));
    });
    await asked.promise;
    await page.evaluate(() => app.session.signOut());
    signedOut.resolve();
    expect(await page.evaluate(() => Reflect.get(globalThis, 'renewing'))).toBe('session_changed');
    // The refresh token that was forgotten, and the one that came too late.
    await expect.poll(revocations).toBe(2);
    expect(await storedSessions(page)).toEqual(nothingLeft);
    const again = await fetch(`${site.server.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'refresh_token', client_id: 'spa', refresh_token: late }),
    });
    expect([late.length > 10, again.status]).toEqual([true, 400]);
    expect(await page.evaluate(() => app.token())).toBe('login_required');
    expect(complaints).toEqual([]);
  });

  it('needs no code that is not there: signed out in all tabs, and where the app wants to be [R27] [X10]', async () => {
    const page = await signedInPage(context, site);
    const other = await openApp(context, site.url, complaints);
    await stateIs(other, 'signed_in');
    await other.evaluate(() => app.token());
    site.missing = /live-session/;
    await page.reload();
    await appLoaded(page);
    await page.evaluate(() => app.started);
    expect(await page.evaluate(() => app.session.snapshot().state)).toBe('signed_in');
    await page.evaluate(() => void app.session.signOut({ returnTo: '/bye' }));
    await stateIs(other, 'signed_out', 1_000);
    expect(await other.evaluate(() => app.session.explain().at(-1))).toMatchObject({ type: 'session_ended', reason: 'storage_cleared', elsewhere: true });
    await page.waitForURL(`${site.url}bye`);
    site.missing = undefined;
    await page.reload();
    await appLoaded(page);
    await page.evaluate(() => app.started);
    expect(await page.evaluate(() => app.session.snapshot().state)).toBe('signed_out');
    expect(await storedSessions(page)).toEqual([]);
    await signIn(page);
    expect(await page.evaluate(() => app.call())).toBe(200);
  });

  it('goes nowhere but to the own origin, and keeps the session when it was called wrongly', async () => {
    const page = await signedInPage(context, site, complaints);
    const wrong = [{ returnTo: 'https://evil.example/' }, { returnTo: '//evil.example' }, { provider: 'yes' }, { everywhere: true }];
    for (const options of wrong) {
      expect(await page.evaluate((given) => app.outcome(app.session.signOut(JSON.parse(given))), JSON.stringify(options))).toBe('invalid_option');
    }
    expect(await page.evaluate(() => app.call())).toBe(200);
  });
});

describe('another user who signs in in another tab', () => {
  it('is who this tab speaks of too [X10] [A32]', async () => {
    const page = await signedInPage(context, site, complaints);
    const other = await openApp(context, site.url, complaints);
    await stateIs(other, 'signed_in');
    await other.evaluate(() => app.token());
    site.server.user.name = 'bob';
    // Of the server alone.
    await context.clearCookies();
    await signIn(page, { prompt: 'login' });
    await other.waitForFunction(() => app.states.at(-1)?.user?.sub === 'bob', undefined, { polling: 10, timeout: 1_000 });
    expect(await other.evaluate(async () => (await app.session.getToken()).claims()?.sub)).toBe('bob');
    site.server.user.name = 'alice';
    expect(complaints).toEqual([]);
  });
});
