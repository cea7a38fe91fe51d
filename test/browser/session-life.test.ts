import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { App } from './page/session.js';
import type { Storage } from './page/session-storage.js';
import { openApp } from './support/session-site.js';
import { complaints, context, sessionSuite, site } from './support/session-suite.js';
import { signedInPage, stateIs } from './support/signed-in.js';

declare const app: App;
declare const storage: Storage;
/** A session whose clock the test sets: `timeShiftMs` beside the machine's. */
declare const timed: App['session'];

const dayMs = 86_400_000;

sessionSuite({ entry: 'test/browser/page/session-storage.ts', tokenLifetimeS: 600 });

// In the place of the page's own session, which would go on with the machine's clock.
async function withOwnClock(page: Page, shiftMs = 0, keepFresh = false): Promise<void> {
  await page.evaluate(
    async ([shift, isKeptFresh]) => {
      await app.session.dispose();
      Object.assign(globalThis, { timeShiftMs: shift });
      const clock = {
        now: () => Date.now() + Number(Reflect.get(globalThis, 'timeShiftMs')),
        monotonicMs: () => performance.now(),
        sleep: (ms: number, signal?: AbortSignal) =>
          new Promise<void>((resolve, reject) => {
            const timer = setTimeout(resolve, Math.min(ms, 2 ** 31 - 1));
            signal?.addEventListener('abort', () => {
              clearTimeout(timer);
              reject(signal.reason);
            });
          }),
      };
      const session = app.createSession({ ...app.options, clock, keepFresh: isKeptFresh });
      Object.assign(globalThis, { timed: session });
      await session.start();
    },
    [shiftMs, keepFresh] as const,
  );
}

const passed = (page: Page, ms: number): Promise<void> =>
  page.evaluate((shift) => {
    Object.assign(globalThis, { timeShiftMs: Number(Reflect.get(globalThis, 'timeShiftMs')) + shift });
  }, ms);

const tokenOf = (page: Page): Promise<string> =>
  page.evaluate(() =>
    timed.getToken().then(
      ({ value }) => value,
      ({ kind, code }) => `${kind} ${code}`,
    ),
  );

async function freeze(page: Page, state: 'frozen' | 'active'): Promise<void> {
  const tools = await context.newCDPSession(page);
  await tools.send('Page.setWebLifecycleState', { state });
  await tools.detach();
}

describe('a page that comes back', () => {
  it('after it was frozen: the sign-out of another tab is known at its next call [X10] [X11] [complaint 28]', async () => {
    const page = await signedInPage(context, site, complaints);
    const other = await openApp(context, site.url, complaints);
    await stateIs(other, 'signed_in');
    await other.evaluate(() => app.token());
    await freeze(other, 'frozen');
    await page.evaluate(() => app.session.signOut());
    await freeze(other, 'active');
    expect(await other.evaluate(() => app.token())).toBe('login_required');
    expect(await other.evaluate(() => app.session.snapshot().state)).toBe('signed_out');
    expect(complaints).toEqual([]);
  });

  it.each(['visibilitychange', 'pageshow', 'resume', 'online'])('reads the store again at %s, where no news came [X8] [X11]', async (event) => {
    await context.addInitScript('delete globalThis.BroadcastChannel');
    const page = await signedInPage(context, site, complaints);
    const other = await openApp(context, site.url, complaints);
    await stateIs(other, 'signed_in');
    // Refused by the code that is loaded on demand: it is there, and has read the store.
    expect(await other.evaluate(() => app.outcome(app.session.signIn({ scope: '"' })))).toBe('invalid_option');
    await page.evaluate(() => app.session.signOut());
    expect(await other.evaluate(() => app.session.snapshot().state)).toBe('signed_in');
    await other.evaluate((name) => {
      if (name === 'pageshow') dispatchEvent(new PageTransitionEvent(name, { persisted: true }));
      else (name === 'online' ? globalThis : document).dispatchEvent(new Event(name));
    }, event);
    expect(await other.evaluate(() => app.token())).toBe('login_required');
    expect(complaints).toEqual([]);
  });

  it('after eight hours of sleep: two tabs renew once, together [E9] [X1] [X5] [gap 12]', async () => {
    const page = await signedInPage(context, site, complaints);
    const other = await openApp(context, site.url, complaints);
    const pages = [page, other];
    for (const each of pages) await withOwnClock(each);
    const before = await tokenOf(page);
    const requests = site.server.tokenRequests();
    for (const each of pages) await freeze(each, 'frozen');
    for (const each of pages) await freeze(each, 'active');
    for (const each of pages) await passed(each, dayMs / 3);
    const [first, second] = await Promise.all(pages.map(tokenOf));
    expect(first).toMatch(/^eyJ/);
    expect([first === second, first === before]).toEqual([true, false]);
    expect(site.server.tokenRequests()).toBe(requests + 1);
    expect(complaints).toEqual([]);
  });

  it('when the clock was set back by a day: nobody is signed out, here and after a reload [E8] [complaint 16]', async () => {
    const page = await signedInPage(context, site, complaints);
    await withOwnClock(page);
    const before = await tokenOf(page);
    await passed(page, -dayMs);
    expect(await tokenOf(page)).toBe(before);
    expect(await page.evaluate(async () => (await timed.getToken({ invalidToken: await timed.getToken() })).value)).not.toBe(before);
    await page.evaluate(() => timed.dispose());
    const other = await openApp(context, site.url, complaints);
    await withOwnClock(other, -dayMs);
    expect(await tokenOf(other)).toMatch(/^eyJ/);
    expect(await other.evaluate(() => timed.snapshot().state)).toBe('signed_in');
    expect(site.server.refusals).toEqual([]);
  });
});

describe('a page without a network', () => {
  it('serves what is valid, says what it lacks after that, signs nobody out, and goes on when the network is back [E3] [R24]', async () => {
    const page = await signedInPage(context, site);
    await withOwnClock(page);
    const before = await tokenOf(page);
    await context.setOffline(true);
    expect(await tokenOf(page)).toBe(before);
    await passed(page, 900_000);
    expect(await tokenOf(page)).toBe('transient network_error');
    // Remembered for a while, so that nobody asks without end.
    expect(await page.evaluate(() => timed.getToken().catch(({ fromCache, kind, message }) => [fromCache, kind, message]))).toEqual([
      true,
      'transient',
      expect.stringContaining('could not be reached'),
    ]);
    expect(await page.evaluate(() => timed.snapshot())).toMatchObject({ state: 'signed_in', status: 'failed', user: { sub: 'alice' } });
    await page.evaluate(() => {
      const back = new Promise((resolve) => addEventListener('online', resolve, { once: true }));
      Object.assign(globalThis, { back: back.then(() => timed.getToken()).then(({ value }) => value) });
    });
    await context.setOffline(false);
    const after = await page.evaluate<string>(() => Reflect.get(globalThis, 'back'));
    expect(after).toMatch(/^eyJ/);
    expect(after).not.toBe(before);
  });
});

describe('keepFresh', () => {
  it('lets tokens age while nobody sees the page, and renews when somebody does [X12]', async () => {
    const page = await signedInPage(context, site, complaints);
    await withOwnClock(page, 0, true);
    const requests = site.server.tokenRequests();
    await page.evaluate(() => {
      Object.defineProperty(document, 'visibilityState', { configurable: true, value: 'hidden' });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await passed(page, 900_000);
    await page.evaluate(async () => {
      document.dispatchEvent(new Event('resume'));
      // Until whatever would be renewed now had begun.
      for (let look = 0; look < 5; look++) await storage.records();
    });
    expect(await page.evaluate(() => timed.snapshot().status)).toBe('empty');
    expect(site.server.tokenRequests()).toBe(requests);
    await page.evaluate(() => {
      Reflect.deleteProperty(document, 'visibilityState');
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await page.waitForFunction(() => timed.snapshot().status === 'ready', undefined, { polling: 10 });
    expect(site.server.tokenRequests()).toBe(requests + 1);
    expect(complaints).toEqual([]);
  });
});
