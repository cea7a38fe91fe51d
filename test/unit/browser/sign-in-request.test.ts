import { describe, expect, it } from 'vitest';
import type { SessionSignInOptions } from '../../../src/browser/session.js';
import { origin, outcome, redirectUri, signInSite } from './sign-in-site.js';

describe('what a session sends its users with', () => {
  it('is a code, PKCE, a state and a nonce of this sign-in alone, and the redirect URI as it is configured [A1] [A2] [A4] [A5] [A8]', async () => {
    const site = signInSite();
    const session = site.session();
    const [first, second] = [await site.leave(session), await site.leave(session)];
    expect(Object.fromEntries(first.searchParams)).toEqual({
      response_type: 'code',
      client_id: 'app',
      redirect_uri: redirectUri,
      scope: 'openid api:read',
      state: expect.stringMatching(/^[\w-]{43}\.[\w-]{8}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    });
    for (const name of ['state', 'nonce', 'code_challenge']) expect(first.searchParams.get(name)).not.toBe(second.searchParams.get(name));
  });

  it('says all that the options say [A16] [A13] [P31]', async () => {
    const site = signInSite();
    const url = await site.leave(site.session(), {
      prompt: 'login consent',
      loginHint: 'alice@example.com',
      maxAgeMs: 3_600_500,
      acrValues: ['gold', 'silver'],
      uiLocales: 'de-CH en',
      scope: 'openid api:write',
      resource: 'https://api.example/',
      params: { ui: 'compact' },
      responseMode: 'fragment',
      returnTo: '/secret-place',
    });
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      prompt: 'login consent',
      login_hint: 'alice@example.com',
      max_age: '3600',
      acr_values: 'gold silver',
      ui_locales: 'de-CH en',
      scope: 'openid api:write',
      resource: 'https://api.example/',
      ui: 'compact',
      response_mode: 'fragment',
    });
    expect(url.href).not.toContain('secret-place');
  });

  it('comes back in the fragment when that was asked for, and the URL is as clean [A13] [A9]', async () => {
    const site = signInSite();
    const callback = await site.callback(site.session(), { responseMode: 'fragment', returnTo: '/orders' });
    expect(new URL(callback).hash).toContain('code=');
    site.seen.length = 0;
    site.load(callback);
    expect(await site.session().start()).toMatchObject({ state: 'signed_in' });
    expect([...new Set(site.seen)]).toEqual([redirectUri]);
    expect(site.url).toBe(`${origin}/orders`);
  });

  it('is pushed where the server requires it or the app asks for it [A14]', async () => {
    for (const [pushedRequests, pushed] of [
      ['required', undefined],
      ['offered', true],
    ] as const) {
      const site = signInSite({ pushedRequests });
      const url = await site.leave(site.session(), { pushed, loginHint: 'alice@example.com' });
      expect([...url.searchParams.keys()]).toEqual(['client_id', 'request_uri']);
      expect(site.as.requestsTo('pushedAuthorization')[0]?.params.get('login_hint')).toBe('alice@example.com');
      site.load((await site.as.visit(url.href)) ?? '');
      expect(await site.session().start()).toMatchObject({ state: 'signed_in' });
    }
  });

  it.each<readonly [string, object]>([
    ['a returnTo of another origin', { returnTo: 'https://evil.test/' }],
    ['a returnTo of another origin that looks like a path', { returnTo: '//evil.test/' }],
    ['a returnTo that is a script', { returnTo: 'javascript:alert(1)' }],
    ['a returnTo on another port', { returnTo: 'https://app.test:8443/' }],
    ['an unknown way', { via: 'iframe' }],
    ['a name that it does not know', { returnUrl: '/' }],
    ['a parameter of the protocol', { params: { redirect_uri: 'https://evil.test/' } }],
    ['no object', []],
  ])('is not sent with %s [P32]', async (_what, options) => {
    const site = signInSite();
    const wrong: SessionSignInOptions = options;
    expect(await outcome(site.leave(site.session(), wrong))).toBe('invalid_option');
    expect(site.as.requestsTo('authorization')).toEqual([]);
  });

  it('takes a way back to the own origin in any form, also where the page is a callback [A3]', async () => {
    for (const [returnTo, expected] of [
      ['/orders', `${origin}/orders`],
      ['orders', `${origin}/deep/orders`],
      ['?page=2', `${origin}/deep/page?page=2`],
      [`${origin}/x#y`, `${origin}/x#y`],
      [undefined, `${origin}/deep/page`],
    ] as const) {
      const site = signInSite();
      site.load(`${origin}/deep/page`);
      site.load(await site.callback(site.session(), { returnTo }));
      await site.session().start();
      expect(site.url).toBe(expected);
    }
  });
});
