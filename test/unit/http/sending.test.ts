import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TokenError } from '../../../src/core/errors.js';
import type { TokenSource } from '../../../src/core/token-source.js';
import { type AuthRequestInit, createAuthFetch } from '../../../src/http.js';
import { adapters, bearer, FakeTokens, guarded, serve, settle, stubFetch } from './support.js';

const allow = ['https://api.test'];

afterEach(() => vi.unstubAllGlobals());

describe.each(adapters)('a call through $name', ({ make }) => {
  it("that brings its own Authorization is left alone: no token, no renewal, the caller's header [H4]", async () => {
    await using api = await serve(guarded(() => false));
    const tokens = new FakeTokens();
    const call = make(tokens, { allow: [api.origin] });
    expect((await call(api.origin, { headers: { AUTHORIZATION: 'Basic eDp5' } })).status).toBe(401);
    expect(api.authorizations()).toEqual(['Basic eDp5']);
    expect(tokens.calls).toEqual([]);
  });

  it('with auth: false goes out as it is [H4] [H12]', async () => {
    await using api = await serve(guarded(() => false));
    const tokens = new FakeTokens();
    expect((await make(tokens, { allow: [api.origin], allowOutside: 'refuse' })(api.origin, { auth: false })).status).toBe(401);
    expect(api.authorizations()).toEqual([undefined]);
    expect(tokens.calls).toEqual([]);
  });

  it('with retryOn401: false carries the token and is sent once [H12]', async () => {
    await using api = await serve(guarded(() => false));
    const tokens = new FakeTokens();
    const response = await make(tokens, { allow: [api.origin] })(api.origin, { retryOn401: false, method: 'POST', body: 'x' });
    expect([response.status, await response.text(), tokens.renewals]).toEqual([401, 'refused', 0]);
    expect(api.authorizations()).toEqual(['Bearer token-0']);
  });

  it('is repeated after a 401 with any method [H12]', async () => {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'PURGE']) {
      await using api = await serve(guarded((token) => token === 'token-1'));
      expect((await make(new FakeTokens(), { allow: [api.origin] })(api.origin, { method })).status).toBe(200);
      expect(api.seen.map((request) => request.method)).toEqual([method, method]);
    }
  });

  it('is not repeated after a broken connection when it is a POST, and the error is the one of fetch [H12]', async () => {
    await using api = await serve((_, response) => response.socket?.destroy());
    await expect(make(new FakeTokens(), { allow: [api.origin] })(api.origin, { method: 'POST', body: 'x' })).rejects.not.toBeInstanceOf(TokenError);
    expect(api.seen).toHaveLength(1);
  });

  it.each<[string, unknown, object]>([
    ['a TokenError', new TokenError('login_required', 'sign in', { phase: 'manager' }), { code: 'login_required' }],
    ["a raw error that looks like the API's", new TypeError('fetch failed'), { name: 'TokenError', code: 'grant_failed' }],
    ['something else', 'token-secret', { name: 'TokenError', code: 'grant_failed' }],
  ])('that gets no token fails once with a TokenError, for %s; nothing is sent [H6]', async (_, failure, expected) => {
    let sends = 0;
    let asked = 0;
    const tokens: TokenSource = {
      getToken() {
        asked += 1;
        return Promise.reject(failure);
      },
    };
    const error: unknown = await make(tokens, {
      allow,
      fetch: stubFetch(() => {
        sends += 1;
        return new Response();
      }),
    })('https://api.test/').catch((reason: unknown) => reason);
    expect(error).toMatchObject(expected);
    expect(inspect(error)).not.toContain('secret');
    expect([asked, sends]).toEqual([1, 0]);
  });

  it('that is aborted before it has a token sends nothing and ends at once with the reason [H23]', async () => {
    let sends = 0;
    const tokens: TokenSource = { getToken: () => new Promise(() => undefined) };
    const abort = new AbortController();
    const reason = new Error('left');
    const call = make(tokens, {
      allow,
      fetch: stubFetch(() => {
        sends += 1;
        return new Response();
      }),
    })('https://api.test/', { signal: abort.signal });
    await settle();
    abort.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect(sends).toBe(0);
  });

  it('that is aborted during the renewal after a 401 ends at once with the reason; the renewal goes on [H23]', async () => {
    const tokens = new FakeTokens();
    const { promise, resolve } = Promise.withResolvers<void>();
    tokens.gate = promise;
    let sends = 0;
    const abort = new AbortController();
    const reason = new Error('left');
    const call = make(tokens, {
      allow,
      fetch: stubFetch(() => {
        sends += 1;
        return new Response(null, { status: 401 });
      }),
    })('https://api.test/', {
      signal: abort.signal,
    });
    await settle();
    abort.abort(reason);
    await expect(call).rejects.toBe(reason);
    resolve();
    await settle();
    expect([sends, tokens.renewals, tokens.current.value]).toEqual([1, 1, 'token-1']);
  });

  it.each(['a\r\nx-evil: 1', 'a\nb', 'a b', '', 'tökén', 'a\u0000', 'a\u007f'])('never sends a token such as %j, nor shows it [S9]', async (value) => {
    let sends = 0;
    const call = make(
      { getToken: async () => bearer(value) },
      {
        allow,
        fetch: stubFetch(() => {
          sends += 1;
          return new Response();
        }),
      },
    );
    const error: unknown = await call('https://api.test/').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'TokenError', code: 'unacceptable_response' });
    expect(inspect(error)).not.toContain('x-evil');
    expect(sends).toBe(0);
  });

  it('whose answer streams while tokens are renewed keeps the token and the stream it began with [H24]', async () => {
    const parts: ((last?: boolean) => void)[] = [];
    await using api = await serve(({ url, headers }, response) => {
      if (url === '/stream') {
        response.writeHead(200).write('one,');
        parts.push((last) => void (last ? response.end('three') : response.write('two,')));
      } else response.writeHead(headers.authorization === 'Bearer token-1' ? 200 : 401).end();
    });
    const call = make(new FakeTokens(), { allow: [api.origin] });
    const stream = await call(`${api.origin}/stream`);
    expect((await call(`${api.origin}/other`)).status).toBe(200);
    parts[0]?.();
    parts[0]?.(true);
    expect(await stream.text()).toBe('one,two,three');
    expect(api.authorizations()).toEqual(['Bearer token-0', 'Bearer token-0', 'Bearer token-1']);
  });

  it('shows the token to nobody but the API: not to ky, its hooks or its errors [H3]', async () => {
    await using api = await serve((_, response) => response.writeHead(500).end('broken'));
    const response = await make(new FakeTokens(), { allow: [api.origin] })(api.origin, { method: 'POST' });
    expect(inspect(response, { depth: 10, showHidden: true })).not.toContain('token-0');
  });
});

describe('the decorated fetch', () => {
  it('looks the global fetch up at each call, and calls it bare [H6]', async () => {
    const api = createAuthFetch(new FakeTokens(), { allow });
    const receivers: unknown[] = [];
    vi.stubGlobal('fetch', function (this: unknown) {
      receivers.push(this);
      return Promise.resolve(new Response('stubbed'));
    });
    const holder = { fetch: api };
    expect(await (await holder.fetch('https://api.test/')).text()).toBe('stubbed');
    expect(receivers).toEqual([undefined]);
  });

  it('asks for one token per call, and for no second one unless refused [H10]', async () => {
    const tokens = new FakeTokens();
    const api = createAuthFetch(tokens, { allow, fetch: stubFetch(() => new Response()) });
    await api('https://api.test/');
    await api('https://api.test/');
    expect(tokens.calls.map(({ invalidToken }) => invalidToken)).toEqual([undefined, undefined]);
  });

  it('takes the members of its own in an init literal', async () => {
    const seen: boolean[] = [];
    const api = createAuthFetch(new FakeTokens(), {
      allow,
      fetch: stubFetch((_, headers) => {
        seen.push(headers.has('authorization'));
        return new Response();
      }),
    });
    await api('https://api.test/', { auth: false });
    const init: AuthRequestInit = { retryOn401: false };
    await api('https://api.test/', init);
    const plain: typeof fetch = api;
    await plain('https://api.test/');
    expect(seen).toEqual([false, true, true]);
  });

  it('sends what the headers were at the call, and leaves them as they were', async () => {
    const headers = new Headers({ 'x-mine': 'before' });
    const seen: (string | null)[] = [];
    const api = createAuthFetch(new FakeTokens(), {
      allow,
      fetch: stubFetch((_, sent) => {
        seen.push(sent.get('x-mine'));
        return new Response();
      }),
    });
    const call = api('https://api.test/', { headers });
    headers.set('x-mine', 'after');
    await call;
    expect(seen).toEqual(['before']);
    expect(headers.has('authorization')).toBe(false);
  });

  it('reports no more origins than it can remember', async () => {
    let events = 0;
    const api = createAuthFetch(new FakeTokens(), { allow, fetch: stubFetch(() => new Response()), onEvent: () => (events += 1) });
    for (let index = 0; index < 1100; index++) await api(`https://host-${index}.test/`);
    expect(events).toBe(1000);
  });
});
