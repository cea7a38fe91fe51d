import { describe, expect, it } from 'vitest';
import { TokenError } from '../../../src/core/errors.js';
import { createAuthFetch } from '../../../src/http.js';
import { virtualClock } from '../../../src/testing/virtual-clock.js';
import { adapters, FakeTokens, settle, stubFetch } from './support.js';

const allow = ['https://api.test'];

/** Refuses `token-0`, each request after a delay of its own. */
function refusing(
  delayMs: (index: number) => number,
  clock = virtualClock(),
): { clock: ReturnType<typeof virtualClock>; fetch: typeof fetch; sends: Map<string, string[]> } {
  const sends = new Map<string, string[]>();
  const fetch = stubFetch(async (url, headers) => {
    const token = headers.get('authorization') ?? '';
    sends.set(url, [...(sends.get(url) ?? []), token]);
    await clock.sleep(delayMs(Number(new URL(url).pathname.slice(1))));
    return new Response(null, { status: token === 'Bearer token-0' ? 401 : 200 });
  });
  return { clock, fetch, sends };
}

describe.each(adapters)('requests at once, through $name', ({ make }) => {
  it('two with one stale token, whose 401s come at different times, cost one renewal [peer P7] [gap 1] [gap 17]', async () => {
    const { clock, fetch, sends } = refusing((index) => (index === 0 ? 10 : 500));
    const tokens = new FakeTokens();
    const call = make(tokens, { allow, fetch });
    const calls = [call('https://api.test/0'), call('https://api.test/1')];
    for (let turn = 0; turn < 20; turn++) {
      await settle();
      await clock.advance(100);
    }
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200]);
    expect(tokens.renewals).toBe(1);
    expect([...sends.values()]).toEqual([
      ['Bearer token-0', 'Bearer token-1'],
      ['Bearer token-0', 'Bearer token-1'],
    ]);
  });

  it('three refused together are all sent again [peer P8] [complaint 6]', async () => {
    const { clock, fetch } = refusing(() => 10);
    const tokens = new FakeTokens();
    const call = make(tokens, { allow, fetch });
    const calls = [0, 1, 2].map((index) => call(`https://api.test/${index}`));
    for (let turn = 0; turn < 5; turn++) {
      await settle();
      await clock.advance(10);
    }
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(tokens.renewals).toBe(1);
  });

  it('all settle when the renewal they wait for fails [complaint 7] [complaint 6]', async () => {
    const tokens = new FakeTokens();
    tokens.failure = new TokenError('server_error', 'down', { phase: 'token' });
    const call = make(tokens, { allow, fetch: stubFetch(() => new Response(null, { status: 401 })) });
    const responses = await Promise.all([0, 1, 2].map((index) => call(`https://api.test/${index}`)));
    expect(responses.map(({ status }) => status)).toEqual([401, 401, 401]);
  });

  it('get back a token that was just refused: not sent again [gap 1] [H10]', async () => {
    const tokens = new FakeTokens();
    tokens.sticky = true;
    let sends = 0;
    const response = await make(tokens, {
      allow,
      fetch: stubFetch(() => {
        sends += 1;
        return new Response(null, { status: 401 });
      }),
    })('https://api.test/');
    expect([response.status, sends, tokens.renewals]).toEqual([401, 1, 1]);
  });
});

it('10,000 requests with one refused token, answered over 500 ms: one renewal, each sent twice [gap 1] [complaint 6] [H10]', async () => {
  const { clock, fetch, sends } = refusing((index) => index % 500);
  const tokens = new FakeTokens();
  const api = createAuthFetch(tokens, { allow, fetch });
  const calls = Array.from({ length: 10_000 }, (_, index) => api(`https://api.test/${index}`));
  for (let elapsed = 0; elapsed <= 1000; elapsed += 10) {
    await settle();
    await clock.advance(10);
  }
  const responses = await Promise.all(calls);
  expect(responses.filter(({ status }) => status === 200)).toHaveLength(10_000);
  expect(tokens.renewals).toBe(1);
  expect(sends.size).toBe(10_000);
  expect([...sends.values()].every((values) => values.join() === 'Bearer token-0,Bearer token-1')).toBe(true);
});

it('a hundred that wait for one flight are released together [H25]', async () => {
  const tokens = new FakeTokens();
  const { promise, resolve } = Promise.withResolvers<void>();
  tokens.gate = promise;
  let resent = 0;
  const fetch = stubFetch((_, headers) => {
    if (headers.get('authorization') === 'Bearer token-0') return new Response(null, { status: 401 });
    resent += 1;
    return new Response();
  });
  const api = createAuthFetch(tokens, { allow, fetch });
  const calls = Promise.all(Array.from({ length: 100 }, () => api('https://api.test/')));
  await settle();
  expect(resent).toBe(0);
  resolve();
  await calls;
  expect([resent, tokens.renewals]).toEqual([100, 1]);
});
