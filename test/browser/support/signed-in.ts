import type { BrowserContext, Page } from 'playwright-core';
import { expect } from 'vitest';
import type { App } from '../page/session.js';
import { openApp, type SessionSite } from './session-site.js';

declare const app: App;

/** Signs in by redirect, and waits until the page is back. */
export async function signIn(page: Page, options: Parameters<App['session']['signIn']>[0] = {}): Promise<void> {
  await page.evaluate((given) => {
    Reflect.set(globalThis, 'before', true);
    app.session.signIn({ returnTo: '/', ...given }).catch((error: unknown) => Reflect.set(globalThis, 'app', String(error)));
  }, options);
  // Not by the URL: it is the same before and after.
  await page.waitForFunction(() => 'session' in Object(Reflect.get(globalThis, 'app')) && !location.search && !Reflect.has(globalThis, 'before'), undefined, {
    polling: 10,
  });
  expect(await page.evaluate(() => app.started)).toBe('fine');
}

/** A tab of somebody who signed in. */
export async function signedInPage(context: BrowserContext, site: SessionSite, complaints: string[] = []): Promise<Page> {
  const page = await openApp(context, site.url, complaints);
  await signIn(page);
  return page;
}

/** Waits until the page's session is in a state; the page looks at every change. */
export async function stateIs(page: Page, state: string, timeout = 5_000): Promise<void> {
  await page.waitForFunction((wanted) => app.session.snapshot().state === wanted, state, { polling: 10, timeout });
}
