import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openApp, startSessionSite } from '../browser/support/session-site.js';
import { launch } from '../browser/support/tabs.js';
import type { App } from '../browser/page/session.js';
import { type BundledApp, type OwnWorker, withEsbuild, withVite, withViteDev, withWebpack, writeApp } from './support/bundled-apps.js';

declare const app: App;

let browser: Browser;

beforeAll(async () => {
  browser = await launch();
}, 60_000);

afterAll(async () => {
  await browser?.close();
});

/** Signs in and renews in a page of the app; tells where that ran, and what the page itself sent to the token endpoint. */
async function tryApp(bundled: BundledApp): Promise<{ renewal: unknown; reason: unknown; fromPage: number }> {
  const site = await startSessionSite({ serveApp: bundled.serve });
  const context = await browser.newContext();
  try {
    const complaints: string[] = [];
    const page = await openApp(context, site.url, complaints);
    let fromPage = 0;
    page.on('request', (request) => {
      if (request.method() === 'POST') fromPage++;
    });
    await page.evaluate(() => void app.session.signIn({ returnTo: '/signed-in' }));
    await page.waitForURL(`${site.url}signed-in`);
    await page.waitForFunction(() => 'app' in globalThis, undefined, { polling: 10 });
    expect(await page.evaluate(() => app.started)).toBe('fine');
    const before = site.server.tokenRequests();
    expect(await page.evaluate(() => app.session.getToken().then((invalidToken) => app.token({ invalidToken })))).toMatch(/^ey/);
    expect(site.server.tokenRequests() - before).toBe(1);
    const { renewal, renewalReason: reason } = await page.evaluate(() => app.session.snapshot());
    if (renewal === 'worker') expect(complaints).toEqual([]);
    return { renewal, reason, fromPage };
  } finally {
    await context.close();
    await site.close();
    await bundled.close();
  }
}

describe('an app with the published package renews in the worker [X14]', () => {
  type Recipe = readonly [bundler: string, ownWorker: OwnWorker, bundle: (folder: string) => Promise<BundledApp>];
  const recipes: readonly Recipe[] = [
    ['Vite', undefined, withVite],
    ['Vite', 'named', withVite],
    ['Vite', 'own file', withVite],
    ["Vite's server for development", undefined, withViteDev],
    ['webpack', undefined, withWebpack],
    ['webpack', 'named', withWebpack],
    ['webpack', 'own file', withWebpack],
    ['esbuild with the worker as an entry', undefined, withEsbuild],
    ['esbuild', 'copied', (folder) => withEsbuild(folder, false)],
    ['Vite', 'copied', withVite],
  ];

  it.each(recipes)('%s, worker of its own: %s', async (_bundler, ownWorker, bundle) => {
    expect(await tryApp(await bundle(writeApp(inject('consumer'), ownWorker)))).toEqual({ renewal: 'worker', reason: undefined, fromPage: 0 });
  });

  it('and in the tab where a bundler leaves the worker out, and says so', async () => {
    const app = await withEsbuild(writeApp(inject('consumer'), undefined), false);
    expect(await tryApp(app)).toEqual({ renewal: 'tab', reason: 'not_loaded', fromPage: 2 });
  });
});
