import { describe, expect, it } from 'vitest';
import { createAuthFetch, createHttpClient, type AuthFetchOptions } from '../../../src/http.js';
import { adapters, FakeTokens, record, stubFetch } from './support.js';

/** Which of the requests that arrive carry a token. */
async function carriesToken(allow: string[], input: RequestInfo | URL, more: Partial<AuthFetchOptions> = {}): Promise<boolean> {
  const seen: boolean[] = [];
  const tokens = new FakeTokens();
  const api = createAuthFetch(tokens, {
    allow,
    ...more,
    fetch: stubFetch((_, headers) => {
      seen.push(headers.has('authorization'));
      return new Response();
    }),
  });
  await api(input);
  expect(seen).toHaveLength(1);
  expect(tokens.calls).toHaveLength(seen[0] ? 1 : 0);
  return seen[0] === true;
}

describe('the allow-list', () => {
  const origin = ['https://api.example.com'];
  const prefix = ['https://api.example.com/v1'];

  it.each<[string[], string, boolean]>([
    [origin, 'https://api.example.com/', true],
    [origin, 'https://api.example.com', true],
    [origin, 'https://api.example.com/a/b?c=d#e', true],
    [origin, 'HTTPS://API.Example.COM/a', true],
    [origin, 'https://api.example.com:443/a', true],
    [origin, 'https://api.example.com//ping', true],
    [origin, 'https://api.example.com/a?to=https://evil.test\\x', true],
    [['https://public-api.approvalmax.com'], 'https://public-api.approvalmax.com//ping', true],
    [['https://API.example.com:443/'], 'https://api.example.com/a', true],
    [origin, 'https://api.example.com.evil/a', false],
    [origin, 'https://api.example.com.evil.test', false],
    [origin, 'https://evil.test/https://api.example.com/', false],
    [origin, 'https://evil.test/?https://api.example.com', false],
    [origin, 'https://api.example.com@evil.test/', false],
    [origin, 'https://api.example.com:x@evil.test/', false],
    [origin, 'https://user:pass@api.example.com/a', false],
    [origin, 'https://user@api.example.com/a', false],
    [origin, 'https://api.example.com:8443/a', false],
    [origin, 'http://api.example.com/a', false],
    [origin, 'wss://api.example.com/a', false],
    [origin, '//api.example.com/a', false],
    [origin, '//evil.test/a', false],
    [origin, '\\\\evil.test/a', false],
    [origin, 'https:\\\\api.example.com/a', false],
    [origin, 'https://api.example.com\\@evil.test/', false],
    [origin, 'https://xapi.example.com/', false],
    [origin, 'https://example.com/', false],
    [origin, 'https://api.example.com./a', false],
    [prefix, 'https://api.example.com/v1', true],
    [prefix, 'https://api.example.com/v1/', true],
    [prefix, 'https://api.example.com/v1?x', true],
    [prefix, 'https://api.example.com/v1/a/b', true],
    [prefix, 'https://api.example.com/v1/projects/group%2Fname', true],
    [prefix, 'https://api.example.com/x/../v1/a', true],
    [['https://api.example.com/v1/'], 'https://api.example.com/v1/a', true],
    [prefix, 'https://api.example.com/v10/a', false],
    [prefix, 'https://api.example.com/v1.5', false],
    [prefix, 'https://api.example.com/v1%2Fa', false],
    [prefix, 'https://api.example.com/V1/a', false],
    [prefix, 'https://api.example.com/%76%31/a', false],
    [prefix, 'https://api.example.com/v1/../admin', false],
    [prefix, 'https://api.example.com/v1/%2e%2e/admin', false],
    [prefix, 'https://api.example.com/v1/.%2E/admin', false],
    [prefix, 'https://api.example.com/v1/..%2fadmin', false],
    [prefix, 'https://api.example.com/v1/%2e%2e%2fadmin', false],
    [prefix, 'https://api.example.com/v1/..%5cadmin', false],
    [prefix, 'https://api.example.com/v1/..%252fadmin', false],
    [prefix, 'https://api.example.com/v1/..%00/admin', false],
    [prefix, 'https://api.example.com/v1/%252e%252e/admin', false],
    [prefix, 'https://api.example.com/v1/a..b', true],
    [prefix, 'https://api.example.com/v1\\..\\admin', false],
    [prefix, 'https://api.example.com/v1/..;/admin', false],
    [prefix, 'https://api.example.com//v1/a', false],
    [prefix, 'https://api.example.com/', false],
    [prefix, 'https://evil.test/v1/a', false],
  ])('%j and %s: the token goes along: %s [H1] [gap 8]', async (allow, url, expected) => {
    expect(await carriesToken(allow, url)).toBe(expected);
    // The same as URL and Request, where the text can be one; their parser has made slashes of backslashes.
    if (URL.canParse(url) && !url.includes('\\')) {
      expect(await carriesToken(allow, new URL(url))).toBe(expected);
      if (!url.includes('@')) expect(await carriesToken(allow, new Request(url))).toBe(expected);
    }
  });

  it.each<[string, string, readonly string[], boolean]>([
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080/a', [], true],
    ['http://localhost:8080', 'http://localhost:8080/a', [], true],
    ['http://[::1]:8080', 'http://[::1]:8080/a', [], true],
    ['http://api.internal', 'http://api.internal/a', ['http://api.internal'], true],
    ['https://api.internal', 'http://api.internal/a', ['http://api.internal'], false],
  ])('%s and %s over plain http: %s [H2]', async (allow, url, allowInsecureHttp, expected) => {
    expect(await carriesToken([allow], url, { allowInsecureHttp })).toBe(expected);
  });

  it('looks at a URL object as it was at the call [H1]', async () => {
    const tokens = new FakeTokens();
    const seen: string[] = [];
    const api = createAuthFetch(tokens, {
      allow: origin,
      fetch: stubFetch((url, headers) => {
        seen.push(`${url} ${headers.get('authorization')}`);
        return new Response();
      }),
    });
    const url = new URL('https://api.example.com/a');
    const pending = api(url);
    url.href = 'https://evil.test/';
    await pending;
    expect(seen).toEqual(['https://api.example.com/a Bearer token-0']);
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['an empty list', []],
    ['a text', 'https://api.example.com'],
    ['no URL', ['api.example.com']],
    ['a relative URL', ['/v1']],
    ['a wildcard', ['https://*.example.com']],
    ['plain http', ['http://api.example.com']],
    ['another scheme', ['ftp://api.example.com']],
    ['userinfo', ['https://u:p@api.example.com']],
    ['a query', ['https://api.example.com/?a']],
    ['a fragment', ['https://api.example.com/#a']],
    ['a backslash', ['https://api.example.com\\v1']],
    ['an encoded slash', ['https://api.example.com/v1%2Fa']],
    ['encoded dots', ['https://api.example.com/v1/%2e%2e/a']],
    ['a blank', ['https://api.example.com/ v1']],
    ['no text', [1]],
    ['one bad among good', ['https://api.example.com', '']],
  ])('refuses %s at construction [H1] [H2]', (_, allow) => {
    expect(() => Reflect.apply(createAuthFetch, undefined, [new FakeTokens(), { allow }])).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining('"allow"') }),
    );
  });

  it.each<[string, unknown[], string]>([
    ['no token source', [undefined, { allow: origin }], 'tokens'],
    ['a token source without getToken', [{}, { allow: origin }], 'tokens'],
    ['no options', [new FakeTokens()], 'createAuthFetch'],
    ['an unknown option', [new FakeTokens(), { allow: origin, alow: 1 }], 'alow'],
    ['allowOutside: "deny"', [new FakeTokens(), { allow: origin, allowOutside: 'deny' }], 'allowOutside'],
    ['allowInsecureHttp: true', [new FakeTokens(), { allow: origin, allowInsecureHttp: true }], 'allowInsecureHttp'],
    ['fetch: {}', [new FakeTokens(), { allow: origin, fetch: {} }], 'fetch'],
    ['onChallenge: "x"', [new FakeTokens(), { allow: origin, onChallenge: 'x' }], 'onChallenge'],
    ['isTokenRejected: 1', [new FakeTokens(), { allow: origin, isTokenRejected: 1 }], 'isTokenRejected'],
    ['onEvent: {}', [new FakeTokens(), { allow: origin, onEvent: {} }], 'onEvent'],
    ['replayBody: 1', [new FakeTokens(), { allow: origin, replayBody: 1 }], 'replayBody'],
    ['clock: {}', [new FakeTokens(), { allow: origin, clock: {} }], 'clock'],
  ])('refuses %s at construction, by name', (_, given, name) => {
    expect(() => Reflect.apply(createAuthFetch, undefined, given)).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(name) }),
    );
  });
});

describe.each(adapters)('a request to an unrelated absolute URL, through $name', ({ make }) => {
  const inner = (seen: (string | null)[]): typeof fetch =>
    stubFetch((_, headers) => {
      seen.push(headers.get('authorization'));
      return new Response();
    });

  it('carries no token, waits for none, and is reported once per origin [peer P9] [complaint 19] [gap 8] [H1]', async () => {
    const seen: (string | null)[] = [];
    const tokens = new FakeTokens();
    const { events, onEvent } = record();
    const api = make(tokens, { allow: ['https://api.example.com'], fetch: inner(seen), onEvent });
    for (const url of ['https://evil.test/a', 'https://evil.test/b', 'https://other.test/']) expect((await api(url)).status).toBe(200);
    expect(seen).toEqual([null, null, null]);
    expect(tokens.calls).toEqual([]);
    expect(events).toEqual([
      { type: 'origin_not_allowed', origin: 'https://evil.test' },
      { type: 'origin_not_allowed', origin: 'https://other.test' },
    ]);
  });

  it('is refused before it is sent with allowOutside: "refuse"; ky does not repeat it [H1] [H6]', async () => {
    const seen: (string | null)[] = [];
    const api = make(new FakeTokens(), { allow: ['https://api.example.com'], allowOutside: 'refuse', fetch: inner(seen) });
    await expect(api('https://evil.test/a?secret=1')).rejects.toMatchObject({ code: 'url_refused', message: expect.not.stringContaining('secret') });
    expect(seen).toEqual([]);
  });
});

describe("ky's base URL", () => {
  async function carried(options: object, input: string | URL | Request): Promise<string> {
    let seen = '';
    const api = createHttpClient({
      tokens: new FakeTokens(),
      fetch: stubFetch((url, headers) => {
        seen = `${url} ${headers.get('authorization')}`;
        return new Response();
      }),
      ...options,
    });
    await api(input);
    return seen;
  }

  it.each<[object, string | URL | Request, string]>([
    [{ baseUrl: 'https://api.example.com/v1/' }, 'things', 'https://api.example.com/v1/things Bearer token-0'],
    [{ baseUrl: new URL('https://api.example.com/') }, '/things', 'https://api.example.com/things Bearer token-0'],
    [{ prefix: 'https://api.example.com/v1' }, 'things', 'https://api.example.com/v1/things Bearer token-0'],
    [{ prefix: 'v1', baseUrl: 'https://api.example.com' }, 'things', 'https://api.example.com/v1/things Bearer token-0'],
    [{ baseUrl: 'https://api.example.com/' }, 'https://evil.test/x', 'https://evil.test/x null'],
    [{ baseUrl: 'https://api.example.com/' }, '//evil.test/x', 'https://evil.test/x null'],
    [{ baseUrl: 'https://api.example.com/' }, '\\\\evil.test/x', 'https://evil.test/x null'],
    [{ prefix: 'https://api.example.com' }, new URL('https://evil.test/x'), 'https://evil.test/x null'],
    [{ prefix: 'https://api.example.com' }, new Request('https://evil.test/x'), 'https://evil.test/x null'],
    [{ prefix: 'https://api.example.com', allow: ['https://api.example.com/v2'] }, 'v1/things', 'https://api.example.com/v1/things null'],
  ])('%j with %s sends %s [H1] [peer P9]', async (options, input, expected) => {
    expect(await carried(options, input)).toBe(expected);
  });

  it.each([{}, { baseUrl: '/api' }, { prefix: 'api' }, { baseUrl: 'http://api.example.com' }])(
    'without an absolute, secure one and without "allow" there is no client: %j [H1] [H2]',
    (options) => {
      expect(() => createHttpClient({ tokens: new FakeTokens(), ...options })).toThrow(
        expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining('"allow"') }),
      );
    },
  );
});
