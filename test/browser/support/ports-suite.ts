import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { launch, type PortsSite, servePorts } from './tabs.js';

// As of `sessionSuite`.
export let site: PortsSite;
export let browser: Browser;
export let context: BrowserContext;

/** One site with the ports and one browser for all tests of a file, and a new context for each. */
export function portsSuite(): void {
  beforeAll(async () => {
    [site, browser] = await Promise.all([servePorts(), launch()]);
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  beforeEach(async () => {
    context = await browser.newContext();
  });

  afterEach(async () => {
    await context.close();
  });
}
