import ky, { HTTPError, NetworkError, TimeoutError } from 'ky';
import { describe, expect, it } from 'vitest';
import { TokenError } from '../../../src/core/errors.js';
import { type AuthRequestInit, createHttpClient } from '../../../src/http.js';
import { FakeTokens, guarded, serve, stubFetch } from './support.js';

const noDelay = { delay: () => 0 };
const baseUrl = 'https://api.test/';

describe('createHttpClient', () => {
  it("keeps ky's own retry: 503, then 401, then 200 are three sends and one renewal [H6]", async () => {
    const sent: (string | null)[] = [];
    const statuses = [503, 401, 200];
    const tokens = new FakeTokens();
    const api = createHttpClient({
      tokens,
      baseUrl,
      retry: noDelay,
      fetch: stubFetch((_, headers) => {
        sent.push(headers.get('authorization'));
        return new Response('{}', { status: statuses[sent.length - 1] ?? 200 });
      }),
    });
    expect((await api('a')).status).toBe(200);
    expect(sent).toEqual(['Bearer token-0', 'Bearer token-0', 'Bearer token-1']);
    expect(tokens.renewals).toBe(1);
  });

  it("each of ky's attempts gets the token that is current then [H6]", async () => {
    const tokens = new FakeTokens();
    const sent: (string | null)[] = [];
    const fetch = stubFetch((_, headers) => {
      sent.push(headers.get('authorization'));
      tokens.rotate();
      return new Response(null, { status: sent.length < 3 ? 503 : 200 });
    });
    await createHttpClient({ tokens, baseUrl, retry: noDelay, fetch })('a');
    expect(sent).toEqual(['Bearer token-0', 'Bearer token-1', 'Bearer token-2']);
  });

  it('ky does not repeat a call that failed for want of a token [H6]', async () => {
    const tokens = new FakeTokens();
    let asked = 0;
    tokens.getToken = () => {
      asked += 1;
      return Promise.reject(new TokenError('network_error', 'down', { phase: 'token' }));
    };
    await expect(createHttpClient({ tokens, baseUrl, retry: noDelay, fetch: stubFetch(() => new Response()) })('a')).rejects.toMatchObject({
      code: 'network_error',
    });
    expect(asked).toBe(1);
  });

  it("the API's own network errors stay ky's to repeat [H6]", async () => {
    let sends = 0;
    const fetch = stubFetch(() => {
      sends += 1;
      throw new TypeError('fetch failed');
    });
    await expect(createHttpClient({ tokens: new FakeTokens(), baseUrl, retry: noDelay, fetch })('a')).rejects.toBeInstanceOf(NetworkError);
    expect(sends).toBe(3);
  });

  it("a final 401 is ky's HTTPError, with the response and its body, and without the token [H10]", async () => {
    await using server = await serve(guarded(() => false));
    const error: unknown = await createHttpClient({ tokens: new FakeTokens(), baseUrl: server.origin })('a').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(HTTPError);
    expect(error).toMatchObject({ response: { status: 401 }, data: 'refused' });
    expect(error instanceof HTTPError && error.request.headers.has('authorization')).toBe(false);
    expect(server.seen).toHaveLength(2);
  });

  it('a body survives a 503 and a 401 in one call [H6] [H13]', async () => {
    await using server = await serve((request, response, count) =>
      count === 1 ? response.writeHead(503).end() : guarded((token) => token === 'token-1')(request, response, count),
    );
    const api = createHttpClient({ tokens: new FakeTokens(), baseUrl: server.origin, retry: noDelay });
    expect(await api.put('a', { json: { a: 'ä' } }).json()).toEqual({ a: 'ä' });
    expect(server.seen.map(({ body }) => String(body))).toEqual(['{"a":"ä"}', '{"a":"ä"}', '{"a":"ä"}']);
  });

  it.each<[object, boolean]>([
    [{ retry: { statusCodes: [401] } }, false],
    [{ retry: { statusCodes: [500, 401], limit: 1 } }, false],
    [{ ky: ky.create({ retry: { statusCodes: [401] } }) }, false],
    [{ retry: { statusCodes: [500] } }, true],
    [{ retry: 3 }, true],
    [{ retry: {} }, true],
  ])('%j: a list with 401 in it is refused [H6]', (options, fine) => {
    const make = (): unknown => createHttpClient({ tokens: new FakeTokens(), baseUrl, ...options });
    if (fine) expect(make).not.toThrow();
    else expect(make).toThrow(expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining('retry.statusCodes') }));
  });

  it.each<[string, object, number | false]>([
    ['45 s unless given', {}, 45_000],
    ['what is given', { timeout: 1234 }, 1234],
    ['false', { timeout: false }, false],
    ["that of the user's own ky", { ky: ky.create({ timeout: 777 }) }, 777],
  ])('the timeout is %s', (_, options, expected) => {
    let timeout: unknown;
    createHttpClient({ tokens: new FakeTokens(), baseUrl, ...options }).extend((defaults) => {
      timeout = defaults.timeout;
      return {};
    });
    expect(timeout).toBe(expected);
  });

  it("ky's timeout ends the wait for a token and leaves the renewal running [H23]", async () => {
    const tokens = new FakeTokens();
    let aborted = false;
    tokens.getToken = (options = {}) =>
      new Promise((_, reject) =>
        options.signal?.addEventListener('abort', () => {
          aborted = true;
          return reject(options.signal?.reason);
        }),
      );
    await expect(createHttpClient({ tokens, baseUrl, timeout: 1, retry: 0, fetch: stubFetch(() => new Response()) })('a')).rejects.toBeInstanceOf(TimeoutError);
    expect(aborted).toBe(true);
  });

  it("extends the user's own ky: its fetch, base URL, headers and hooks stay [gap 17]", async () => {
    const seen: string[] = [];
    const own = ky.create({
      baseUrl,
      headers: { 'x-own': 'yes' },
      hooks: { beforeRequest: [({ request }) => request.headers.set('x-hook', 'yes')] },
      fetch: stubFetch((url, headers) => {
        seen.push([url, headers.get('x-own'), headers.get('x-hook'), headers.get('authorization')].join());
        return new Response();
      }),
    });
    await createHttpClient({ tokens: new FakeTokens(), ky: own })('a');
    expect(seen).toEqual(['https://api.test/a,yes,yes,Bearer token-0']);
  });

  it('a fetch that is given goes before that of the given ky', async () => {
    const own = ky.create({ baseUrl, fetch: stubFetch(() => new Response('own')) });
    expect(await createHttpClient({ tokens: new FakeTokens(), ky: own, fetch: stubFetch(() => new Response('given')) })('a').text()).toBe('given');
  });

  it('hands auth: false and retryOn401: false on from a ky call [H4] [H12]', async () => {
    const seen: boolean[] = [];
    const api = createHttpClient({
      tokens: new FakeTokens(),
      baseUrl,
      throwHttpErrors: false,
      fetch: stubFetch((_, headers) => {
        seen.push(headers.has('authorization'));
        return new Response(null, { status: 401 });
      }),
    });
    const plain: AuthRequestInit = { auth: false };
    const once: AuthRequestInit = { retryOn401: false };
    await api.get('a', plain);
    await api.get('a', once);
    expect(seen).toEqual([false, true]);
  });

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'createHttpClient'],
    ['no tokens', { baseUrl }, 'tokens'],
    ['a ky that is none', { tokens: new FakeTokens(), baseUrl, ky: {} }, 'ky'],
    ['an empty list', { tokens: new FakeTokens(), baseUrl, allow: [] }, 'allow'],
    ['a fetch that is none', { tokens: new FakeTokens(), baseUrl, fetch: 1 }, 'fetch'],
  ])('refuses %s at construction, by name', (_, options, name) => {
    expect(() => Reflect.apply(createHttpClient, undefined, [options])).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(name) }),
    );
  });
});

describe('ky as it is taken to be [L6]', () => {
  const sends = async (status: number, options: object = {}): Promise<number> => {
    let count = 0;
    await ky('https://api.test/', {
      retry: noDelay,
      throwHttpErrors: true,
      fetch: async () => {
        count += 1;
        return new Response(null, { status });
      },
      ...options,
    }).catch(() => undefined);
    return count;
  };

  it('repeats 408, 429 and 5xx for idempotent methods, and neither 401 nor 403 [L6]', async () => {
    expect(await Promise.all([408, 429, 500, 502, 503, 504].map((status) => sends(status)))).toEqual([3, 3, 3, 3, 3, 3]);
    expect(await Promise.all([400, 401, 403, 404].map((status) => sends(status)))).toEqual([1, 1, 1, 1]);
    expect(await Promise.all(['POST', 'PATCH'].map((method) => sends(503, { method })))).toEqual([1, 1]);
    expect(await Promise.all(['PUT', 'DELETE', 'HEAD'].map((method) => sends(503, { method })))).toEqual([3, 3, 3]);
  });

  it('calls fetch with a Request, and an init that holds only what it does not know [L6]', async () => {
    let given: unknown[] = [];
    await ky('https://api.test/', {
      method: 'post',
      body: 'x',
      redirect: 'manual',
      ...{ dispatcher: 1, auth: false },
      fetch: async (...args) => {
        given = args;
        return new Response();
      },
    });
    expect(given[0]).toBeInstanceOf(Request);
    expect(given[1]).toEqual({ dispatcher: 1, auth: false });
  });

  it('takes a raw "fetch failed" for a network error of the API, and a TokenError for a reason to stop [L6]', async () => {
    const attempts = async (error: Error): Promise<number> => {
      let count = 0;
      const fetch = (): Promise<Response> => {
        count += 1;
        return Promise.reject(error);
      };
      await ky('https://api.test/', { retry: noDelay, fetch }).catch(() => undefined);
      return count;
    };
    expect(await attempts(new TypeError('fetch failed'))).toBe(3);
    expect(await attempts(new TokenError('network_error', 'down', { phase: 'token' }))).toBe(1);
  });

  it('lets extend() read the defaults of an instance, its fetch among them [L6]', () => {
    const fetch = stubFetch(() => new Response());
    let read: unknown;
    ky.create({ fetch, baseUrl }).extend((defaults) => {
      read = defaults;
      return {};
    });
    expect(read).toMatchObject({ fetch, baseUrl });
  });
});
