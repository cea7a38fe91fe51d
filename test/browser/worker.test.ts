import type { Page } from 'playwright-core';
import { describe, expect, it, vi } from 'vitest';
import type { App } from './page/session.js';
import { appLoaded, openApp } from './support/session-site.js';
import { complaints, context, sessionSuite, site } from './support/session-suite.js';
import { heapOf, seenBy, watchPages } from './support/what-page-sees.js';

declare const app: App;

sessionSuite();

let signIns = 0;

async function signIn(page: Page): Promise<void> {
  signIns++;
  // An address of its own, so that the wait for it does not end before the page has left.
  const returnTo = `/signed-in?${signIns}`;
  await page.evaluate((to) => void app.session.signIn({ returnTo: to }), returnTo);
  await page.waitForURL(site.url.slice(0, -1) + returnTo);
  await appLoaded(page);
  expect(await page.evaluate(() => app.started)).toBe('fine');
}

const place = (page: Page): Promise<readonly unknown[]> =>
  page.evaluate(() => {
    const { renewal, renewalReason } = app.session.snapshot();
    return [renewal, renewalReason];
  });

async function decided(page: Page): Promise<readonly unknown[]> {
  await page.waitForFunction(() => app.session.snapshot().renewal !== undefined, undefined, { polling: 10 });
  return place(page);
}

/** Replaces the page's token, as an API's refusal would; tells the new one's value, or the code of the failure. */
const renew = (page: Page): Promise<string> =>
  page.evaluate(async () => {
    const token = await app.session.getToken();
    return app.token({ invalidToken: token });
  });

const waitUntil = (check: () => void | Promise<void>): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 10 });

/** Lets the server do its work and keep the answer, until `release()`. */
function holdAnswers(): { readonly release: () => void; readonly rotated: () => Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const before = site.server.refreshTokens.length;
  site.server.holdAnswers(() => promise);
  return { release: resolve, rotated: () => waitUntil(() => expect(site.server.refreshTokens.length).toBe(before + 1)) };
}

describe('renewal in a shared worker [X14]', () => {
  it('signs in, renews and signs out there: no page sends a token request, in two tabs', async () => {
    const asked: string[] = [];
    context.on('page', (page) => page.on('request', (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`)));
    const first = await openApp(context, site.url, complaints);
    expect(await decided(first)).toEqual(['worker', undefined]);
    const before = site.server.tokenRequests();
    await signIn(first);
    const second = await openApp(context, site.url, complaints);
    expect(await decided(second)).toEqual(['worker', undefined]);
    const token = await second.evaluate(() => app.token());
    expect(token).toBe(await first.evaluate(() => app.token()));
    const [renewed, same] = await Promise.all([renew(first), renew(second)]);
    expect(renewed).not.toBe(token);
    expect(same).toBe(renewed);
    expect(site.server.tokenRequests() - before).toBe(2);
    expect(await second.evaluate(() => app.call())).toBe(200);
    await second.evaluate(() => app.session.signOut());
    expect(site.server.log.at(-1)).toBe('POST /token/revocation');
    expect(asked.filter((line) => line.startsWith('POST'))).toEqual([]);
    expect(await second.evaluate(() => app.token())).toBe('login_required');
    await first.waitForFunction(() => app.session.snapshot().state === 'signed_out', undefined, { polling: 10 });
    expect(site.server.refusals).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it('brings no refresh token into a page: not in clear in its storage, its messages, its requests or what it decrypts [S3]', async () => {
    await watchPages(context);
    const page = await openApp(context, site.url, complaints);
    const known = site.server.refreshTokens.length;
    await signIn(page);
    await page.evaluate(() => app.token());
    const token = await renew(page);
    const given = site.server.refreshTokens.slice(known);
    expect(given).toHaveLength(2);
    const seen = await seenBy(page);
    // The watch is awake: what a page may see, it saw.
    expect(seen).toContain(token);
    for (const secret of given) expect(seen).not.toContain(secret);
    await page.evaluate(() => app.session.signOut());
    const last = await seenBy(page);
    for (const secret of given) expect(last).not.toContain(secret);
  });

  it('leaves no refresh token in the memory of a page [S3]', async () => {
    const page = await openApp(context, site.url, complaints);
    const known = site.server.refreshTokens.length;
    await signIn(page);
    const token = await renew(page);
    const given = site.server.refreshTokens.slice(known);
    expect(given).toHaveLength(2);
    const heap = await heapOf(page);
    // Long strings are cut in a snapshot; the beginning of a JWT is the same for all, its end is not held by itself.
    expect(heap).toContain(token.slice(0, 200));
    for (const secret of given) expect(heap).not.toContain(secret);
  });

  it('keeps its session when its only tab is reloaded in the middle of a renewal', async () => {
    const page = await openApp(context, site.url, complaints);
    await signIn(page);
    const held = holdAnswers();
    await page.evaluate(() => {
      void app.session.getToken().then((invalidToken) => app.token({ invalidToken }));
    });
    await held.rotated();
    await page.reload();
    held.release();
    site.server.holdAnswers(() => Promise.resolve());
    await appLoaded(page);
    expect(await page.evaluate(() => app.started)).toBe('fine');
    expect(await renew(page)).toMatch(/^ey/);
    expect(site.server.refusals).toEqual([]);
  });

  it('is seen to bring one where the tab renews, so the search before this one can fail', async () => {
    site.worker = 'onconnect = ({ ports: [port] }) => port.postMessage({ type: "hello", protocol: 0 })';
    await watchPages(context);
    const page = await openApp(context, site.url, complaints);
    await signIn(page);
    expect(await decided(page)).toEqual(['tab', 'version']);
    await renew(page);
    expect(await seenBy(page)).toContain(site.server.refreshTokens.at(-2));
  });

  it.each(['creating', 'joined'])('loses nothing when the %s tab is closed after the server rotated and before the answer came [gap 7]', async (which) => {
    const creating = await openApp(context, site.url, complaints);
    await signIn(creating);
    const joined = await openApp(context, site.url, complaints);
    expect(await decided(joined)).toEqual(['worker', undefined]);
    const [closing, staying] = which === 'creating' ? [creating, joined] : [joined, creating];
    const token = await staying.evaluate(() => app.token());
    const held = holdAnswers();
    await closing.evaluate(() => {
      void app.session.getToken().then((invalidToken) => app.token({ invalidToken }));
    });
    await held.rotated();
    await closing.close();
    held.release();
    await staying.waitForFunction((old) => app.session.peek() !== undefined && app.session.peek()?.value !== old, token, { polling: 10 });
    site.server.holdAnswers(() => Promise.resolve());
    expect(await renew(staying)).toMatch(/^ey/);
    expect(await staying.evaluate(() => app.call())).toBe(200);
    expect(site.server.refusals).toEqual([]);
  });

  it('loses nothing when a joined tab crashes in the middle of its renewal', async () => {
    const creating = await openApp(context, site.url, complaints);
    await signIn(creating);
    const joined = await openApp(context, site.url, complaints);
    expect(await decided(joined)).toEqual(['worker', undefined]);
    const token = await creating.evaluate(() => app.token());
    const held = holdAnswers();
    await joined.evaluate(() => {
      void app.session.getToken().then((invalidToken) => app.token({ invalidToken }));
    });
    await held.rotated();
    await joined.goto('chrome://crash').catch(() => undefined);
    held.release();
    await creating.waitForFunction((old) => app.session.peek()?.value !== old, token, { polling: 10 });
    expect(await renew(creating)).toMatch(/^ey/);
    expect(site.server.refusals).toEqual([]);
  });

  it('notices at once that the worker died with the tab that made it, starts another, and names the loss once [R14] [gap 7]', async () => {
    const creating = await openApp(context, site.url, complaints);
    await signIn(creating);
    const joined = await openApp(context, site.url, complaints);
    expect(await decided(joined)).toEqual(['worker', undefined]);
    const held = holdAnswers();
    await joined.evaluate(() => {
      Reflect.set(
        globalThis,
        'outcome',
        app.session.getToken().then((invalidToken) => app.token({ invalidToken })),
      );
    });
    await held.rotated();
    await creating.goto('chrome://crash').catch(() => undefined);
    site.server.holdAnswers(() => Promise.resolve());
    expect(await joined.evaluate(() => Reflect.get(globalThis, 'outcome'))).toBe('rotation_lost');
    held.release();
    expect(await place(joined)).toEqual(['worker', undefined]);
    const requests = site.server.tokenRequests();
    expect(await joined.evaluate(() => Promise.all([app.token(), app.token(), app.token()]))).toEqual(Array(3).fill('rotation_lost'));
    expect(site.server.tokenRequests()).toBe(requests);
    const journal = await joined.evaluate(() => app.session.explain().map((entry) => ('reason' in entry ? `${entry.type} ${entry.reason}` : entry.type)));
    expect(journal.filter((line) => line.startsWith('session_ended'))).toEqual(['session_ended rotation_lost']);
    await signIn(joined);
    expect(await renew(joined)).toMatch(/^ey/);
    expect(await place(joined)).toEqual(['worker', undefined]);
  });

  it('keeps the session when the worker dies between two renewals', async () => {
    const creating = await openApp(context, site.url, complaints);
    await signIn(creating);
    const joined = await openApp(context, site.url, complaints);
    expect(await decided(joined)).toEqual(['worker', undefined]);
    await creating.goto('chrome://crash').catch(() => undefined);
    expect(await renew(joined)).toMatch(/^ey/);
    expect(await place(joined)).toEqual(['worker', undefined]);
    expect(site.server.refusals).toEqual([]);
  });

  it('tells the asking page what the server gave, and what failed on the way', async () => {
    const page = await openApp(context, site.url, complaints);
    await signIn(page);
    await renew(page);
    const events = await page.evaluate(() =>
      app.session
        .explain()
        .filter((entry) => entry.type === 'token')
        .map((entry) => 'source' in entry && entry.source),
    );
    expect(events).toEqual(['server']);
    await site.server.stop();
    const code = await renew(page);
    await site.server.start();
    expect(code).toMatch(/^ey|network_error/);
    const failed = await page.evaluate(() =>
      app.session.explain().flatMap((entry) => (entry.type === 'attempt_failed' ? [entry.error.code, entry.error.kind] : [])),
    );
    expect(failed).toEqual(['network_error', 'transient']);
  });
});

describe('where there is no worker, the tab renews under the lock, and says why [X14]', () => {
  const hello = (message: object): string => `onconnect = ({ ports: [port] }) => port.postMessage(${JSON.stringify({ type: 'hello', ...message })})`;

  interface Way {
    readonly set?: () => void;
    readonly page?: () => void;
    readonly complaint?: RegExp;
  }
  const ways: Readonly<Record<string, Way>> = {
    unsupported: { page: () => void Reflect.deleteProperty(globalThis, 'SharedWorker') },
    refused: {
      page: () =>
        Reflect.set(globalThis, 'SharedWorker', function refuse() {
          throw new DOMException('not here', 'SecurityError');
        }),
    },
    not_loaded: {
      set: () => {
        site.missing = /worker\.js/;
      },
      complaint: /404/,
    },
    version: {
      set: () => {
        site.worker = hello({ protocol: 2, alive: 'x', keys: true });
      },
    },
    no_keys: {
      set: () => {
        site.worker = hello({ protocol: 1, alive: 'x', keys: false });
      },
    },
    silent: {
      set: () => {
        site.worker = '';
      },
    },
    storage_degraded: {
      page: () =>
        Reflect.set(IDBFactory.prototype, 'open', () => {
          throw new DOMException('not here', 'InvalidStateError');
        }),
    },
  };

  it.each(Object.entries(ways))('%s', async (reason, { set, page: init, complaint }) => {
    set?.();
    if (init) await context.addInitScript(init);
    const page = await openApp(context, site.url, complaints);
    expect(await decided(page)).toEqual(['tab', reason]);
    expect(complaints.filter((line) => !complaint?.test(line))).toEqual([]);
    if (reason === 'storage_degraded') return;
    await signIn(page);
    expect(await renew(page)).toMatch(/^ey/);
    expect(await decided(page)).toEqual(['tab', reason]);
  });

  it("a content security policy with worker-src 'none'", async () => {
    site.policy += "; worker-src 'none'";
    const page = await openApp(context, site.url, complaints);
    expect(await decided(page)).toEqual(['tab', 'not_loaded']);
    await signIn(page);
    expect(await renew(page)).toMatch(/^ey/);
    expect(complaints.every((line) => /worker-src 'none'/.test(line))).toBe(true);
  });

  it.each(['off', 'own_fetch', 'own_store', 'own_lock', 'own_clock'])('%s', async (reason) => {
    const page = await openApp(context, site.url, complaints);
    const got = await page.evaluate(async (wanted) => {
      const parts = {
        off: { worker: false } as const,
        own_fetch: { fetch: globalThis.fetch.bind(globalThis) },
        own_store: { store: { get: async () => undefined, set: async () => true, delete: async () => true } },
        own_lock: { lock: { shared: true, run: (_name: string, task: (held: AbortSignal) => Promise<never>) => task(new AbortController().signal) } },
        own_clock: { clock: { now: () => Date.now(), monotonicMs: () => performance.now(), sleep: () => new Promise<void>(() => undefined) } },
      };
      const own = wanted === 'off' || wanted === 'own_fetch' || wanted === 'own_store' || wanted === 'own_lock' ? parts[wanted] : parts.own_clock;
      const session = app.createSession({ ...app.options, ...own, name: 'another' });
      await session.start();
      await session.signOut();
      const { renewal, renewalReason } = session.snapshot();
      await session.dispose();
      return [renewal, renewalReason];
    }, reason);
    expect(got).toEqual(['tab', reason]);
  });
});
