import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { App } from './page/session.js';
import type { Storage } from './page/session-storage.js';
import { appLoaded, openApp } from './support/session-site.js';
import { complaints, context, sessionSuite, site } from './support/session-suite.js';
import { signedInPage, stateIs } from './support/signed-in.js';

declare const app: App;
declare const storage: Storage;

// What other libraries were seen to get wrong with several tabs, a rotating refresh token, popups and policies.
sessionSuite({ entry: 'test/browser/page/session-storage.ts', tokenLifetimeS: 600 });

/** Tabs of one user; each renews where it is told to. */
async function tabsOf(...places: readonly ('worker' | 'tab')[]): Promise<Page[]> {
  const pages: Page[] = [];
  for (const place of places) {
    site.options = place === 'worker' ? {} : { worker: false };
    const page = pages.length === 0 ? await signedInPage(context, site, complaints) : await openApp(context, site.url, complaints);
    await stateIs(page, 'signed_in');
    await page.waitForFunction((wanted) => app.session.snapshot().renewal === wanted, place, { polling: 10 });
    pages.push(page);
  }
  return pages;
}

/** Says that an API refused the token, so many times at once; gives all that comes of it. */
const refused = (page: Page, token: string, times = 1): Promise<string[]> =>
  page.evaluate(
    async ([value, count]) => {
      const invalidToken = await app.session.getToken();
      if (invalidToken.value !== value) return Promise.all([app.token()]);
      return Promise.all(Array.from({ length: count }, () => app.token({ invalidToken })));
    },
    [token, times] as const,
  );

describe('tabs whose token is refused at the same time', () => {
  it.each([
    ['in the worker', ['worker', 'worker', 'worker', 'worker', 'worker']],
    ['in each tab', ['tab', 'tab', 'tab', 'tab', 'tab']],
    ['in the worker and in tabs', ['worker', 'tab', 'worker', 'tab', 'tab']],
  ] as const)('renew once %s, and all get the new one [complaint 1] [complaint 26] [peer P5] [peer P6] [gap 5] [X1] [R5]', async (_where, places) => {
    const pages = await tabsOf(...places);
    const [token = ''] = await Promise.all(pages.map((page) => page.evaluate(() => app.token())));
    const before = site.server.tokenRequests();
    const found = (await Promise.all(pages.map((page) => refused(page, token, 5)))).flat();
    expect(new Set(found).size).toBe(1);
    expect(found[0]).toMatch(/^ey/);
    expect(found[0]).not.toBe(token);
    expect(site.server.tokenRequests()).toBe(before + 1);
    expect(site.server.refusals).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it('all wait for one whose renewal takes long, and for the next one when its tab is killed [gap 4] [X5]', async () => {
    const pages = await tabsOf('tab', 'tab', 'tab');
    const [killed, ...staying] = pages;
    if (!killed) throw new Error('three tabs');
    const answer = Promise.withResolvers<void>();
    const token = await killed.evaluate(() => app.token());
    // Nothing is sent, so that nothing is lost with the tab.
    await killed.evaluate(async () => {
      const invalidToken = await app.session.getToken();
      await new Promise<void>((resolve) => {
        globalThis.fetch = () => {
          resolve();
          return new Promise(() => undefined);
        };
        void app.token({ invalidToken });
      });
    });
    const waiting = staying.map((page) => refused(page, token));
    await Promise.all(staying.map((page) => page.waitForFunction(() => app.session.snapshot().status === 'renewing', undefined, { polling: 10 })));
    const before = site.server.tokenRequests();
    site.server.holdAnswers(() => answer.promise);
    await killed.close();
    await expect.poll(() => site.server.tokenRequests()).toBe(before + 1);
    answer.resolve();
    const found = (await Promise.all(waiting)).flat();
    expect(new Set(found).size).toBe(1);
    expect(found[0]).toMatch(/^ey/);
    expect(site.server.tokenRequests()).toBe(before + 1);
    expect(site.server.refusals).toEqual([]);
  });

  it('are all signed out by a sign-out in one of them while another renews: nothing comes back [gap 20] [R26] [X10]', async () => {
    const [renewing, leaving, third] = await tabsOf('worker', 'worker', 'worker');
    if (!renewing || !leaving || !third) throw new Error('three tabs');
    const answer = Promise.withResolvers<void>();
    const known = site.server.refreshTokens.length;
    site.server.holdAnswers(() => answer.promise);
    const outcome = renewing.evaluate(async () => app.token({ invalidToken: await app.session.getToken() }));
    await expect.poll(() => site.server.refreshTokens.length).toBe(known + 1);
    const began = Date.now();
    await leaving.evaluate(() => void app.session.signOut());
    await Promise.all([renewing, leaving, third].map((page) => stateIs(page, 'signed_out')));
    expect(Date.now() - began).toBeLessThan(1_000);
    answer.resolve();
    expect(await outcome).toMatch(/session_changed|login_required/);
    const records = await third.evaluate(() => storage.records());
    expect(records.filter((record) => 'epoch' in record)).toEqual([expect.objectContaining({ ended: 'revoked', tokens: [] })]);
    // The refresh token that was forgotten, and the one that came too late.
    await expect.poll(() => site.server.log.filter((line) => line === 'POST /token/revocation').length).toBe(2);
    const late = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'spa', refresh_token: site.server.refreshTokens.at(-1) ?? '' });
    expect((await fetch(`${site.server.issuer}/token`, { method: 'POST', body: late })).status).toBe(400);
  });
});

describe('a sign-in that nobody finished', () => {
  it.each(['closed', 'reloaded', 'left again'])('stands in the way of no other, when its page was %s [complaint 8] [A3]', async (how) => {
    const page = await openApp(context, site.url, complaints);
    await page.evaluate(() => void app.session.signIn({ loginHint: 'undecided', returnTo: '/welcome' }));
    await page.waitForURL(`${site.server.issuer}/interaction/**`);
    if (how === 'closed') await page.close();
    else if (how === 'reloaded') await page.reload();
    else await page.goto(site.url);
    const other = how === 'left again' ? page : await openApp(context, site.url, complaints);
    await appLoaded(other);
    await other.evaluate(() => void app.session.signIn({ returnTo: '/orders' }));
    await other.waitForURL(`${site.url}orders`);
    await appLoaded(other);
    expect(await other.evaluate(() => app.started)).toBe('fine');
    expect(await other.evaluate(() => app.call())).toBe(200);
    if (how !== 'reloaded') return;
    // And may still be finished.
    await page.click('a');
    await page.waitForURL(`${site.url}welcome`);
    await appLoaded(page);
    expect(await page.evaluate(() => app.started)).toBe('fine');
    expect(site.server.refusals).toEqual([]);
  });
});

describe('a browser that keeps no cookie of the server for this page', () => {
  it('is nothing to a session: it restores and renews without a frame or a silent sign-in [complaint 11]', async () => {
    const sent: string[] = [];
    let frames = 0;
    context.on('page', (page) => page.on('frameattached', () => frames++));
    context.on('request', (request) => sent.push(request.url()));
    const page = await signedInPage(context, site, complaints);
    await context.clearCookies();
    const before = sent.length;
    await page.reload();
    await appLoaded(page);
    expect(await page.evaluate(() => app.started)).toBe('fine');
    const token = await page.evaluate(() => app.token());
    expect(await refused(page, token)).toEqual([expect.stringMatching(/^ey/)]);
    expect(await page.evaluate(() => app.call())).toBe(200);
    expect(sent.slice(before).filter((url) => url.includes('/auth'))).toEqual([]);
    expect(frames).toBe(0);
    expect(complaints).toEqual([]);
  });
});

describe("a content security policy that says worker-src 'self'", () => {
  it('lets the worker run, which is a file of the app, and wants no blob [complaint 20] [X14]', async () => {
    site.policy += "; worker-src 'self'; script-src 'self'; frame-src 'none'; object-src 'none'";
    const [page] = await tabsOf('worker');
    const token = await page?.evaluate(() => app.token());
    expect(page && (await refused(page, token ?? ''))).toEqual([expect.stringMatching(/^ey/)]);
    expect(page && (await page.evaluate(() => app.call()))).toBe(200);
    expect(complaints).toEqual([]);
  });
});
