import { afterEach, describe, expect, it, vi } from 'vitest';
import { createAccessToken } from '../../../src/core/access-token.js';
import { createAuthFetch } from '../../../src/http.js';
import { adapters, FakeTokens, guarded, record, serve, stubFetch, type TestServer } from './support.js';

afterEach(() => vi.unstubAllGlobals());

/** Redirects `/from…` to `to()`, accepts any token elsewhere. */
function redirecting(status: number, to: () => string): Promise<TestServer> {
  return serve((request, response, count) => {
    if (request.url.startsWith('/from')) response.writeHead(status, { location: to() }).end('moved');
    else guarded(() => true)(request, response, count);
  });
}

describe.each(adapters)('redirects through $name', ({ make }) => {
  it('are followed inside the list with the token, and the response tells [H5]', async () => {
    await using api = await redirecting(302, () => '/to?x=1');
    const response = await make(new FakeTokens(), { allow: [api.origin] })(`${api.origin}/from`);
    expect([response.status, response.redirected, response.url]).toEqual([200, true, `${api.origin}/to?x=1`]);
    const copy = response.clone();
    expect([copy.redirected, copy.url]).toEqual([true, response.url]);
    expect(api.authorizations()).toEqual(['Bearer token-0', 'Bearer token-0']);
  });

  it('to another origin outside the list lose the token and the cookies; the trap sees none [H5] [complaint 19]', async () => {
    await using trap = await serve(guarded(() => true));
    await using api = await redirecting(307, () => `${trap.origin}/trap`);
    const { events, onEvent } = record();
    const response = await make(new FakeTokens(), { allow: [api.origin], onEvent })(`${api.origin}/from`, { headers: { cookie: 'a=b', 'x-mine': 'yes' } });
    expect([response.status, response.redirected, response.url]).toEqual([200, true, `${trap.origin}/trap`]);
    expect(trap.seen[0]?.headers).toMatchObject({ 'x-mine': 'yes' });
    expect(trap.seen[0]?.headers).not.toHaveProperty('authorization');
    expect(trap.seen[0]?.headers).not.toHaveProperty('cookie');
    expect(events).toEqual([{ type: 'origin_not_allowed', origin: trap.origin }]);
  });

  it('out of the path prefix lose the token on the same origin as well [H5] [gap 8]', async () => {
    await using api = await redirecting(302, () => '/outside');
    await make(new FakeTokens(), { allow: [`${api.origin}/from`] })(`${api.origin}/from/a`);
    expect(api.authorizations()).toEqual(['Bearer token-0', undefined]);
  });

  it('that leave the list and come back carry no token any more [H5]', async () => {
    await using trap = await serve(({ url }, response) => response.writeHead(302, { location: url.slice(1) }).end());
    await using api = await redirecting(302, () => `${trap.origin}/${api.origin}/to`);
    await make(new FakeTokens(), { allow: [api.origin] })(`${api.origin}/from`);
    expect(api.authorizations()).toEqual(['Bearer token-0', undefined]);
  });

  it('are refused outside the list with allowOutside: "refuse"; nothing arrives there [H5]', async () => {
    await using trap = await serve(guarded(() => true));
    await using api = await redirecting(302, () => `${trap.origin}/trap`);
    await expect(make(new FakeTokens(), { allow: [api.origin], allowOutside: 'refuse' })(`${api.origin}/from`)).rejects.toMatchObject({ code: 'url_refused' });
    expect(trap.seen).toEqual([]);
  });

  it('a 401 from outside the list never costs our token [H5] [complaint 19]', async () => {
    await using trap = await serve(guarded(() => false));
    await using api = await redirecting(302, () => `${trap.origin}/trap`);
    const tokens = new FakeTokens();
    const response = await make(tokens, { allow: [api.origin] })(`${api.origin}/from`);
    expect([response.status, tokens.renewals, trap.seen.length]).toEqual([401, 0, 1]);
  });

  it.each([
    [303, 'POST', 'GET', ''],
    [303, 'PUT', 'GET', ''],
    [302, 'POST', 'GET', ''],
    [301, 'POST', 'GET', ''],
    [301, 'PUT', 'PUT', 'body'],
    [302, 'DELETE', 'DELETE', 'body'],
    [307, 'POST', 'POST', 'body'],
    [308, 'PATCH', 'PATCH', 'body'],
  ])('%i after %s goes on as %s, as fetch does it [H5]', async (status, method, expected, body) => {
    await using api = await redirecting(status, () => '/to');
    await make(new FakeTokens(), { allow: [api.origin] })(`${api.origin}/from`, {
      method,
      body: 'body',
      headers: { 'content-type': 'text/x-mine', 'x-mine': 'yes' },
    });
    await fetch(`${api.origin}/from`, { method, body: 'body', headers: { 'content-type': 'text/x-mine', 'x-mine': 'yes' } });
    const [, ours, , native] = api.seen;
    expect([ours?.method, String(ours?.body)]).toEqual([expected, body]);
    expect([native?.method, String(native?.body)]).toEqual([expected, body]);
    for (const name of ['content-type', 'content-length', 'x-mine']) expect(ours?.headers[name]).toBe(native?.headers[name]);
  });

  it('after a 303 only the refused hop is repeated, never the request that was accepted [H5] [H10]', async () => {
    await using api = await serve(({ url, headers }, response) => {
      if (url === '/from') response.writeHead(303, { location: '/to' }).end();
      else response.writeHead(headers.authorization === 'Bearer token-1' ? 200 : 401).end();
    });
    const response = await make(new FakeTokens(), { allow: [api.origin] })(`${api.origin}/from`, { method: 'POST', body: 'pay' });
    expect(response.status).toBe(200);
    expect(api.seen.map(({ method, url }) => `${method} ${url}`)).toEqual(['POST /from', 'GET /to', 'GET /to']);
  });

  it("a caller's own redirect mode is kept [H5]", async () => {
    await using api = await redirecting(302, () => '/to');
    const call = make(new FakeTokens(), { allow: [api.origin] });
    const response = await call(`${api.origin}/from`, { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([302, '/to']);
    await expect(call(`${api.origin}/from`, { redirect: 'error', method: 'POST' })).rejects.toThrow();
    expect(api.seen.map(({ url }) => url)).not.toContain('/to');
  });
});

describe('a chain of redirects', () => {
  it('ends after five hops [H5]', async () => {
    await using api = await serve(({ url }, response) => {
      const left = Number(url.slice(1));
      if (left > 0) response.writeHead(302, { location: `/${left - 1}` }).end();
      else response.end('there');
    });
    const call = createAuthFetch(new FakeTokens(), { allow: [api.origin] });
    expect(await (await call(`${api.origin}/5`)).text()).toBe('there');
    await expect(call(`${api.origin}/6`)).rejects.toMatchObject({ name: 'TokenError', code: 'redirect_refused' });
  });

  it.each(['ftp://x.test/', 'javascript:1', 'https://', 'data:,x'])('does not go on to %s [H5]', async (location) => {
    await using api = await redirecting(302, () => location);
    await expect(createAuthFetch(new FakeTokens(), { allow: [api.origin] })(`${api.origin}/from`)).rejects.toMatchObject({ code: 'redirect_refused' });
  });

  it('ends at a redirect status without a location, and at one that redirects nothing [H5]', async () => {
    await using api = await serve((_, response, count) => response.writeHead([301, 304, 300][count - 1] ?? 200, count === 1 ? {} : { location: '/x' }).end());
    const call = createAuthFetch(new FakeTokens(), { allow: [api.origin] });
    expect([(await call(api.origin)).status, (await call(api.origin)).status, (await call(api.origin)).status]).toEqual([301, 304, 300]);
  });

  it('carries the body of a Request along a 307 though the call is not to be repeated after a 401 [H5] [H13]', async () => {
    await using api = await redirecting(307, () => '/to');
    const send = createAuthFetch(new FakeTokens(), { allow: [api.origin] });
    const response = await send(new Request(`${api.origin}/from`, { method: 'POST', body: 'whole' }), { ...{ retryOn401: false } });
    expect([response.status, api.seen.at(-1)?.body.toString()]).toEqual([200, 'whole']);
  });

  it('does not repeat a stream: 307 is refused with a reason [H5] [H13]', async () => {
    await using api = await redirecting(307, () => '/to');
    const body = new Blob(['x']).stream();
    await expect(
      createAuthFetch(new FakeTokens(), { allow: [api.origin] })(`${api.origin}/from`, { method: 'POST', body, ...{ duplex: 'half' } }),
    ).rejects.toMatchObject({
      code: 'redirect_refused',
      message: expect.stringContaining('body'),
    });
  });

  it("keeps to the caller's signal on every hop [H5] [H23]", async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    await using api = await serve(({ url }, response) => {
      if (url === '/from') response.writeHead(302, { location: '/to' }).end();
      else abort.abort(reason);
    });
    for (const input of [`${api.origin}/from`, new Request(`${api.origin}/from`, { signal: abort.signal })]) {
      await expect(
        createAuthFetch(new FakeTokens(), { allow: [api.origin] })(input, { ...(typeof input === 'string' && { signal: abort.signal }) }),
      ).rejects.toBe(reason);
    }
  });
});

describe.each(['document', 'importScripts'])('in a page or its worker (%s)', (global) => {
  async function mode(allow: string, more: { type?: 'DPoP'; allowOutside?: 'refuse'; redirect?: RequestRedirect } = {}): Promise<RequestRedirect | undefined> {
    vi.stubGlobal(global, {});
    let seen: RequestRedirect | undefined;
    const token = createAccessToken({ accessToken: 'x', tokenType: more.type ?? 'Bearer', sentAt: 0, lifetimeMs: undefined, scope: [] });
    const tokens = { getToken: async () => token };
    const fetch = stubFetch((_url, _headers, init) => {
      seen = init?.redirect;
      return new Response();
    });
    await createAuthFetch(tokens, { allow: [allow], fetch, ...(more.allowOutside && { allowOutside: more.allowOutside }) })('https://api.test/v1/a', {
      ...(more.redirect && { redirect: more.redirect }),
    });
    return seen;
  }

  it('redirects are followed by fetch only where it drops the header in time [H5]', async () => {
    expect(await mode('https://api.test')).toBe('follow');
    expect(await mode('https://api.test/v1')).toBe('error');
    expect(await mode('https://api.test', { type: 'DPoP' })).toBe('error');
    expect(await mode('https://api.test', { allowOutside: 'refuse' })).toBe('error');
    expect(await mode('https://api.test', { redirect: 'manual' })).toBe('manual');
    expect(await mode('https://api.test', { redirect: 'error' })).toBe('error');
  });

  it.each<[string, { url: string; redirected: boolean }, string, number, number]>([
    ['the same URL', { url: 'https://api.test/a', redirected: false }, 'POST', 1, 2],
    ['another URL of the API after a GET', { url: 'https://api.test/b', redirected: true }, 'GET', 1, 2],
    ['another URL of the API after a POST', { url: 'https://api.test/b', redirected: true }, 'POST', 1, 1],
    ['another origin of the list, where the header was dropped', { url: 'https://other.test/b', redirected: true }, 'GET', 0, 1],
    ['an origin outside the list', { url: 'https://evil.test/b', redirected: true }, 'GET', 0, 1],
  ])('a 401 from %s [H5]', async (_, look, method, renewals, sends) => {
    vi.stubGlobal(global, {});
    const tokens = new FakeTokens();
    let sent = 0;
    const fetch = stubFetch(() => {
      sent += 1;
      const response = new Response(null, { status: sent === 1 ? 401 : 200 });
      return Object.defineProperties(response, { url: { value: look.url }, redirected: { value: look.redirected } });
    });
    await createAuthFetch(tokens, { allow: ['https://api.test', 'https://other.test'], fetch })('https://api.test/a', { method });
    await Promise.resolve();
    expect([tokens.renewals, sent]).toEqual([renewals, sends]);
  });
});

it('a runtime that hides redirects without being a page is not trusted with them [H5]', async () => {
  const hidden = Object.defineProperty(new Response(), 'type', { value: 'opaqueredirect' });
  await expect(createAuthFetch(new FakeTokens(), { allow: ['https://api.test'], fetch: async () => hidden })('https://api.test/')).rejects.toMatchObject({
    code: 'redirect_refused',
  });
});
