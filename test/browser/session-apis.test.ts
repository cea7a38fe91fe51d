import { decodeJwt } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ResourceChallenge } from 'tokenkeep/http';
import { api } from '../integration/support/sign-in-server.js';
import type { App } from './page/session.js';
import type { Storage } from './page/session-storage.js';
import { boundApi, reply } from './support/bound-api.js';
import { appLoaded, openApp } from './support/session-site.js';
import { browser, complaints, context, sessionSuite, site } from './support/session-suite.js';
import { signedInPage, signIn, stateIs } from './support/signed-in.js';

declare const app: App;
declare const storage: Storage;

const billing = 'https://billing.example';

sessionSuite({ entry: 'test/browser/page/session-storage.ts', tokenLifetimeS: 600, furtherApis: [billing], dpopNonces: true });

describe('createSession({ dpop: true })', () => {
  beforeEach(() => {
    site.options = { clientId: 'bound', dpop: true };
    site.api = boundApi(site);
  });

  it('signs in, calls and renews with a key that stays in the browser, and the nonces of both servers [H19] [H20] [H21] [H22]', async () => {
    const page = await signedInPage(context, site);
    expect(await page.evaluate(() => app.call())).toBe(200);
    await page.reload();
    await appLoaded(page);
    expect(await page.evaluate(() => app.call())).toBe(200);
    const renewed = await page.evaluate(async () => {
      const first = await app.session.getToken();
      const second = await app.session.getToken({ invalidToken: first });
      return [second.type, second.value !== first.value];
    });
    expect(renewed).toEqual(['DPoP', true]);
    expect(await page.evaluate(() => app.call())).toBe(200);
    expect(await page.evaluate(() => storage.keyNames())).toContainEqual(expect.stringMatching(/:dpop$/));
  });

  it('ends with its key: whoever lost it is signed out with that reason, and signs in again [H22] [S3]', async () => {
    const page = await signedInPage(context, site);
    await page.evaluate(() => storage.deleteKeys(':dpop'));
    await page.reload();
    await appLoaded(page);
    await page.evaluate(() => app.started);
    expect(await page.evaluate(() => app.call())).toBe(401);
    await page.waitForFunction(() => app.session.snapshot().state === 'signed_out', undefined, { polling: 10 });
    expect(await page.evaluate(() => app.session.explain().find(({ type }) => type === 'session_ended'))).toMatchObject({ reason: 'key_lost' });
    expect(await page.evaluate(() => app.token())).toBe('key_lost');
    await signIn(page);
    expect(await page.evaluate(() => app.call())).toBe(200);
  });

  it('says so too where the key had been renewed with, and another page has made one in its place [H22]', async () => {
    const page = await signedInPage(context, site);
    await page.evaluate(async () => app.token({ invalidToken: await app.session.getToken() }));
    const other = await openApp(context, site.url, complaints);
    await stateIs(other, 'signed_in');
    await other.evaluate(() => storage.deleteKeys(':dpop'));
    expect(await other.evaluate(() => app.call())).toBe(401);
    await Promise.all([page, other].map((each) => stateIs(each, 'signed_out')));
    expect(await page.evaluate(() => app.token())).toBe('key_lost');
  });

  it('binds a new sign-in to the key that is kept, when the one this page knew was deleted [H22]', async () => {
    const page = await signedInPage(context, site);
    expect(await page.evaluate(() => app.call())).toBe(200);
    await page.evaluate(() => storage.deleteKeys(':dpop'));
    await signIn(page);
    const value = await page.evaluate(async () => {
      const first = await app.session.getToken();
      return (await app.session.getToken({ invalidToken: first })).type;
    });
    expect(value).toBe('DPoP');
    expect(await page.evaluate(() => app.call())).toBe(200);
  });

  it('gives nothing to whoever copies what is stored into another profile [S2] [S3]', async () => {
    const page = await signedInPage(context, site);
    const loot = await page.evaluate(() => storage.exported());
    expect(loot.length).toBeGreaterThan(0);
    const requests = site.server.tokenRequests();
    const elsewhere = await browser.newContext();
    try {
      const thief = await openApp(elsewhere, site.url, complaints);
      await thief.evaluate((records) => storage.imported(records), loot);
      await thief.reload();
      await appLoaded(thief);
      expect(await thief.evaluate(() => app.started)).toBe('fine');
      expect(await thief.evaluate(() => app.session.snapshot())).toMatchObject({ state: 'signed_out', user: undefined });
      expect(await thief.evaluate(() => app.token())).toBe('login_required');
    } finally {
      await elsewhere.close();
    }
    expect(site.server.tokenRequests()).toBe(requests);
    expect(await page.evaluate(() => app.call())).toBe(200);
  });
});

describe('session.for()', () => {
  it('draws tokens for several APIs from one refresh token, one request at a time [R3] [R7] [P31]', async () => {
    // Where the test sees the requests.
    site.options = { worker: false };
    const page = await openApp(context, site.url, complaints);
    await signIn(page, { resource: [api, billing] });
    const sent: URLSearchParams[] = [];
    page.on('request', (request) => {
      if (request.method() === 'POST' && request.url().endsWith('/token')) sent.push(new URLSearchParams(request.postData() ?? ''));
    });
    const tokens = await page.evaluate(async (resource) => {
      const targets = [{ resource }, { scope: 'api:read' }, { audience: 'reports' }];
      const [own, ...others] = await Promise.all([app.session, ...targets.map((target) => app.session.for(target))].map((source) => source.getToken()));
      return [own, ...others].map((token) => ({ ...token?.claims() }));
    }, billing);
    expect(tokens.map(({ aud }) => aud)).toEqual([api, billing, api, api]);
    expect(tokens[2]).toMatchObject({ scope: 'api:read' });
    expect(sent.map((body) => [body.get('resource'), body.get('scope'), body.get('audience')])).toEqual(
      expect.arrayContaining([
        [billing, null, null],
        [api, 'api:read', null],
        [api, null, 'reports'],
      ]),
    );
    // Each with what the one before has brought.
    expect([sent.length, new Set(sent.map((body) => body.get('refresh_token'))).size]).toEqual([3, 3]);
    expect(site.server.refusals).toEqual([]);
    await page.reload();
    await appLoaded(page);
    expect(await page.evaluate(async (resource) => (await app.session.for({ resource }).getToken()).claims()?.aud, billing)).toBe(billing);
    expect(sent).toHaveLength(3);
    expect(complaints).toEqual([]);
  });
});

describe('signIn({ challenge })', () => {
  // What an app does: shows a button where an API wants more, and signs in with what was asked for.
  async function challenged(challenge: (token: string) => string | undefined, status: number): Promise<[URLSearchParams, number]> {
    site.api = (request, response) => {
      const [, token = ''] = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '') ?? [];
      const wanted = challenge(token);
      reply(response, wanted === undefined ? 200 : status, wanted);
    };
    const page = await signedInPage(context, site);
    const asked = page.waitForRequest((request) => request.url().startsWith(`${site.server.issuer}/auth?`));
    await page.evaluate(async () => {
      Reflect.set(globalThis, 'before', true);
      const prefix = new URL('/api/', location.href).href;
      const http = app.session.http({ prefix, retry: 0, throwHttpErrors: false, onChallenge: (wanted) => app.session.signIn({ challenge: wanted }) });
      await http.get('vault');
    });
    const { searchParams } = new URL((await asked).url());
    await page.waitForFunction(() => 'session' in Object(Reflect.get(globalThis, 'app')) && !location.search && !Reflect.has(globalThis, 'before'));
    expect(await page.evaluate(() => app.started)).toBe('fine');
    return [searchParams, await page.evaluate(() => app.call())];
  }

  it('asks for the scopes that an API misses, beside those of the session [H15]', async () => {
    const missing = (token: string): string | undefined =>
      String(decodeJwt(token)['scope']).includes('api:write') ? undefined : 'Bearer error="insufficient_scope", scope="api:write"';
    const [request, status] = await challenged(missing, 403);
    expect(request.get('scope')?.split(' ').sort()).toEqual(['api:read', 'api:write', 'openid']);
    expect(status).toBe(200);
  });

  it('brings a page that does so by itself to rest where the API always asks for more [H15]', async () => {
    site.api = (_request, response) => reply(response, 403, 'Bearer error="insufficient_scope", scope="api:admin"');
    let sent = 0;
    context.on('request', (request) => {
      if (request.url().startsWith(`${site.server.issuer}/auth?`)) sent++;
    });
    const page = await signedInPage(context, site);
    await context.addInitScript(() => {
      const call = async (): Promise<void> => {
        await app.started;
        const prefix = new URL('/api/', location.href).href;
        const onChallenge = (challenge: ResourceChallenge): Promise<void> =>
          app.outcome(app.session.signIn({ challenge })).then((failure) => void Reflect.set(globalThis, 'atRest', failure));
        await app.session.http({ prefix, retry: 0, throwHttpErrors: false, onChallenge }).get('vault');
      };
      addEventListener('load', () => void call());
    });
    await page.reload();
    await page.waitForFunction(() => Reflect.get(globalThis, 'atRest'), undefined, { polling: 10 });
    expect(await page.evaluate(() => Reflect.get(globalThis, 'atRest'))).toBe('request_rejected');
    expect(sent).toBe(2);
    expect(await page.evaluate(() => app.session.snapshot().state)).toBe('signed_in');
  });

  it('asks for the sign-in that an API wants: fresher, and of a class [H16]', async () => {
    const weak = new Set<string>();
    const stepUp = (token: string): string | undefined => {
      if (weak.size === 0) weak.add(token);
      return weak.has(token) ? 'Bearer error="insufficient_user_authentication", acr_values="urn:mfa", max_age="0"' : undefined;
    };
    const [request, status] = await challenged(stepUp, 401);
    expect([request.get('acr_values'), request.get('max_age'), request.get('scope')]).toEqual(['urn:mfa', '0', 'openid api:read']);
    expect(status).toBe(200);
  });
});
