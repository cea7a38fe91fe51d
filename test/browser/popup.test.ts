import type { Page } from 'playwright-core';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { SessionSignInOptions, SessionSnapshot } from 'tokenkeep/browser';
import type { App } from './page/session.js';
import { appLoaded, openApp } from './support/session-site.js';
import { complaints, context, sessionSuite, site } from './support/session-suite.js';
import { launch } from './support/tabs.js';

declare const app: App;
/** What the click came to. */
declare const clicked: Promise<SessionSnapshot | string>;

let page: Page;

sessionSuite();

beforeEach(async () => {
  context.setDefaultTimeout(10_000);
  page = await openApp(context, site.url, complaints);
  await page.evaluate(() => app.started);
});

/** Clicks on the page, which signs in by popup, and gives the popup. */
async function click(options: SessionSignInOptions = {}): Promise<Page> {
  await page.evaluate((wanted) => {
    const { open } = globalThis;
    const own: typeof open = Reflect.get(globalThis, 'ownOpen') ?? open;
    Reflect.set(globalThis, 'ownOpen', own);
    const signIn = (): void => {
      // What a browser would block: a window that is not opened in the click itself.
      let isInClick = true;
      globalThis.open = (...given) => (isInClick ? own(...given) : null);
      const signedIn = app.session.signIn({ ...wanted, via: 'popup' }).catch((error: unknown) => app.outcome(Promise.reject(error)));
      Reflect.set(globalThis, 'clicked', signedIn);
      isInClick = false;
    };
    document.documentElement.addEventListener('click', signIn, { once: true });
  }, options);
  const opened = page.waitForEvent('popup');
  await page.mouse.click(20, 20);
  return opened;
}

/** The user has come to the server's page, which asks them. */
async function asked(popup: Page): Promise<void> {
  await popup.waitForURL(`${site.server.issuer}/interaction/**`);
  await popup.waitForSelector('a');
}

const closed = (popup: Page): Promise<unknown> => (popup.isClosed() ? Promise.resolve() : popup.waitForEvent('close'));

/** In the tests every page has the focus; users have one in front. */
async function goBehind(hasFocus = false): Promise<void> {
  await page.evaluate((has) => {
    document.hasFocus = () => has;
  }, hasFocus);
}

describe('signIn({ via: "popup" })', () => {
  it('opens it at the click, before its code is there, and is signed in where the user is [A19] [A3]', async () => {
    await page.evaluate(() => history.replaceState(null, '', '/orders?of=today'));
    const before = site.server.tokenRequests();
    const popup = await click();
    await closed(popup);
    expect(await page.evaluate(() => clicked)).toMatchObject({ state: 'signed_in', status: 'ready', user: { sub: 'alice' } });
    expect(page.url()).toBe(`${site.url}orders?of=today`);
    expect(await page.evaluate(() => app.call())).toBe(200);
    expect(site.server.tokenRequests()).toBe(before + 1);
    await page.reload();
    await appLoaded(page);
    expect(await page.evaluate(() => app.call())).toBe(200);
    expect(complaints).toEqual([]);
  });

  it('waits for its code with the popup open [A19]', async () => {
    const held = Promise.withResolvers<void>();
    await context.route(/live-session/, async (route) => {
      await held.promise;
      await route.continue();
    });
    await page.goto(`${site.url}?wait`);
    await appLoaded(page);
    const popup = await click();
    expect(popup.url()).toBe('about:blank');
    held.resolve();
    await closed(popup);
    expect(await page.evaluate(() => clicked)).toMatchObject({ state: 'signed_in' });
  });

  it('says popup_blocked where the browser opens none, sends nothing, and a redirect does instead', async () => {
    const blocking = await launch({ blocksPopups: true });
    try {
      const before = site.server.log.length;
      const blocked = await openApp(await blocking.newContext(), site.url, complaints);
      expect(await blocked.evaluate(() => app.outcome(app.session.signIn({ via: 'popup' })))).toBe('popup_blocked');
      expect(site.server.log.length).toBe(before);
      await blocked.evaluate(() => void app.session.signIn({ via: 'redirect', returnTo: '/welcome' }));
      await blocked.waitForURL(`${site.url}welcome`);
      await appLoaded(blocked);
      expect(await blocked.evaluate(async () => [await app.started, app.session.user?.sub])).toEqual(['fine', 'alice']);
    } finally {
      await blocking.close();
    }
  });

  it('says popup_closed when the user closes it, and can be tried again [complaint 15] [complaint 8]', async () => {
    const popup = await click({ loginHint: 'undecided' });
    await asked(popup);
    await popup.close();
    expect(await page.evaluate(() => clicked)).toBe('popup_closed');
    expect(await page.evaluate(() => app.session.snapshot().state)).toBe('signed_out');
    await closed(await click());
    expect(await page.evaluate(() => clicked)).toMatchObject({ state: 'signed_in' });
  });

  it('goes on when the server cuts the popup off from its opener [A19] [complaint 15]', async () => {
    site.server.page.headers = { 'cross-origin-opener-policy': 'same-origin' };
    await goBehind();
    const popup = await click({ loginHint: 'undecided' });
    await asked(popup);
    expect(await popup.evaluate(() => window.opener)).toBeNull();
    await popup.click('a');
    await closed(popup);
    expect(await page.evaluate(() => clicked)).toMatchObject({ state: 'signed_in', user: { sub: 'alice' } });
    expect(complaints).toEqual([]);
  });

  it('finishes in a popup that was cut off and given up for closed, and the page that opened it hears of it [A19] [X10]', async () => {
    site.server.page.headers = { 'cross-origin-opener-policy': 'same-origin' };
    const popup = await click({ loginHint: 'undecided', returnTo: '/welcome' });
    await asked(popup);
    expect(await page.evaluate(() => clicked)).toBe('popup_closed');
    const before = site.server.tokenRequests();
    await popup.click('a');
    await popup.waitForURL(`${site.url}welcome`);
    await appLoaded(popup);
    expect(await popup.evaluate(async () => [await app.started, app.session.user?.sub])).toEqual(['fine', 'alice']);
    await page.waitForFunction(() => app.session.snapshot().state === 'signed_in');
    expect(site.server.tokenRequests()).toBe(before + 1);
  });

  it('finishes in the popup when the page that opened it is gone [A3]', async () => {
    const popup = await click({ loginHint: 'undecided', returnTo: '/welcome' });
    await asked(popup);
    await page.close();
    await popup.click('a');
    await popup.waitForURL(`${site.url}welcome`);
    await appLoaded(popup);
    expect(await popup.evaluate(async () => [await app.started, app.session.user?.sub])).toEqual(['fine', 'alice']);
  });

  it('hears only its own popup on its own origin, and only of its own sign-in [A19] [A4]', async () => {
    let state = '';
    context.on('request', (request) => {
      state ||= new URL(request.url()).searchParams.get('state') ?? '';
    });
    const popup = await click({ loginHint: 'undecided' });
    await asked(popup);
    expect(state).not.toBe('');
    const forged = `${site.url}callback?code=forged&state=${state}&iss=${encodeURIComponent(site.server.issuer)}`;
    const before = site.server.tokenRequests();
    const heard = page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          let count = 0;
          globalThis.addEventListener('message', () => ++count === 2 && resolve(count));
        }),
    );
    // From the right origin, by another window; from the right window, of another origin.
    await page.evaluate((url) => globalThis.postMessage(url, location.origin), forged);
    await popup.evaluate((url) => globalThis.opener.postMessage(url, '*'), forged);
    await page.evaluate(
      ([url, of]) => {
        const channel = new BroadcastChannel(`tokenkeep:1:callback:${of}`);
        for (const each of [7, null, {}, 'text', url.replace(of, 'another')]) channel.postMessage(each);
        channel.close();
      },
      [forged, state] as const,
    );
    expect(await heard).toBe(2);
    expect(site.server.tokenRequests()).toBe(before);
    await popup.click('a');
    await closed(popup);
    expect(await page.evaluate(() => clicked)).toMatchObject({ state: 'signed_in' });
    expect(site.server.tokenRequests()).toBe(before + 1);
  });

  it('says login_required when the user declines there [A17]', async () => {
    const popup = await click({ loginHint: 'nobody' });
    await closed(popup);
    expect(await page.evaluate(() => clicked)).toBe('login_required');
    expect(await page.evaluate(() => app.session.snapshot().state)).toBe('signed_out');
  });

  it('closes it again when the code cannot be had, the server neither, or the option is wrong', async () => {
    site.missing = /live-session/;
    await page.goto(`${site.url}?wait`);
    await appLoaded(page);
    await closed(await click());
    expect(await page.evaluate(() => clicked)).toBe('code_unavailable');
    site.missing = undefined;
    await page.reload();
    await appLoaded(page);
    await closed(await click({ returnTo: 'https://elsewhere.example/' }));
    expect(await page.evaluate(() => clicked)).toBe('invalid_option');
    await context.route(`${site.server.issuer}/**`, (route) => route.abort());
    await closed(await click());
    expect(await page.evaluate(() => clicked)).toBe('network_error');
  });

  it('closes it and says disposed when the session is', async () => {
    const popup = await click({ loginHint: 'undecided' });
    await asked(popup);
    await page.evaluate(() => app.session.dispose());
    await closed(popup);
    expect(await page.evaluate(() => clicked)).toBe('disposed');
  });

  it.each(['tab', 'worker'])(
    'is not lost when the session is disposed while its code is redeemed in the %s: the next one has it [A11] [X14]',
    async (place) => {
      site.options = { worker: place === 'worker' ? undefined : false };
      await page.reload();
      await appLoaded(page);
      const answer = Promise.withResolvers<void>();
      const before = site.server.refreshTokens.length;
      site.server.holdAnswers(() => answer.promise);
      const popup = await click();
      await vi.waitFor(() => expect(site.server.refreshTokens.length).toBe(before + 1), { timeout: 10_000, interval: 10 });
      await closed(popup);
      const gone = page.evaluate(() => app.session.dispose());
      expect(await page.evaluate(() => app.session.snapshot().status)).toBe('disposed');
      answer.resolve();
      await gone;
      site.server.holdAnswers(() => Promise.resolve());
      const next = await page.evaluate(async () => {
        const session = app.createSession(app.options);
        await session.start();
        return [session.snapshot().state, (await session.getToken()).type];
      });
      expect(next).toEqual(['signed_in', 'Bearer']);
      expect(site.server.refusals).toEqual([]);
    },
  );

  it('works where the browser keeps nothing [X25] [A19]', async () => {
    await context.addInitScript(() => void Object.defineProperty(globalThis, 'indexedDB', { value: undefined }));
    site.server.page.headers = { 'cross-origin-opener-policy': 'same-origin' };
    await page.reload();
    await appLoaded(page);
    await goBehind();
    const popup = await click({ loginHint: 'undecided' });
    await asked(popup);
    await popup.click('a');
    await closed(popup);
    expect(await page.evaluate(() => clicked)).toMatchObject({ state: 'signed_in' });
    expect(await page.evaluate(() => app.call())).toBe(200);
  });
});
