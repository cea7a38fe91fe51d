import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type LiveDemo, type LiveDemoOptions, startLiveDemo } from '../../examples/demo/live-demo.js';
import { type DemoPage, openDemoPage } from './support/demo-page.js';
import { openBrowser } from './support/open-browser.js';
import { seenCredentials } from './support/seen-credentials.js';
import { leastContrast } from './support/least-contrast.js';

const browser = await openBrowser('the demo page in a browser');
afterAll(() => browser?.close());

// Renewed from 2.25 s on, handed out up to 4 s.
const quick: LiveDemoOptions = { port: 0, tokenLifetimeS: 5, skewMs: 2_500, minValidMs: 1_000, tokenDelayMs: 100, slowTokenDelayMs: 500 };

describe.skipIf(!browser)('the demo page', () => {
  const credentials = seenCredentials();
  const complaints: string[] = [];
  const received: string[] = [];
  const urls: string[] = [];
  let demo: LiveDemo;
  let shown: DemoPage;
  let failedBefore: string;
  beforeAll(async () => {
    demo = await startLiveDemo(quick);
  });
  beforeEach(async () => {
    shown = await open();
    await shown.line(/Token #\d+/);
    failedBefore = await shown.text('failed');
  });
  afterEach(async () => {
    complaints.push(...shown.complaints);
    received.push(...shown.received, await shown.page.content());
    urls.push(...shown.urls);
    await shown[Symbol.asyncDispose]();
  });
  afterAll(async () => {
    credentials.stop();
    await demo.close();
  });

  function open(options: Parameters<typeof openDemoPage>[2] = {}): Promise<DemoPage> {
    if (!browser) throw new Error('skipped');
    return openDemoPage(browser, demo.url, options);
  }

  async function noneFailed(): Promise<void> {
    expect(await shown.text('failed')).toBe(failedBefore);
  }

  it('shows the first token, that it served the calls, and that it was renewed behind them', async () => {
    await shown.line(/Token #1 acquired.*for the 5 calls that waited/);
    await shown.line(/Token #2 renewed behind the callers.*Nobody waited/);
    const bars = await shown.page.locator('.bar[data-lane="token"] .label').allTextContents();
    expect(bars.slice(0, 3)).toEqual(['#1 acquired', expect.stringMatching(/^\d{2,} calls$/), '#2 renewed']);
    expect({ waited: await shown.number('waited'), failed: await shown.text('failed') }).toEqual({ waited: 5, failed: '0' });
    expect(await shown.number('answered')).toBeGreaterThan(20);
  });

  it('shows a revoked token: one 401, one request, each refused call sent again, none failed; and says so aloud, unlike a plain renewal', async () => {
    const said = shown.page.locator('[role="status"]');
    await shown.nextToken();
    expect(await said.textContent()).toBe('');
    await shown.press('revoke');
    await shown.line(/You revoked token #\d+/);
    await shown.line(/The API answers 401 to token #\d+/);
    await shown.line(/Token #\d+ replaced by #\d+.*its caller saw no 401/);
    await shown.page.locator('.bar.refused').first().waitFor();
    await shown.page.locator('.bar.replaced .label', { hasText: 'replaced' }).first().waitFor();
    expect(await shown.text('again')).toMatch(/\d+ sent again after a 401/);
    await noneFailed();
    await said.filter({ hasText: /You revoked token #\d+\. The API answers 401 to token #\d+\. Token #\d+ replaced by #\d+\./ }).waitFor({ state: 'attached' });
  });

  it('shows that a token is served on while the authorization server is down, and that the next renewal heals it', async () => {
    await shown.nextToken();
    await shown.press('stop');
    await shown.line(/You stopped the authorization server/);
    await shown.page.locator('#stop', { hasText: 'Start it again' }).waitFor();
    expect(await shown.text('sentence')).toMatch(/down, and no call notices: token #\d+ is good for \d s more/);
    await shown.line(/A renewal failed; token #\d+ is served on.*No call notices/);
    await shown.press('stop');
    await shown.line(/You started the authorization server again/);
    await shown.line(/Token #\d+ (acquired|renewed)/);
    await shown.page.locator('.served-on:visible').first().waitFor();
    await noneFailed();
  });

  it('shows that a slow authorization server keeps nobody waiting', async () => {
    const waited = await shown.number('waited');
    await shown.press('slow');
    await shown.line(/You made the authorization server slow/);
    await shown.line(/renewed behind the callers.*One request, 0\.[5-9]\d s\. Nobody waited/);
    await shown.press('slow');
    await shown.line(/as fast as before/);
    expect(await shown.number('waited')).toBe(waited);
    await noneFailed();
  });

  it('shows that a new signing key costs one replaced token and no call', async () => {
    await shown.nextToken();
    await shown.press('rotate');
    await shown.line(/You rotated the signing key/);
    await shown.line(/Token #\d+ replaced by #\d+/);
    await noneFailed();
  });

  it('shows that a clock set forward makes calls wait for a new token, and one set back does nothing', async () => {
    await shown.press('forward');
    await shown.line(/Token #\d+ has run out/);
    await shown.line(/Token #\d+ acquired.*None failed/);
    await shown.page.locator('#offset', { hasText: '1 h fast' }).waitFor();
    await shown.press('back');
    await shown.page.locator('#offset', { hasText: 'right' }).waitFor();
    await shown.press('back');
    await shown.page.locator('#offset', { hasText: '1 h slow' }).waitFor();
    await shown.line(/renewed behind the callers/);
    await shown.press('forward');
    await shown.line(/renewed behind the callers|has run out/);
    await noneFailed();
  });

  it('counts no failed call in a storm of clicks', async () => {
    for (const id of ['revoke', 'rotate', 'slow', 'forward', 'revoke', 'back', 'slow', 'rotate', 'revoke']) {
      await shown.page.locator(`#${id}`).click();
    }
    await shown.nextToken();
    await noneFailed();
  });

  it('can be used with the keyboard alone, and shows where it is', async () => {
    const { keyboard } = shown.page;
    const order: string[] = [];
    for (let stop = 0; stop < 7; stop++) {
      await keyboard.press('Tab');
      order.push(await shown.page.evaluate(() => document.activeElement?.id || document.activeElement?.tagName || ''));
      expect(await shown.page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineStyle)).toBe('solid');
    }
    expect(order).toEqual(['revoke', 'stop', 'slow', 'rotate', 'forward', 'back', 'SUMMARY']);
    await keyboard.press('Enter');
    await shown.page.locator('#journal li', { hasText: 'token' }).first().waitFor();
    for (let back = 0; back < 4; back++) await keyboard.press('Shift+Tab');
    await keyboard.press('Space');
    await shown.page.locator('#slow:focus', { hasText: 'Make it fast again' }).waitFor();
    await keyboard.press('Enter');
    await shown.page.locator('#slow:focus', { hasText: 'Slow it down' }).waitFor();
  });

  it('is readable in light and dark, 360 and 1280 pixels wide', async () => {
    await Promise.all(
      ([360, 1280] as const).flatMap((width) =>
        (['light', 'dark'] as const).map(async (colorScheme) => {
          await using other = await open({ colorScheme, viewport: { width, height: 800 } });
          await other.page.locator('.bar[data-lane="token"]').first().waitFor();
          const { scrollWidth, lightness } = await other.page.evaluate(() => ({
            scrollWidth: document.documentElement.scrollWidth,
            lightness: Number(/\d+/.exec(getComputedStyle(document.body).backgroundColor)?.[0]),
          }));
          expect(scrollWidth).toBe(width);
          expect(lightness > 128).toBe(colorScheme === 'light');
          const { ratio, where } = await other.page.evaluate(leastContrast);
          expect(ratio, where).toBeGreaterThanOrEqual(4.5);
        }),
      ),
    );
  });

  it('moves once a second for those who asked for less motion', async () => {
    const moves = async ({ page }: DemoPage): Promise<number> => {
      await page.locator('.bar[data-lane="token"]').first().waitFor();
      return page.evaluate(async () => {
        let count = 0;
        const strip = document.querySelector('.strip');
        if (!strip) return -1;
        new MutationObserver((changes) => {
          count += changes.length;
        }).observe(strip, { attributes: true, attributeFilter: ['style'] });
        await new Promise((resolve) => setTimeout(resolve, 1_100));
        return count;
      });
    };
    await using calm = await open({ reducedMotion: 'reduce' });
    const [calmMoves, usualMoves] = await Promise.all([moves(calm), moves(shown)]);
    expect(calmMoves).toBeGreaterThanOrEqual(1);
    expect(calmMoves).toBeLessThanOrEqual(2);
    expect(usualMoves).toBeGreaterThan(5);
  });

  it('said nothing on the console in all of this, and asked nobody but its own server', () => {
    expect(complaints).toEqual([]);
    expect(urls.length).toBeGreaterThan(20);
    expect(urls.filter((url) => !url.startsWith(demo.url))).toEqual([]);
  });

  it('was never sent a token or a secret [S6]', () => {
    expect(credentials.values.size).toBeGreaterThan(8);
    expect(received.length).toBeGreaterThan(100);
    const everything = received.join('\n');
    expect(everything).toContain('token-2');
    for (const value of credentials.values) {
      for (const part of [value, ...value.split('.')]) expect(everything.includes(part)).toBe(false);
    }
  });
});

describe.skipIf(!browser)('the demo page, when the authorization server stays down longer than the token lives', () => {
  it('counts the calls that fail, says why, and heals without a restart', async () => {
    if (!browser) return;
    const demo = await startLiveDemo({ ...quick, tokenLifetimeS: 3, skewMs: 1_500 });
    try {
      await using shown = await openDemoPage(browser, demo.url);
      await shown.line(/Token #1 acquired/);
      await shown.press('stop');
      await shown.line(/\d+ calls fail.*could not be reached/);
      expect(await shown.text('sentence')).toMatch(/no usable token, so calls fail and say why/);
      expect(await shown.number('failed')).toBeGreaterThan(0);
      await shown.press('stop');
      await shown.line(/Calls are answered again.*had failed meanwhile/);
      const failed = await shown.text('failed');
      await sleep(300);
      expect(await shown.text('failed')).toBe(failed);
      expect(shown.complaints).toEqual([]);
    } finally {
      await demo.close();
    }
  });
});
