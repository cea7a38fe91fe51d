import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LiveDemo, startLiveDemo } from '../../examples/demo/live-demo.js';
import { type DemoPage, openDemoPage, quick } from './support/demo-page.js';
import { leastContrast } from './support/least-contrast.js';
import { openBrowser } from './support/open-browser.js';

const browser = await openBrowser('the demo page, for everybody, in a browser');
afterAll(() => browser?.close());

describe.skipIf(!browser)('the demo page, for everybody', () => {
  let demo: LiveDemo;
  beforeAll(async () => {
    demo = await startLiveDemo(quick);
  });
  afterAll(() => demo.close());

  function open(options: Parameters<typeof openDemoPage>[2] = {}): Promise<DemoPage> {
    if (!browser) throw new Error('skipped');
    return openDemoPage(browser, demo.url, options);
  }

  it('can be used with the keyboard alone, and shows where it is', async () => {
    await using shown = await open();
    await shown.line(/Token #\d+/);
    const { keyboard } = shown.page;
    const order: string[] = [];
    for (let stop = 0; stop < 9; stop++) {
      await keyboard.press('Tab');
      order.push(await shown.page.evaluate(() => document.activeElement?.id || document.activeElement?.tagName || ''));
      expect(await shown.page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineStyle)).toBe('solid');
    }
    expect(order).toEqual(['A', 'A', 'revoke', 'stop', 'slow', 'rotate', 'forward', 'back', 'SUMMARY']);
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
    /** How often it moved, and for how many seconds it was watched: a busy machine waits longer than it is told. */
    const moves = async ({ page }: DemoPage): Promise<{ readonly count: number; readonly seconds: number }> => {
      await page.locator('.bar[data-lane="token"]').first().waitFor();
      return page.evaluate(async () => {
        let count = 0;
        const strip = document.querySelector('.strip');
        if (!strip) throw new Error('no strip');
        const began = performance.now();
        new MutationObserver((changes) => {
          count += changes.length;
        }).observe(strip, { attributes: true, attributeFilter: ['style'] });
        await new Promise((resolve) => setTimeout(resolve, 1_100));
        return { count, seconds: (performance.now() - began) / 1_000 };
      });
    };
    await using calm = await open({ reducedMotion: 'reduce' });
    await using shown = await open();
    const [calmly, usually] = await Promise.all([moves(calm), moves(shown)]);
    expect(calmly.count).toBeGreaterThanOrEqual(1);
    expect(calmly.count).toBeLessThanOrEqual(Math.floor(calmly.seconds) + 1);
    expect(usually.count).toBeGreaterThan(5);
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
