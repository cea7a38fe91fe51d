import { afterAll, describe, expect, it } from 'vitest';
import { startLiveDemo } from '../../examples/demo/live-demo.js';
import { type DemoPage, openDemoPage, quick } from './support/demo-page.js';
import { openBrowser } from './support/open-browser.js';
import { seenCredentials } from './support/seen-credentials.js';

const browser = await openBrowser('the demo page, troubled, in a browser');
const credentials = seenCredentials();
afterAll(async () => {
  credentials.stop();
  await browser?.close();
});

/** A demo and its page for one test. Whatever happens in it, these hold. */
async function watch(test: (shown: DemoPage) => Promise<void>): Promise<void> {
  if (!browser) throw new Error('skipped');
  const demo = await startLiveDemo(quick);
  try {
    await using shown = await openDemoPage(browser, demo.url, { reducedMotion: 'reduce' });
    await shown.line(/Token #1 acquired/);
    await test(shown);
    expect(shown.complaints, 'what it said on the console').toEqual([]);
    expect(shown.urls.filter((url) => !url.startsWith(demo.url))).toEqual([]);
    const everything = [...shown.received, await shown.page.content()].join('\n');
    for (const value of credentials.values) {
      for (const part of [value, ...value.split('.')]) expect(everything.includes(part)).toBe(false);
    }
  } finally {
    await demo.close();
  }
}

// Each waits for tokens to age, most of the time.
describe.skipIf(!browser).concurrent('the demo page, troubled', () => {
  it('shows the first token, that it served the calls, and that it was renewed behind them', () =>
    watch(async (shown) => {
      await shown.line(/Token #1 acquired.*for the 5 calls that waited/);
      await shown.line(/Token #2 renewed behind the callers.*Nobody waited/);
      const bars = await shown.page.locator('.bar[data-lane="token"] .label').allTextContents();
      expect(bars.slice(0, 3)).toEqual(['#1 acquired', expect.stringMatching(/^\d{2,} calls$/), '#2 renewed']);
      expect({ waited: await shown.number('waited'), failed: await shown.text('failed') }).toEqual({ waited: 5, failed: '0' });
      expect(await shown.number('answered')).toBeGreaterThan(20);
    }));

  it('shows a revoked token: one 401, one request, each refused call sent again, none failed; and says so aloud, unlike a plain renewal', () =>
    watch(async (shown) => {
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
      expect(await shown.text('failed')).toBe('0');
      await said
        .filter({ hasText: /You revoked token #\d+\. The API answers 401 to token #\d+\. Token #\d+ replaced by #\d+\./ })
        .waitFor({ state: 'attached' });
    }));

  it('shows that a token is served on while the authorization server is down, and that the next renewal heals it', () =>
    watch(async (shown) => {
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
      expect(await shown.text('failed')).toBe('0');
    }));

  it('shows that a slow authorization server keeps nobody waiting', () =>
    watch(async (shown) => {
      const waited = await shown.number('waited');
      await shown.press('slow');
      await shown.line(/You made the authorization server slow/);
      await shown.line(/renewed behind the callers.*One request, 0\.[5-9]\d s\. Nobody waited/);
      await shown.press('slow');
      await shown.line(/as fast as before/);
      expect(await shown.number('waited')).toBe(waited);
      expect(await shown.text('failed')).toBe('0');
    }));

  it('shows that a new signing key costs one replaced token and no call', () =>
    watch(async (shown) => {
      await shown.nextToken();
      await shown.press('rotate');
      await shown.line(/You rotated the signing key/);
      await shown.line(/Token #\d+ replaced by #\d+/);
      expect(await shown.text('failed')).toBe('0');
    }));

  it('shows that a clock set forward makes calls wait for a new token, and one set back does nothing', () =>
    watch(async (shown) => {
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
      expect(await shown.text('failed')).toBe('0');
    }));

  it('counts no failed call in a storm of clicks, and is never sent a token or a secret [S6]', () =>
    watch(async (shown) => {
      for (const id of ['revoke', 'rotate', 'slow', 'forward', 'revoke', 'back', 'slow', 'rotate', 'revoke']) {
        await shown.page.locator(`#${id}`).click();
      }
      await shown.nextToken();
      expect(shown.received.join('\n')).toContain('"kind":"token","id":"token-3"');
      expect(credentials.values.size).toBeGreaterThan(5);
      expect(await shown.text('failed')).toBe('0');
    }));
});
