// `npm run screenshots`: the demo's pages and the single-page example for the docs, in light and dark, narrow and wide, at one moment
// of one story each. Look at them.
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { startAppServer } from '../../examples/demo/app-server.ts';
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

/** @param {string} name */
const image = (name) => fileURLToPath(new URL(`../../docs/images/${name}.png`, import.meta.url));

const found = await findChromium();
if (found === undefined) throw new Error(`No Chromium here: ${installCommand}`);
const demo = await startLiveDemo({ ...watchable, port: 0 });
/** One for each context: their servers count for themselves. @type {import('../../examples/demo/app-server.ts').AppServer[]} */
const servers = [];
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
      shown.push({ page, width, path: image(`demo-${colorScheme}-${name}`), apps: await openApps(colorScheme, name, width) });
    }
  }
  for (const [seconds, name] of story) {
    await sleep(seconds * 1000);
    await fetch(`${demo.url}trouble/${name}`, { method: 'POST', headers: { origin: new URL(demo.url).origin } });
  }
  await sleep(servedOnS * 1000);
  await Promise.all(
    shown.map(async ({ page, width, path, apps }) => {
      await shoot(page, width, path, '.timeline');
      for (const { app, path: to, lastPart } of apps) await shoot(app, width, to, lastPart);
    }),
  );
} finally {
  await browser.close();
  await Promise.all([demo, ...servers].map((each) => each.close()));
}

/**
 * The app with its timeline in one tab, the example in another: each is a tab to the other.
 * @param {'light' | 'dark'} colorScheme
 * @param {string} name
 * @param {number} width
 */
async function openApps(colorScheme, name, width) {
  const server = await startAppServer({ ...watchable, port: 0 });
  servers.push(server);
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
  const app = await context.newPage();
  await app.goto(server.url);
  await app.getByRole('button', { name: 'Sign in' }).click();
  await app.getByLabel('alice').waitFor();
  if (name === 'narrow') await shoot(app, width, image(`sign-in-${colorScheme}`), 'button');
  await app.getByRole('button', { name: 'Sign in' }).click();
  await app.getByRole('button', { name: 'Call the API' }).click();
  const spa = await context.newPage();
  await spa.goto(`${server.url}spa/`);
  await spa.getByRole('button', { name: 'Call the API' }).click();
  // A second tab that calls, so that some tokens are its.
  await (await context.newPage()).goto(server.url);
  await app.bringToFront();
  return [
    { app, path: image(`app-${colorScheme}-${name}`), lastPart: '.story' },
    { app: spa, path: image(`spa-${colorScheme}-${name}`), lastPart: 'main' },
  ];
}

/**
 * @param {import('playwright-core').Page} page
 * @param {number} width
 * @param {string} path
 * @param {string} lastPart
 */
async function shoot(page, width, path, lastPart) {
  // A tab behind another one is not drawn.
  await page.bringToFront();
  const end = await page.locator(lastPart).evaluate((element) => element.getBoundingClientRect().bottom + 16);
  await page.screenshot({ path, fullPage: true, clip: { x: 0, y: 0, width, height: Math.ceil(end) } });
  console.log(path);
}
