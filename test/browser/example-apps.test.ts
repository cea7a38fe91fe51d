import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AppServer, startAppServer } from '../../examples/demo/app-server.js';
import { leastContrast } from './support/least-contrast.js';
import { launch } from './support/tabs.js';

let server: AppServer;
let browser: Browser;
let context: BrowserContext;
let complaints: string[];

beforeAll(async () => {
  [server, browser] = await Promise.all([startAppServer({ port: 0, tokenLifetimeS: 4, tokenDelayMs: 50 }), launch()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
});

beforeEach(async () => {
  complaints = [];
  context = await browser.newContext();
  watch(context);
});

afterEach(async () => {
  await context.close();
  expect(complaints, 'what the pages said on the console').toEqual([]);
});

function watch(of: BrowserContext): void {
  of.on('page', (page) => {
    page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => complaints.push(String(error)));
  });
}

const button = (page: Page, name: string) => page.getByRole('button', { name });
const says = (page: Page, text: string): Promise<void> => page.getByText(text, { exact: true }).first().waitFor();

async function open(path: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(server.url + path);
  return page;
}

async function signIn(page: Page, name: 'alice' | 'bob'): Promise<void> {
  await button(page, 'Sign in').click();
  await page.getByLabel(name).check();
  await button(page, 'Sign in').click();
  await says(page, `Hello, ${name}.`);
}

async function secondTab(page: Page): Promise<Page> {
  const [second] = await Promise.all([context.waitForEvent('page'), button(page, 'Open a second tab').click()]);
  return second;
}

describe.each([
  ['examples/spa', 'spa/'],
  ['examples/react', 'react/'],
  ['examples/spa in the demo', ''],
])('%s', (_name, path) => {
  it('signs in, calls, opens a second tab, reloads, and signs out everywhere, without a word on the console', async () => {
    const page = await open(path);
    await says(page, 'You are not signed in.');
    await signIn(page, 'bob');
    expect(page.url()).toBe(server.url + path);
    await button(page, 'Call the API').click();
    await page.locator('pre', { hasText: '"user": "bob"' }).waitFor();
    const second = await secondTab(page);
    await says(second, 'Hello, bob.');
    await button(second, 'Call the API').click();
    await second.locator('pre', { hasText: '"user": "bob"' }).waitFor();
    await page.reload();
    await says(page, 'Hello, bob.');
    // Forgotten here at once; then to the server, and back.
    const isBack = page.waitForEvent('framenavigated', (frame) => frame.url() === server.url + path);
    await button(page, 'Sign out everywhere').click();
    await isBack;
    await says(page, 'You are not signed in.');
    await says(second, 'You are not signed in.');
    // At the server, too: it asks again who is there.
    await signIn(page, 'alice');
    await says(second, 'Hello, alice.');
  });

  it('allows scripts, styles and connections of its own and of the servers that it names, and no inline script [S18]', async () => {
    const response = await (await context.newPage()).goto(server.url + path);
    const policy = (await response?.headerValue('content-security-policy')) ?? '';
    expect(policy).toMatch(/^default-src 'self'; connect-src 'self' http:\/\/127\.0\.0\.1:\d+ http:\/\/127\.0\.0\.1:\d+; img-src 'self' data:;/);
    expect(policy).not.toMatch(/unsafe|script-src|style-src/);
    expect(await response?.text()).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=/);
  });

  it('is readable in light and dark, 360 and 1280 pixels wide, signed out and in, and on the page that signs in', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const other = await browser.newContext({ colorScheme });
      watch(other);
      const page = await other.newPage();
      const look = async (): Promise<void> => {
        for (const width of [360, 1280]) {
          await page.setViewportSize({ width, height: 800 });
          expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
          const { ratio, where } = await page.evaluate(leastContrast);
          expect(ratio, where).toBeGreaterThanOrEqual(4.5);
        }
      };
      await page.goto(server.url + path);
      await button(page, 'Sign in').waitFor();
      await look();
      await button(page, 'Sign in').click();
      await page.getByLabel('alice').waitFor();
      await look();
      await button(page, 'Sign in').click();
      await button(page, 'Call the API').click();
      await page.locator('pre', { hasText: 'alice' }).waitFor();
      await look();
      await other.close();
    }
  });

  it('can be used with the keyboard alone, and shows where it is', async () => {
    const page = await open(path);
    const toButton = async (name: string): Promise<void> => {
      await button(page, name).waitFor();
      for (let stop = 0; stop < 10; stop++) {
        await page.keyboard.press('Tab');
        if (await button(page, name).evaluate((element) => element === document.activeElement)) break;
      }
      expect(await page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineStyle)).toBe('solid');
      await page.keyboard.press('Enter');
    };
    await toButton('Sign in');
    await page.getByLabel('alice').waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowDown');
    await toButton('Sign in');
    await says(page, 'Hello, bob.');
    await toButton('Call the API');
    await page.locator('pre', { hasText: '"user": "bob"' }).waitFor();
  });
});

describe('the life of tokens in a browser, as the demo shows it', () => {
  it('tells of one renewal for all tabs: a tab sends the request, the other gets the token [X1]', async () => {
    const page = await open('');
    await signIn(page, 'alice');
    const story = (of: Page, text: RegExp): Promise<void> => of.locator('#story li', { hasText: text }).first().waitFor();
    await story(page, /Token #1 came with the sign-in/);
    const second = await secondTab(page);
    await story(second, /Token #1 (restored|fetched)/);
    const before = server.tokenRequests();
    await page.bringToFront();
    await Promise.race([story(page, /Token #3 /), story(second, /Token #3 /)]);
    const count = (of: Page, text: RegExp): Promise<number> => of.locator('#story li', { hasText: text }).count();
    const own = (await count(page, /renewed behind|fetched/)) + (await count(second, /renewed behind|fetched/));
    expect(own).toBeGreaterThanOrEqual(1);
    expect(own).toBeLessThanOrEqual(server.tokenRequests() - before + 1);
    for (const tab of [page, second]) expect(await tab.locator('#failed').textContent()).toBe('0');
    await page.locator('.bar[data-lane="request"].good').nth(1).waitFor({ state: 'attached' });
    expect(Number(await page.locator('#requests').textContent())).toBeGreaterThanOrEqual(2);
    await page.locator('summary').click();
    await page.locator('#journal li', { hasText: 'token' }).first().waitFor();
  });

  it('leads to the service’s page and back', async () => {
    const page = await open('');
    await page.getByRole('link', { name: 'A service' }).click();
    await page.waitForURL(server.demoUrl);
  });
});
