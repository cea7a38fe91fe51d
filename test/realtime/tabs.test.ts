import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { App } from '../browser/page/session.js';
import { appLoaded, openApp } from '../browser/support/session-site.js';
import { complaints, context, sessionSuite, site } from '../browser/support/session-suite.js';

declare const app: App;

const isLong = Boolean(process.env['CI']);
const lifetimeS = 4;
const runMs = isLong ? 60_000 : 15_000;
const closedTabs = isLong ? 50 : 10;
const everyMs = 100;

sessionSuite({ tokenLifetimeS: lifetimeS });

async function signedInTab(): Promise<Page> {
  const page = await openApp(context, site.url, complaints);
  await page.evaluate(() => void app.session.signIn({ returnTo: '/signed-in' }));
  await page.waitForURL(`${site.url}signed-in`);
  await appLoaded(page);
  expect(await page.evaluate(() => app.started)).toBe('fine');
  return page;
}

/** Calls the API all the time, until the page is closed or `stop` is set on it. */
const startCalls = (page: Page): Promise<void> =>
  page.evaluate((ms) => {
    const outcomes: Record<string, number> = {};
    Reflect.set(globalThis, 'outcomes', outcomes);
    const note = (outcome: number | string): void => {
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    };
    setInterval(() => void app.call().then(note, (error: unknown) => note(String(error))), ms);
  }, everyMs);

const outcomesOf = (page: Page): Promise<Record<string, number>> => page.evaluate(() => Reflect.get(globalThis, 'outcomes'));

async function rotatedSince(count: number): Promise<void> {
  await expect.poll(() => site.server.refreshTokens.length, { timeout: 20_000, interval: 5 }).toBeGreaterThan(count);
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const describeRun = (what: string, renewals: number, calls: number): void => console.log(`${what}: ${renewals} token requests, ${calls} calls answered`);

describe(`tabs with tokens that live ${lifetimeS} s, rotation with strict reuse detection`, () => {
  it(`6 tabs call for ${runMs / 1000} s: no failed call, no sign-out, one token request for all [X1] [X14] [R3]`, async () => {
    const first = await signedInTab();
    const tabs = [first, ...(await Promise.all(Array.from({ length: 5 }, () => openApp(context, site.url, complaints))))];
    const before = site.server.tokenRequests();
    const began = performance.now();
    await Promise.all(tabs.map(startCalls));
    await sleep(runMs);
    const requests = site.server.tokenRequests() - before;
    const ranMs = performance.now() - began;
    const outcomes = await Promise.all(tabs.map(outcomesOf));
    describeRun('6 tabs', requests, site.answers.get(200) ?? 0);
    for (const each of outcomes) expect(Object.keys(each)).toEqual(['200']);
    expect([...site.answers.keys()]).toEqual([200]);
    // Each is renewed from the middle of its life on, or a tenth of its skew earlier.
    expect(requests).toBeLessThanOrEqual(ranMs / (lifetimeS * 450) + 1);
    expect(requests).toBeGreaterThanOrEqual(runMs / (lifetimeS * 1000) - 1);
    expect(site.server.refusals).toEqual([]);
    expect(await Promise.all(tabs.map((tab) => tab.evaluate(() => app.session.snapshot().renewal)))).toEqual(Array(6).fill('worker'));
    expect(complaints).toEqual([]);
  });

  it(`${closedTabs} tabs closed in mid-refresh, one stays: no reuse at the server, no sign-out, no failed call [X14]`, async () => {
    const staying = await signedInTab();
    await startCalls(staying);
    // The answers come late, so that a tab can go between the rotation and the answer.
    site.server.holdAnswers(() => sleep(150));
    let hits = 0;
    for (let closed = 0; closed < closedTabs; closed++) {
      const tab = await openApp(context, site.url, complaints);
      const rotations = site.server.refreshTokens.length;
      await tab.evaluate(() => {
        void app.session.getToken().then((invalidToken) => app.token({ invalidToken }));
      });
      const limit = Date.now() + 5_000;
      while (site.server.refreshTokens.length === rotations && Date.now() < limit) await sleep(5);
      if (site.server.refreshTokens.length > rotations) hits++;
      await sleep(Math.random() * 120);
      await tab.close();
    }
    site.server.holdAnswers(() => Promise.resolve());
    await sleep(lifetimeS * 1000);
    const outcomes = await outcomesOf(staying);
    console.log(`closed tabs: ${closedTabs}, of them ${hits} between rotation and answer; the staying tab's calls: ${JSON.stringify(outcomes)}`);
    expect(hits).toBe(closedTabs);
    expect(Object.keys(outcomes)).toEqual(['200']);
    expect(site.server.refusals).toEqual([]);
    expect(await staying.evaluate(() => app.session.snapshot().state)).toBe('signed_in');
    expect(complaints).toEqual([]);
  });

  it(`the tab that made the worker closed in mid-refresh, ${closedTabs / 2} times in a row, each by the next one: nothing lost [X14]`, async () => {
    let current = await signedInTab();
    site.server.holdAnswers(() => sleep(150));
    for (let closed = 0; closed < closedTabs / 2; closed++) {
      const next = await openApp(context, site.url, complaints);
      await next.waitForFunction(() => app.session.snapshot().renewal === 'worker', undefined, { polling: 10 });
      const token = await current.evaluate(() => app.token());
      const rotations = site.server.refreshTokens.length;
      await current.evaluate(() => {
        void app.session.getToken().then((invalidToken) => app.token({ invalidToken }));
      });
      await rotatedSince(rotations);
      await current.close();
      current = next;
      // What the closed tab asked for reaches the one that stays; else the next round would find it done already.
      await current.waitForFunction((old) => app.session.peek() !== undefined && app.session.peek()?.value !== old, token, { polling: 10 });
      expect(await current.evaluate(() => app.call())).toBe(200);
    }
    site.server.holdAnswers(() => Promise.resolve());
    expect(await current.evaluate(() => app.session.getToken().then((invalidToken) => app.token({ invalidToken })))).toMatch(/^ey/);
    expect(site.server.refusals).toEqual([]);
  });
});

describe('without a worker, what a closed tab takes along is counted', () => {
  const rounds = isLong ? 10 : 3;

  it(`the renewing tab closed in mid-refresh, ${rounds} times: each loss is one typed rotation_lost, never a loop [R14]`, async () => {
    site.options = { worker: false };
    const losses: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const staying = await signedInTab();
      const closing = await openApp(context, site.url, complaints);
      const rotations = site.server.refreshTokens.length;
      const requests = site.server.tokenRequests();
      site.server.holdAnswers(() => sleep(400));
      await closing.evaluate(() => {
        void app.session.getToken().then((invalidToken) => app.token({ invalidToken }));
      });
      await rotatedSince(rotations);
      await closing.close();
      site.server.holdAnswers(() => Promise.resolve());
      const refused = await staying.evaluate(() => app.session.getToken().then((invalidToken) => app.token({ invalidToken })));
      if (refused === 'rotation_lost') losses.push(refused);
      const after = await staying.evaluate(() => Promise.all([app.token(), app.token()]));
      const ends = await staying.evaluate(() => app.session.explain().filter((entry) => entry.type === 'session_ended' && !entry.elsewhere).length);
      expect([refused, ...after]).toEqual(Array(3).fill('rotation_lost'));
      expect(ends).toBe(1);
      // The lost one, and the one replay that found out.
      expect(site.server.tokenRequests() - requests).toBe(2);
      await staying.close();
    }
    console.log(`without a worker: ${losses.length} of ${rounds} sessions lost`);
  });
});
