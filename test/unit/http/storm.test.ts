import { describe, expect, it } from 'vitest';
import { createAuthFetch } from '../../../src/http.js';
import { virtualClock } from '../../../src/testing/virtual-clock.js';
import { FakeTokens, record, stubFetch } from './support.js';

const minute = 60_000;

function setUp(
  accepts: (url: string, token: string) => boolean,
  allow = ['https://api.test'],
): { clock: ReturnType<typeof virtualClock>; tokens: FakeTokens; api: typeof fetch; events: ReturnType<typeof record>['events']; sends: () => number } {
  const clock = virtualClock();
  const tokens = new FakeTokens();
  const { events, onEvent } = record();
  let sends = 0;
  const fetch = stubFetch((url, headers) => {
    sends += 1;
    return new Response(null, { status: accepts(url, headers.get('authorization')?.slice('Bearer '.length) ?? '') ? 200 : 401 });
  });
  return { clock, tokens, events, sends: () => sends, api: createAuthFetch(tokens, { allow, fetch, onEvent, clock }) };
}

describe('a resource that refuses fresh tokens', () => {
  it('costs at most 5 renewals in 10 minutes: 30 s of quarantine, doubling to 300 s [H14]', async () => {
    const { clock, tokens, api, events } = setUp(() => false);
    const start = clock.now();
    for (let elapsed = 0; elapsed < 10 * minute; elapsed += 1000) {
      expect((await api('https://api.test/a')).status).toBe(401);
      await clock.advance(1000);
    }
    expect(tokens.renewals).toBeLessThanOrEqual(5);
    const quarantines = events.flatMap((event) => (event.type === 'quarantined' ? [event] : []));
    expect(quarantines.map(({ resource, until }) => `${resource} ${(until - start) / 1000}`)).toEqual(
      [30, 90, 210, 450, 750].map((end) => `https://api.test/ ${end}`),
    );
  });

  it('sends once, without a second try, while it is in quarantine [H14]', async () => {
    const { api, sends, tokens, clock } = setUp(() => false);
    await api('https://api.test/a');
    expect([sends(), tokens.renewals]).toEqual([2, 1]);
    await clock.advance(29_999);
    await api('https://api.test/b');
    expect([sends(), tokens.renewals]).toEqual([3, 1]);
    await clock.advance(1);
    await api('https://api.test/b');
    expect([sends(), tokens.renewals]).toEqual([5, 2]);
  });

  it('is out of quarantine with its first 2xx, and starts at 30 s again [H14]', async () => {
    let healthy = false;
    let revoked = '';
    const { api, tokens, clock, events } = setUp((_, token) => healthy && token !== revoked);
    await api('https://api.test/a');
    await clock.advance(30_000);
    await api('https://api.test/a');
    healthy = true;
    expect((await api('https://api.test/a')).status).toBe(200);
    revoked = tokens.current.value;
    expect((await api('https://api.test/a')).status).toBe(200);
    expect(tokens.renewals).toBe(3);
    healthy = false;
    const now = clock.now();
    await api('https://api.test/a');
    expect(events.at(-2)).toMatchObject({ type: 'retried' });
    expect(events.filter(({ type }) => type === 'quarantined').at(-1)).toEqual({ type: 'quarantined', resource: 'https://api.test/', until: now + 30_000 });
  });

  it('beside healthy neighbours under one entry costs no renewal per call: their 2xx end the quarantine only twice [H14] [complaint 10]', async () => {
    const { clock, tokens, api } = setUp((url) => !url.endsWith('/broken'));
    for (let elapsed = 0; elapsed < 10 * minute; elapsed += 1000) {
      expect((await api('https://api.test/broken')).status).toBe(401);
      expect((await api('https://api.test/healthy')).status).toBe(200);
      await clock.advance(1000);
    }
    expect(tokens.renewals).toBeLessThanOrEqual(8);
    await clock.advance(20 * minute);
    await api('https://api.test/broken');
    expect((await api('https://api.test/healthy')).status).toBe(200);
    const before = tokens.renewals;
    await api('https://api.test/broken');
    expect(tokens.renewals).toBe(before + 1);
  });

  it('does not put its neighbours in quarantine [H14]', async () => {
    let revoked = '';
    const { api, tokens } = setUp(
      (url, token) => url.startsWith('https://api.test/good') && token !== revoked,
      ['https://api.test/good', 'https://api.test/bad'],
    );
    await api('https://api.test/bad/a');
    revoked = tokens.current.value;
    expect((await api('https://api.test/good/a')).status).toBe(200);
    expect(tokens.renewals).toBe(2);
  });

  it('is told apart from one that refuses a revoked token: tokens of 4 s, one of them revoked, no quarantine [H14]', async () => {
    let revoked = '';
    const { api, tokens, clock, events } = setUp((_, token) => token !== revoked);
    for (let second = 0; second < 60; second++) {
      if (second % 4 === 0) tokens.rotate();
      if (second === 21) revoked = tokens.current.value;
      expect((await api('https://api.test/a')).status).toBe(200);
      await clock.advance(1000);
    }
    expect(tokens.renewals).toBe(1);
    expect(events.filter(({ type }) => type === 'quarantined')).toEqual([]);
  });

  it('and one revoked token after another, each accepted in between: no quarantine [H14]', async () => {
    const revoked = new Set<string>();
    const { api, tokens, events } = setUp((_, token) => !revoked.has(token));
    for (let turn = 0; turn < 10; turn++) {
      revoked.add(tokens.current.value);
      expect((await api('https://api.test/a')).status).toBe(200);
    }
    expect(tokens.renewals).toBe(10);
    expect(events.filter(({ type }) => type === 'quarantined')).toEqual([]);
  });

  it('and a late 401 of an older call, or a 404 after the renewal: no quarantine [H14]', async () => {
    const { clock, tokens, events } = setUp(() => true);
    const answers: (() => number)[] = [() => 200, () => 401, () => 404, () => 401, () => 200];
    const fetch = stubFetch(() => new Response(null, { status: answers.shift()?.() ?? 200 }));
    const { onEvent, events: heard } = record();
    const api = createAuthFetch(tokens, { allow: ['https://api.test'], fetch, onEvent, clock });
    await api('https://api.test/a');
    expect((await api('https://api.test/missing')).status).toBe(404);
    expect((await api('https://api.test/a')).status).toBe(200);
    expect(tokens.renewals).toBe(2);
    expect([...events, ...heard].filter(({ type }) => type === 'quarantined')).toEqual([]);
  });

  it('a thousand calls at once are one renewal and one quarantine [H14] [H25]', async () => {
    const { api, tokens, events, clock } = setUp(() => false);
    const now = clock.now();
    await Promise.all(Array.from({ length: 1000 }, () => api('https://api.test/a')));
    expect(tokens.renewals).toBe(1);
    expect(events.filter(({ type }) => type === 'quarantined')).toEqual([{ type: 'quarantined', resource: 'https://api.test/', until: now + 30_000 }]);
  });
});

describe('isTokenRejected', () => {
  it('that never answers does not hold a call that is aborted [H23]', async () => {
    const abort = new AbortController();
    const api = createAuthFetch(new FakeTokens(), {
      allow: ['https://api.test'],
      fetch: stubFetch(() => new Response(null, { status: 401 })),
      isTokenRejected: () => new Promise(() => undefined),
    });
    const call = api('https://api.test/a', { signal: abort.signal });
    await Promise.resolve();
    abort.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
  });
});
