import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { type SessionSite, type SessionSiteOptions, startSessionSite } from './session-site.js';
import { launch } from './tabs.js';

// Of the file that has called `sessionSuite`: each has its own copy of this module.
export let site: SessionSite;
export let browser: Browser;
/** A user's browser, new for each test. */
export let context: BrowserContext;
/** What pages that were given it have complained of in this test. */
export const complaints: string[] = [];

/** One site and one browser for all tests of a file; what a test has changed of the site is as before in the next one. */
export function sessionSuite(options: SessionSiteOptions = {}): void {
  let reset: () => void;

  beforeAll(async () => {
    [site, browser] = await Promise.all([startSessionSite(options), launch()]);
    const { policy } = site;
    reset = () => {
      Object.assign(site, { policy, options: {}, missing: undefined, worker: undefined, holdsCallbacks: false, api: undefined });
      site.answers.clear();
      const { server } = site;
      server.page.headers = {};
      server.log.length = 0;
      server.refusals.length = 0;
      server.setTokenDelay(0);
      server.holdAnswers(() => Promise.resolve());
    };
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  beforeEach(async () => {
    complaints.length = 0;
    reset();
    context = await browser.newContext();
  });

  afterEach(async () => {
    await context.close();
  });
}
