import type { Browser } from 'playwright-core';
import { memoryStore } from 'tokenkeep';
import { keyStoreContract, lockContract, storeContract } from 'tokenkeep/testing';
import { webLock } from 'tokenkeep/locks/web';
import { indexedDbKeyStore } from 'tokenkeep/storage/indexed-db';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SuiteName } from './page/ports.js';
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

// Only their names are read here; they run in the page.
const locks = lockContract(webLock).map(({ name }) => name);
const stores = storeContract(() => memoryStore()).map(({ name }) => name);
const keyStores = keyStoreContract(() => indexedDbKeyStore()).map(({ name }) => name);

const suites: readonly (readonly [SuiteName, readonly string[], rules: string])[] = [
  ['webLock()', locks, '[X3]'],
  ['webLock() in two tabs', locks, '[X3] [X4]'],
  ['indexedDbStore()', stores, '[X7]'],
  ['indexedDbStore() in two tabs', stores, '[X7]'],
  ['encryptedStore(indexedDbStore())', stores, '[X7]'],
  ['webStorageStore(sessionStorage)', stores, '[S1]'],
  ['encryptedStore(webStorageStore(sessionStorage))', stores, '[S1]'],
  ['indexedDbKeyStore()', keyStores, '[S3]'],
];

describe('the contracts, in Chromium', () => {
  for (const [suite, names, rules] of suites) {
    it.each(names)(`${suite} %s ${rules}`, async (name) => {
      expect(await tab.ports.evaluate((ports, [ofSuite, ofCase]) => ports.runCase(ofSuite, ofCase), [suite, name] as const)).toBeUndefined();
    });
  }

  it('leave no error and no warning in the console', () => {
    expect(complaints).toEqual([]);
  });
});
