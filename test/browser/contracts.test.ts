import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contractSuites } from './support/contract-suites.js';
import { launch, openTab, type PortsSite, servePorts, type Tab } from './support/tabs.js';

let site: PortsSite;
let browser: Browser;
let tab: Tab;
const complaints: string[] = [];

beforeAll(async () => {
  [site, browser] = await Promise.all([servePorts(), launch()]);
  const context = await browser.newContext();
  const other = await openTab(context, site.url, complaints);
  await other.ports.evaluate((ports) => ports.lend());
  tab = await openTab(context, site.url, complaints);
});

afterAll(async () => {
  await browser?.close();
  await site?.close();
});

describe('the contracts, in Chromium', () => {
  for (const [suite, names, rules] of contractSuites) {
    it.each(names)(`${suite} %s ${rules}`, async (name) => {
      expect(await tab.ports.evaluate((ports, [ofSuite, ofCase]) => ports.runCase(ofSuite, ofCase), [suite, name] as const)).toBeUndefined();
    });
  }

  it('leave no error and no warning in the console', () => {
    expect(complaints).toEqual([]);
  });
});
