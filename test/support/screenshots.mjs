// `npm run screenshots`: the demo's page for the docs, in light and dark, narrow and wide, at one moment of one story. Look at them.
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { startLiveDemo, watchable } from '../../examples/demo/live-demo.ts';
import { findChromium, installCommand, launchArguments } from './chromium.mjs';

/** What is pressed, and the seconds until then. */
const story = /** @type {const} */ ([
  [9, 'revoke'],
  [11, 'slow'],
  [7, 'normal'],
  [3, 'forward'],
  [4, 'stop'],
]);
const servedOnS = 5;

const found = await findChromium();
if (found === undefined) throw new Error(`No Chromium here: ${installCommand}`);
const demo = await startLiveDemo({ ...watchable, port: 0 });
const browser = await chromium.launch({ ...found, args: launchArguments });
try {
  const shown = [];
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    for (const [name, width] of /** @type {const} */ ([
      ['narrow', 360],
      ['wide', 1200],
    ])) {
      const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
      await page.goto(demo.url);
      shown.push({ page, width, path: fileURLToPath(new URL(`../../docs/images/demo-${colorScheme}-${name}.png`, import.meta.url)) });
    }
  }
  for (const [seconds, name] of story) {
    await sleep(seconds * 1000);
    await fetch(`${demo.url}trouble/${name}`, { method: 'POST', headers: { origin: new URL(demo.url).origin } });
  }
  await sleep(servedOnS * 1000);
  await Promise.all(
    shown.map(async ({ page, width, path }) => {
      const end = await page.locator('.timeline').evaluate((element) => element.getBoundingClientRect().bottom + 16);
      await page.screenshot({ path, fullPage: true, clip: { x: 0, y: 0, width, height: Math.ceil(end) } });
      console.log(path);
    }),
  );
} finally {
  await browser.close();
  await demo.close();
}
