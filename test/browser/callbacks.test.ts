import type { Page } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';
import type { SessionSignInOptions } from 'tokenkeep/browser';
import type { App } from './page/session.js';
import { appLoaded, openApp } from './support/session-site.js';
import { browser, complaints, context, sessionSuite, site } from './support/session-suite.js';

declare const app: App;

let page: Page;

sessionSuite();

beforeEach(async () => {
  // The worker's requests are not the page's: what is told of them here is told by the page.
  site.options = { worker: false };
  context.setDefaultTimeout(5_000);
  page = await openApp(context, site.url, complaints);
  await page.evaluate(() => app.started);
});

async function signIn(on: Page, options: SessionSignInOptions = {}): Promise<string> {
  const back = on.waitForEvent('domcontentloaded', { predicate: () => on.url().startsWith(site.url) });
  await on.evaluate((wanted) => void app.session.signIn({ returnTo: '/orders', ...wanted }), options);
  await back;
  await appLoaded(on);
  return on.evaluate(() => app.started);
}

/** Sends the user to the server and keeps what they come back with: it is in no page yet. */
async function callbackOf(options: SessionSignInOptions = {}): Promise<string> {
  site.holdsCallbacks = true;
  await page.evaluate((wanted) => void app.session.signIn({ returnTo: '/orders', ...wanted }), options);
  await page.waitForURL(`${site.url}callback?**`);
  site.holdsCallbacks = false;
  return page.url();
}

/** A page whose session has not started, with this in its address bar. */
async function arrive(url: string): Promise<void> {
  await page.goto(`${site.url}?wait`);
  await appLoaded(page);
  await page.evaluate((to) => history.replaceState(null, '', to), url);
}

const state = (on: Page): Promise<string> => on.evaluate(() => app.session.snapshot().state);

async function signedIn(on: Page): Promise<string | undefined> {
  await on.waitForFunction(() => app.session.snapshot().state === 'signed_in', undefined, { polling: 20 });
  return on.evaluate(() => app.session.user?.sub);
}

describe('the callback of a sign-in by redirect', () => {
  it('is out of the address bar before anything is sent, and never in a Referer [A9]', async () => {
    const callback = await callbackOf();
    const leaks: string[] = [];
    const sent: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(site.server.issuer)) return;
      sent.push(request.url());
      if (/code=/.test(request.frame().url()) || request.headers()['referer']?.includes('code=')) leaks.push(request.url());
    });
    await page.goto(callback);
    await appLoaded(page);
    expect(await page.evaluate(() => app.started)).toBe('fine');
    expect(page.url()).toBe(`${site.url}orders`);
    expect(sent.some((url) => url.endsWith('/token'))).toBe(true);
    expect(leaks).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it('opened again is nothing new with a live session, and refused after a sign-out [A3] [A11]', async () => {
    const callback = await callbackOf();
    await page.goto(callback);
    await appLoaded(page);
    expect(await page.evaluate(() => app.started)).toBe('fine');
    const before = site.server.tokenRequests();
    await page.goto(callback);
    await appLoaded(page);
    expect(await page.evaluate(() => app.started)).toBe('fine');
    expect([await state(page), page.url(), await page.evaluate(() => app.call())]).toEqual(['signed_in', `${site.url}callback`, 200]);
    await page.evaluate(() => app.session.signOut());
    await page.goto(callback);
    await appLoaded(page);
    expect(await page.evaluate(() => app.started)).toBe('callback_refused');
    expect(site.server.tokenRequests()).toBe(before);
  });

  it('opened in two tabs at once is redeemed once, and both are signed in [A11] [X10]', async () => {
    const callback = await callbackOf();
    site.server.setTokenDelay(100);
    const before = site.server.tokenRequests();
    const other = await openApp(context, `${site.url}?wait`, complaints);
    await Promise.all([page.goto(callback), other.goto(callback)]);
    await Promise.all([appLoaded(page), appLoaded(other)]);
    const outcomes = await Promise.all([page, other].map((each) => each.evaluate(() => app.started)));
    expect(outcomes).toContain('fine');
    expect(['fine', 'callback_refused']).toEqual(expect.arrayContaining(outcomes));
    expect(await Promise.all([signedIn(page), signedIn(other)])).toEqual(['alice', 'alice']);
    expect(site.server.tokenRequests()).toBe(before + 1);
  });

  it('with a forged state, or one that another browser began, sends nothing [A4]', async () => {
    const callback = new URL(await callbackOf());
    callback.searchParams.set('state', 'forged');
    const before = site.server.tokenRequests();
    await page.goto(callback.href);
    await appLoaded(page);
    expect(await page.evaluate(() => app.started)).toBe('callback_refused');
    await page.goto(site.url);
    await appLoaded(page);
    const stranger = await browser.newContext();
    const attacked = await openApp(stranger, await callbackOf(), complaints);
    expect(await attacked.evaluate(() => app.started)).toBe('callback_refused');
    expect(await state(attacked)).toBe('signed_out');
    await stranger.close();
    expect(site.server.tokenRequests()).toBe(before);
  });

  it('leaves nothing for the back button to go to [A9]', async () => {
    expect(await signIn(page)).toBe('fine');
    const before = site.server.tokenRequests();
    await page.goBack();
    await appLoaded(page);
    expect(page.url()).toBe(site.url);
    expect([await page.evaluate(() => app.started), await signedIn(page)]).toEqual(['fine', 'alice']);
    await page.goForward();
    await appLoaded(page);
    expect(page.url()).toBe(`${site.url}orders`);
    expect(await page.evaluate(() => app.started)).toBe('fine');
    expect(site.server.tokenRequests()).toBe(before);
  });

  it('says login_required when the user declined, where they began [A17]', async () => {
    expect(await signIn(page, { loginHint: 'nobody' })).toBe('login_required');
    expect([page.url(), await state(page)]).toEqual([`${site.url}orders`, 'signed_out']);
  });

  it('of prompt "none" says interaction_required, and signs nobody out [A17]', async () => {
    expect(await signIn(page, { prompt: 'none' })).toBe('interaction_required');
    expect(await signIn(page)).toBe('fine');
    await context.clearCookies();
    expect(await signIn(page, { prompt: 'none' })).toBe('interaction_required');
    expect([await state(page), await page.evaluate(() => app.call())]).toEqual(['signed_in', 200]);
  });

  it('in the fragment is as good [A13]', async () => {
    const seen: string[] = [];
    page.on('framenavigated', (frame) => seen.push(frame.url()));
    expect(await signIn(page, { responseMode: 'fragment' })).toBe('fine');
    expect(seen.some((url) => url.startsWith(`${site.url}callback#`) && url.includes('code='))).toBe(true);
    expect([page.url(), await signedIn(page)]).toEqual([`${site.url}orders`, 'alice']);
  });

  it('answers a pushed request [A14]', async () => {
    site.options = { clientId: 'pushing', worker: false };
    await page.reload();
    await appLoaded(page);
    const visits: string[] = [];
    context.on('request', (request) => request.url().startsWith(`${site.server.issuer}/auth?`) && visits.push(request.url()));
    expect(await signIn(page, { pushed: true })).toBe('fine');
    expect(visits.map((url) => [...new URL(url).searchParams.keys()])).toEqual([['client_id', 'request_uri']]);
  });
});

describe('a code', () => {
  // Each of them as soon as what it waits for has happened.
  const moments: readonly (readonly [string, RegExp | undefined])[] = [
    ['at once', undefined],
    ['while its code is on the way', /live-session/],
    ['while the server has the code', /\/token$/],
  ];

  it.each(moments)('survives a double mount whose first session is disposed %s [A11] [complaint 21]', async (_when, request) => {
    await arrive(await callbackOf());
    site.server.setTokenDelay(100);
    const before = site.server.tokenRequests();
    const asked = request && page.waitForRequest(request);
    await page.evaluate(() => {
      const first = app.createSession(app.options);
      Reflect.set(globalThis, 'first', [first, app.outcome(first.start())]);
    });
    await asked;
    const seen = await page.evaluate(async () => {
      const [first, firstStart] = Reflect.get(globalThis, 'first');
      const gone = first.dispose();
      const second = app.createSession(app.options);
      const again = [second.start(), second.start()];
      const snapshots = await Promise.all(again);
      await gone;
      return [snapshots.map((each) => each.user?.sub), await firstStart, snapshots[0] === snapshots[1], location.pathname];
    });
    expect(seen).toEqual([['alice', 'alice'], expect.stringMatching(/^(fine|disposed)$/), true, '/orders']);
    expect(site.server.tokenRequests()).toBe(before + 1);
  });

  it('is redeemed once for several session objects of one page [A11]', async () => {
    await arrive(await callbackOf());
    const before = site.server.tokenRequests();
    const users = await page.evaluate(async () => {
      const sessions = [app.session, app.createSession(app.options), app.createSession(app.options)];
      return Promise.all(sessions.map(async (each) => (await each.start()).user?.sub));
    });
    expect(users).toEqual(['alice', 'alice', 'alice']);
    expect(site.server.tokenRequests()).toBe(before + 1);
  });

  it('waits for a server that is down, and the next start() goes on [A3] [A11]', async () => {
    const callback = await callbackOf();
    const before = site.server.tokenRequests();
    await context.route(`${site.server.issuer}/**`, (route) => route.abort());
    await page.goto(callback);
    await appLoaded(page);
    expect(await page.evaluate(() => app.started)).toBe('network_error');
    expect([page.url(), await state(page)]).toEqual([`${site.url}callback`, 'signed_out']);
    await context.unroute(`${site.server.issuer}/**`);
    expect(await page.evaluate(() => app.outcome(app.session.start()))).toBe('fine');
    expect([page.url(), await state(page)]).toEqual([`${site.url}orders`, 'signed_in']);
    expect(site.server.tokenRequests()).toBe(before + 1);
  });

  it('waits for the code of the SDK as well: a reload goes on [A3] [A11]', async () => {
    const callback = await callbackOf();
    const before = site.server.tokenRequests();
    site.missing = /live-session/;
    await page.goto(callback);
    await appLoaded(page);
    expect(await page.evaluate(() => app.started)).toBe('code_unavailable');
    expect(await page.evaluate(() => app.outcome(app.session.signIn()))).toBe('code_unavailable');
    expect([page.url(), site.server.tokenRequests()]).toEqual([callback, before]);
    site.missing = undefined;
    await page.reload();
    await appLoaded(page);
    expect(await page.evaluate(() => app.started)).toBe('fine');
    expect([page.url(), await signedIn(page)]).toEqual([`${site.url}orders`, 'alice']);
  });

  it('finds its transaction where the browser keeps nothing, which is gone then [X25] [A3]', async () => {
    await context.addInitScript(() => void Object.defineProperty(globalThis, 'indexedDB', { value: undefined }));
    await page.reload();
    await appLoaded(page);
    expect(await signIn(page)).toBe('fine');
    expect([await state(page), await page.evaluate(() => app.call())]).toEqual(['signed_in', 200]);
    expect(await page.evaluate(() => JSON.stringify(sessionStorage))).not.toMatch(/codeVerifier|nonce/);
    expect(await page.evaluate(() => app.session.explain().filter(({ type }) => type === 'warning').length)).toBe(1);
  });
});

describe('several at once', () => {
  it('signs in two tabs that began at the same time [A3] [X10]', async () => {
    const other = await openApp(context, site.url, complaints);
    expect(await Promise.all([signIn(page), signIn(other)])).toEqual(['fine', 'fine']);
    expect(await Promise.all([signedIn(page), signedIn(other)])).toEqual(['alice', 'alice']);
    expect(await Promise.all([page, other].map((each) => each.evaluate(() => app.call())))).toEqual([200, 200]);
    expect(site.server.refusals).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it('puts another user in the place of the one that is stored, in all tabs [A32] [X10]', async () => {
    expect(await signIn(page)).toBe('fine');
    const other = await openApp(context, site.url, complaints);
    expect(await signedIn(other)).toBe('alice');
    const before = await other.evaluate(() => app.token());
    await context.clearCookies();
    expect(await signIn(page, { loginHint: 'bob' })).toBe('fine');
    expect(await page.evaluate(() => app.session.user?.sub)).toBe('bob');
    await other.waitForFunction(() => app.session.user?.sub === 'bob', undefined, { polling: 20 });
    expect(await other.evaluate(() => app.token())).toBe(await page.evaluate(() => app.token()));
    expect(await other.evaluate(() => app.token())).not.toBe(before);
  });

  it('keeps two users and two clients apart on one page with one redirect URI [X2]', async () => {
    const others: readonly { readonly name?: string; readonly clientId?: string }[] = [{}, { name: 'second' }, { clientId: 'pushing' }];
    for (const [index, of] of others.entries()) {
      site.options = { ...of, worker: false };
      await page.goto(site.url);
      await appLoaded(page);
      await page.evaluate(() => app.started);
      await context.clearCookies();
      const callback = await callbackOf({ loginHint: `user-${index}`, pushed: of.clientId === 'pushing' });
      await arrive(callback);
      const users = await page.evaluate(async (all) => {
        const { name: _, clientId: __, ...rest } = app.options;
        const found = [];
        for (const each of all) found.push((await app.createSession({ ...rest, clientId: 'spa', ...each }).start()).user?.sub);
        return found;
      }, others);
      expect(users).toEqual(others.map((_, at) => (at <= index ? `user-${at}` : undefined)));
    }
  });
});

it('resolves signIn() for a page that comes back out of the back/forward cache, and knows who has signed in meanwhile [X11] [X10]', async () => {
  // The headless shell has no such cache: the page stays, and is told what a browser tells one that it has kept.
  const isAuthorization = (url: URL): boolean => url.href.startsWith(`${site.server.issuer}/auth?`);
  const left = page.waitForRequest((request) => isAuthorization(new URL(request.url())));
  await page.route(isAuthorization, (route) => route.fulfill({ status: 204 }));
  await page.evaluate(() => {
    Reflect.set(globalThis, 'left', app.session.signIn());
  });
  await left;
  const other = await openApp(context, site.url, complaints);
  expect(await signIn(other)).toBe('fine');
  const back = await page.evaluate(() => {
    globalThis.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));
    return Reflect.get(globalThis, 'left');
  });
  expect(back).toMatchObject({ user: await signedIn(page).then((sub) => ({ sub })) });
  expect(await page.evaluate(() => app.call())).toBe(200);
});
