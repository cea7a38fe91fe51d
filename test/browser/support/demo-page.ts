import type { Browser, BrowserContextOptions, CDPSession, Page } from 'playwright-core';
import type { LiveDemoOptions } from '../../../examples/demo/live-demo.js';

/** Tokens that are renewed from 2.25 s on, and handed out up to 4 s. */
export const quick: LiveDemoOptions = { port: 0, tokenLifetimeS: 5, skewMs: 2_500, minValidMs: 1_000, tokenDelayMs: 100, slowTokenDelayMs: 500 };

/** The demo's page, and everything that came into it. */
export interface DemoPage extends AsyncDisposable {
  readonly page: Page;
  /** What it said on the console, threw, or was refused by its own policy. */
  readonly complaints: readonly string[];
  /** What it received: every file, and every event of the stream. */
  readonly received: readonly string[];
  /** Where it sent requests to. */
  readonly urls: readonly string[];
  press(id: string): Promise<void>;
  /** Waits for a line of the story that is not older than the last `press`. */
  line(text: RegExp): Promise<void>;
  /** Waits for a renewal: then the token in use has most of its life before it. */
  nextToken(): Promise<void>;
  text(id: string): Promise<string>;
  number(id: string): Promise<number>;
}

export async function openDemoPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<DemoPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints: string[] = [];
  const received: string[] = [];
  const urls: string[] = [];
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`));
  page.on('request', (request) => urls.push(request.url()));
  page.on('response', async (response) => {
    received.push(JSON.stringify(response.headers()));
    if (!response.url().endsWith('/events')) received.push(await response.text().catch(() => ''));
  });
  const tools: CDPSession = await context.newCDPSession(page);
  await tools.send('Network.enable');
  tools.on('Network.eventSourceMessageReceived', ({ data }) => received.push(data));
  await page.goto(url);

  const forget = (): Promise<void> =>
    page.evaluate(() => {
      for (const line of document.querySelectorAll('#story li')) line.setAttribute('data-old', '');
    });
  const line = (wanted: RegExp): Promise<void> => page.locator('#story li:not([data-old])', { hasText: wanted }).first().waitFor();
  const text = async (id: string): Promise<string> => (await page.locator(`#${id}`).textContent()) ?? '';
  return {
    page,
    complaints,
    received,
    urls,
    text,
    number: async (id) => Number((await text(id)).replaceAll(',', '')),
    async press(id) {
      await forget();
      await page.locator(`#${id}`).click();
    },
    line,
    async nextToken() {
      await forget();
      await line(/renewed behind the callers/);
    },
    async [Symbol.asyncDispose]() {
      // What it is cut off from while it closes is no complaint.
      page.removeAllListeners();
      await context.close();
    },
  };
}
