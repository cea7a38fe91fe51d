import type { Page } from 'playwright-core';
import { beforeEach, expect, it } from 'vitest';
import type { App } from './page/session.js';
import { appLoaded, openApp } from './support/session-site.js';
import { complaints, context, sessionSuite, site } from './support/session-suite.js';

declare const app: App;

sessionSuite();

beforeEach(() => {
  site.policy += "; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";
});

/** Signs in, calls the API with a token and with the one that replaces it, and tells where that was renewed. */
async function placeOfRenewal(page: Page): Promise<readonly unknown[]> {
  await page.evaluate(() => void app.session.signIn({ returnTo: '/signed-in' }));
  await page.waitForURL(`${site.url}signed-in`);
  await appLoaded(page);
  expect(await page.evaluate(() => app.started)).toBe('fine');
  await page.waitForFunction(() => app.session.snapshot().renewal !== undefined, undefined, { polling: 10 });
  const replaced = await page.evaluate(async () => {
    const invalidToken = await app.session.getToken();
    return (await app.session.getToken({ invalidToken })).value !== invalidToken.value;
  });
  expect([replaced, await page.evaluate(() => app.call())]).toEqual([true, 200]);
  return page.evaluate(() => {
    const { renewal, renewalReason } = app.session.snapshot();
    return [renewal, renewalReason];
  });
}

it('renews in the worker under Trusted Types, where a policy of the application lets its URL pass [S18]', async () => {
  await context.addInitScript(() => {
    const { trustedTypes } = Object(globalThis);
    trustedTypes.createPolicy('default', { createScriptURL: (url: string) => (new URL(url, location.href).origin === location.origin ? url : undefined) });
  });
  expect(await placeOfRenewal(await openApp(context, site.url, complaints))).toEqual(['worker', undefined]);
  expect(complaints).toEqual([]);
});

it('works in the tab under Trusted Types where no policy lets the worker pass [S18] [X14]', async () => {
  expect(await placeOfRenewal(await openApp(context, site.url, complaints))).toEqual(['tab', 'refused']);
});

it('does not even try where the application wants no worker, so that Trusted Types have nothing to say [S18]', async () => {
  site.options = { worker: false };
  expect(await placeOfRenewal(await openApp(context, site.url, complaints))).toEqual(['tab', 'off']);
  expect(complaints).toEqual([]);
});
