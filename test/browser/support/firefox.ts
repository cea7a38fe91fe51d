import puppeteer, { type Browser, type BrowserContext, type Page } from 'puppeteer-core';
import { installCommand } from '../../support/firefox.mjs';
import type { App } from '../page/session.js';

declare const app: App;

/** Starts the Firefox of this machine, which `findFirefox` has found. */
export async function launchFirefox(executablePath: string | undefined): Promise<Browser> {
  if (executablePath === undefined) throw new Error(`no Firefox: ${installCommand}`);
  return puppeteer.launch({ browser: 'firefox', executablePath, headless: true });
}

/** Opens a page. What it complains of goes to `complaints`. */
export async function openPage(context: BrowserContext, url: string, complaints: string[]): Promise<Page> {
  const page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warn') complaints.push(message.text());
  });
  await page.goto(url);
  return page;
}

/** Waits for the page that a sign-in comes back to, and tells what `start()` came to there. */
export async function startedAt(page: Page, path: string): Promise<string> {
  await page.waitForFunction((wanted) => location.pathname === wanted && 'session' in Object(Reflect.get(globalThis, 'app')), { polling: 10 }, path);
  return page.evaluate(() => app.started);
}

export async function stateIs(page: Page, state: string): Promise<void> {
  await page.waitForFunction((wanted) => app.session.snapshot().state === wanted, { polling: 10 }, state);
}
