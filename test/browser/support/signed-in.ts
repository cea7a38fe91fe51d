import type { BrowserContext, Page } from 'playwright-core';
import { expect } from 'vitest';
import type { App } from '../page/session.js';
import { appLoaded, openApp, type SessionSite } from './session-site.js';

declare const app: App;

/** Signs in by redirect, and waits until the page is back. */
export async function signIn(page: Page, site: SessionSite, options: Parameters<App['session']['signIn']>[0] = {}): Promise<void> {
  await page.evaluate((given) => void app.session.signIn({ returnTo: '/', ...given }), options);
  await page.waitForURL(`${site.url}`);
  await appLoaded(page);
  expect(await page.evaluate(() => app.started)).toBe('fine');
}

/** A tab of somebody who signed in. */
export async function signedInPage(context: BrowserContext, site: SessionSite, complaints: string[] = []): Promise<Page> {
  const page = await openApp(context, site.url, complaints);
  await signIn(page, site);
  return page;
}

/** Waits until the page's session is in a state; the page looks at every change. */
export async function stateIs(page: Page, state: string, timeout = 5_000): Promise<void> {
  await page.waitForFunction((wanted) => app.session.snapshot().state === wanted, state, { polling: 10, timeout });
}
