import { describe, expect, it } from 'vitest';
import { fakeAuthorizationServer, type ServerKnobs } from '../../../src/testing/index.js';
import { origin, outcome, redirectUri, type SignInSite, signInSite } from './sign-in-site.js';

const nowS = Date.UTC(2026, 0, 1) / 1000;

/** A session whose code the server has redeemed, and whose answer the test holds. */
function withHeldAnswer(site: SignInSite) {
  const answer = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const first = site.session({
    async fetch(input, init) {
      const response = await site.as.fetch(input, init);
      if (new Request(input, init).url.endsWith('/token')) {
        asked.resolve();
        await answer.promise;
      }
      return response;
    },
  });
  return { first, asked: asked.promise, answer };
}

describe('a callback that start() finds in the URL', () => {
  it('signs in, is out of the URL before anything is sent, and leads back [A9] [A2] [A3]', async () => {
    const site = signInSite();
    site.load(`${origin}/orders?of=today#top`);
    const callback = await site.callback(site.session());
    site.seen.length = 0;
    site.load(callback);
    const session = site.session();
    expect(await session.start()).toMatchObject({ state: 'signed_in', status: 'ready', user: { sub: 'alice' } });
    expect(site.seen.length).toBeGreaterThan(0);
    expect([...new Set(site.seen)]).toEqual([redirectUri]);
    expect(site.url).toBe(`${origin}/orders?of=today#top`);
    expect((await session.getToken()).scope).toEqual(['openid', 'api:read']);
    expect(site.as.tokenRequests).toBe(1);
  });

  const other = (state: string): string => (state.startsWith('x') ? 'y' : 'x') + state.slice(1);

  it.each<readonly [string, (callback: URL) => void]>([
    ['another state of this session [A4]', ({ searchParams }) => searchParams.set('state', other(searchParams.get('state') ?? ''))],
    ['a state that nobody here makes [A4]', ({ searchParams }) => searchParams.set('state', 'forged')],
    ['a state twice [A4]', ({ searchParams }) => searchParams.append('state', 'x')],
    ['another issuer [A6]', ({ searchParams }) => searchParams.set('iss', 'https://evil.test')],
    ['an issuer with a slash more [A6]', ({ searchParams }) => searchParams.set('iss', 'https://as.test/')],
    ['no issuer where the server promises it [A6]', ({ searchParams }) => searchParams.delete('iss')],
    ['no code', ({ searchParams }) => searchParams.set('code', '')],
    ['two codes', ({ searchParams }) => searchParams.append('code', 'x')],
    ['an access token [A10]', ({ searchParams }) => searchParams.set('access_token', 'x')],
    ['an ID token in the fragment [A10]', (url) => (url.hash = 'id_token=x')],
  ])('is refused with %s: nothing is sent, and the URL is clean', async (_what, change) => {
    const site = signInSite();
    const callback = new URL(await site.callback(site.session()));
    change(callback);
    const before = site.as.requests.length;
    site.load(callback.href);
    const session = site.session();
    expect(await site.settled(outcome(session.start()))).toBe('callback_refused');
    expect(session.snapshot()).toMatchObject({ state: 'signed_out', user: undefined });
    expect(site.as.requests.slice(before).map(({ endpoint }) => endpoint)).toEqual([]);
    expect(site.url).not.toMatch(/code|state|token/);
  });

  it('is none without a state: the session restores and nothing is sent [A4]', async () => {
    const site = signInSite();
    await site.signIn();
    const before = site.as.requests.length;
    site.load(`${redirectUri}?code=x&iss=https%3A%2F%2Fas.test`);
    expect(await site.session().start()).toMatchObject({ state: 'signed_in' });
    expect(site.as.requests.length).toBe(before);
  });

  it('is one at the redirect URI only, letter by letter [A8]', async () => {
    for (const elsewhere of [`${origin}/callback/`, `${origin}/Callback`, `${origin}/`]) {
      const site = signInSite();
      const callback = await site.callback(site.session());
      const moved = callback.replace(redirectUri, elsewhere);
      site.load(moved);
      expect(await site.session().start()).toMatchObject({ state: 'signed_out' });
      expect([site.url, site.as.tokenRequests]).toEqual([moved, 0]);
    }
  });

  it('is refused when it is older than ten minutes [A3]', async () => {
    for (const [ms, expected] of [
      [600_000, 'fine'],
      [600_001, 'callback_refused'],
    ] as const) {
      const site = signInSite({ codeLifetimeMs: 3_600_000 });
      const callback = await site.callback(site.session());
      await site.clock.advance(ms);
      site.load(callback);
      expect(await outcome(site.session().start())).toBe(expected);
      expect(site.as.tokenRequests).toBe(expected === 'fine' ? 1 : 0);
    }
  });

  it('is refused when ten other sign-ins began after it [A3]', async () => {
    const site = signInSite();
    const session = site.session();
    const callbacks = [];
    for (let index = 0; index < 11; index++) callbacks.push(await site.callback(session));
    const outcomes = [];
    for (const callback of callbacks) {
      site.load(callback);
      const page = site.session();
      outcomes.push(await site.settled(outcome(page.start())));
      await page.dispose();
    }
    expect(outcomes).toEqual(['callback_refused', ...Array.from({ length: 10 }, () => 'fine')]);
    expect(site.as.tokenRequests).toBe(10);
  });

  it('is nothing new when it was answered before: who is signed in stays so [A3] [A11]', async () => {
    const site = signInSite();
    const callback = await site.callback(site.session());
    site.load(callback);
    const first = site.session();
    await first.start();
    site.load(callback);
    const second = site.session();
    expect(await second.start()).toMatchObject({ state: 'signed_in', user: { sub: 'alice' } });
    expect(site.url).toBe(redirectUri);
    expect(site.as.tokenRequests).toBe(1);
  });
});

describe('the ID token of a sign-in', () => {
  const claims = (idTokenClaims: Readonly<Record<string, unknown>>): Partial<ServerKnobs> => ({ idTokenClaims });

  it.each<readonly [string, Partial<ServerKnobs>]>([
    ['another nonce [A5]', claims({ nonce: 'x' })],
    ['no nonce [A5]', claims({ nonce: undefined })],
    ['another audience [A21]', claims({ aud: 'another' })],
    ['another authorized party [A21]', claims({ aud: ['app', 'another'], azp: 'another' })],
    ['another issuer [A21]', claims({ iss: 'https://evil.test' })],
    ['an end 31 s ago [A22]', claims({ exp: nowS - 31 })],
    ['a beginning in 31 s [A22]', claims({ nbf: nowS + 31 })],
    ['an issue 11 minutes ago [A22]', claims({ iat: nowS - 660 })],
    ['another access token’s hash [A21]', claims({ at_hash: 'x' })],
    ['no subject [A21]', claims({ sub: undefined })],
    ['alg none [A23]', { idTokenSignature: 'none' }],
    ['a forged signature [A21]', { idTokenSignature: 'forged' }],
    ['another algorithm than was registered [A23]', { idTokenAlgorithm: 'ES256' }],
  ])('is refused with %s: nobody is signed in, and what came with it is revoked', async (_what, knobs) => {
    const site = signInSite(knobs);
    site.load(await site.callback(site.session(), { returnTo: '/orders' }));
    const session = site.session();
    expect(await outcome(session.start())).toBe('id_token_rejected');
    expect(session.snapshot()).toMatchObject({ state: 'signed_out', user: undefined });
    expect(site.as.requestsTo('revocation').map(({ params }) => params.get('token')?.slice(0, 3))).toContain('rt-');
    expect(site.url).toBe(`${origin}/orders`);
    expect(await outcome(site.session().getToken())).toBe('login_required');
  });

  it('is refused when the user’s sign-in is older than was asked for [A16]', async () => {
    for (const [maxAgeMs, expected] of [
      [0, 'id_token_rejected'],
      [3_600_000, 'id_token_rejected'],
      [7_200_000, 'fine'],
    ] as const) {
      const site = signInSite({ signedInAgoMs: 7_200_000 });
      site.load(await site.callback(site.session(), { maxAgeMs }));
      expect(await outcome(site.session().start())).toBe(expected);
    }
  });
});

describe('a sign-in that the server refuses', () => {
  const words = ['login_required', 'interaction_required', 'consent_required', 'account_selection_required'];

  it.each([
    ...words.map((word) => [word, 'interaction_required'] as const),
    ['access_denied', 'login_required'],
    ['unauthorized_client', 'client_rejected'],
    ['invalid_scope', 'request_rejected'],
    ['temporarily_unavailable', 'server_error'],
    ['made_up', 'unknown_error'],
  ] as const)('with %s throws %s, and whoever was signed in stays so [A17]', async (authorizationError, code) => {
    const site = signInSite();
    const before = await (await site.signIn()).getToken();
    site.as.set({ authorizationError });
    site.load(`${origin}/orders`);
    site.load(await site.callback(site.session(), { prompt: 'none' }));
    const session = site.session();
    expect(await outcome(session.start())).toBe(code);
    expect(session.snapshot()).toMatchObject({ state: 'signed_in', status: 'ready' });
    expect((await session.getToken()).value).toBe(before.value);
    expect(site.url).toBe(`${origin}/orders`);
    expect(site.as.tokenRequests).toBe(1);
    expect(site.as.requestsTo('revocation')).toEqual([]);
    // Whoever starts again begins anew.
    expect(await outcome(site.session().start())).toBe('fine');
  });

  it('says so only when the refusal is from the server that was asked [A6]', async () => {
    const site = signInSite({ authorizationError: 'access_denied', issParameter: 'wrong' });
    site.load(await site.callback(site.session()));
    expect(await outcome(site.session().start())).toBe('callback_refused');
  });
});

describe('a code', () => {
  it('is redeemed once by a double mount, a second object of the session, and a second start() [A11]', async () => {
    const site = signInSite();
    site.load(await site.callback(site.session()));
    const [first, second] = [site.session(), site.session()];
    const snapshots = await Promise.all([first.start(), second.start(), first.start(), second.start()]);
    expect(snapshots.map(({ state }) => state)).toEqual(Array.from({ length: 4 }, () => 'signed_in'));
    expect(snapshots[0]).toBe(snapshots[2]);
    expect((await first.getToken()).value).toBe((await second.getToken()).value);
    expect(site.as.tokenRequests).toBe(1);
  });

  it('is not lost with an object that is disposed, at whatever point [A11]', async () => {
    for (let turns = 0; turns < 60; turns += 3) {
      const site = signInSite();
      site.load(await site.callback(site.session()));
      const first = site.session();
      const firstStart = outcome(first.start());
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      const gone = first.dispose();
      const second = site.session();
      expect(await second.start()).toMatchObject({ state: 'signed_in' });
      expect(['fine', 'disposed']).toContain(await firstStart);
      await gone;
      expect(site.as.tokenRequests).toBe(1);
      await second.dispose();
    }
  });

  it('that was disposed of while the server had it is taken over by the next object [A11]', async () => {
    const site = signInSite();
    site.load(await site.callback(site.session()));
    const { first, asked, answer } = withHeldAnswer(site);
    const firstStart = outcome(first.start());
    await asked;
    const gone = first.dispose();
    const second = site.session();
    const started = second.start();
    answer.resolve();
    expect(await started).toMatchObject({ state: 'signed_in', user: { sub: 'alice' } });
    expect(await firstStart).toBe('disposed');
    await gone;
    expect(site.as.tokenRequests).toBe(1);
  });

  it('that was disposed of while the server had it is stored, where no other object waits for it yet [A11]', async () => {
    const site = signInSite();
    site.load(await site.callback(site.session(), { returnTo: '/orders' }));
    const { first, asked, answer } = withHeldAnswer(site);
    const started = outcome(first.start());
    await asked;
    const gone = first.dispose();
    answer.resolve();
    await gone;
    expect([await started, site.url]).toEqual(['fine', `${origin}/orders`]);
    expect(await outcome(first.getToken())).toBe('disposed');
    expect(await site.session().start()).toMatchObject({ state: 'signed_in', user: { sub: 'alice' } });
    expect(site.as.tokenRequests).toBe(1);
  });

  it('is not sent again when its answer was lost [A11]', async () => {
    const site = signInSite();
    site.load(await site.callback(site.session()));
    site.as.forNext(1, { connection: 'dropAfterCommit' });
    const session = site.session();
    expect(await outcome(session.start())).toBe('code_lost');
    expect(await outcome(session.start())).toBe('code_lost');
    expect(site.as.tokenRequests).toBe(1);
  });

  it('waits for a server that was down before it was sent: the next start() goes on, of this object or another [A3] [A11]', async () => {
    for (const isSame of [true, false]) {
      const site = signInSite();
      site.load(await site.callback(site.session(), { returnTo: '/orders' }));
      site.as.set({ discoveryAnswer: { status: 503 } });
      const session = site.session();
      expect(await outcome(session.start())).toBe('server_error');
      expect(session.snapshot().state).toBe('signed_out');
      expect(site.url).toBe(redirectUri);
      site.as.set({ discoveryAnswer: undefined });
      await site.clock.advance(5_000);
      expect(await (isSame ? session : site.session()).start()).toMatchObject({ state: 'signed_in' });
      expect([site.as.tokenRequests, site.url]).toEqual([1, `${origin}/orders`]);
    }
  });
});

describe('several at once', () => {
  it('puts a user in the place of another one, and merges nothing [A32]', async () => {
    const site = signInSite();
    const alice = await site.signIn();
    const before = await alice.getToken();
    site.as.set({ user: 'bob' });
    const bob = await site.signIn({ prompt: 'login' });
    expect(bob.user?.sub).toBe('bob');
    expect((await bob.getToken()).value).not.toBe(before.value);
    await site.clock.advance(3_600_000);
    await bob.getToken();
    expect(site.as.requestsTo('token').filter(({ params }) => params.get('grant_type') === 'refresh_token').length).toBe(1);
    expect(bob.user?.sub).toBe('bob');
  });

  it('leaves a stored user alone until the new one is signed in [A32]', async () => {
    const site = signInSite();
    await site.signIn();
    site.as.set({ user: 'bob', idTokenClaims: { nonce: 'x' } });
    site.load(await site.callback(site.session()));
    const session = site.session();
    expect(await outcome(session.start())).toBe('id_token_rejected');
    expect(session.user?.sub).toBe('alice');
  });

  it('keeps sessions of other names and clients apart, also where they share a redirect URI [X2] [A4]', async () => {
    const site = signInSite();
    const others = [{ name: 'second' }, { clientId: 'another' }, {}];
    const callbacks = [];
    for (const [index, of] of others.entries()) {
      site.as.set({ user: `user-${index}` });
      callbacks.push(await site.callback(site.session(of)));
    }
    for (const [index, callback] of callbacks.entries()) {
      site.load(callback);
      const page = others.map((of) => site.session(of));
      const users = [];
      for (const session of page) users.push((await session.start()).user?.sub);
      expect(users).toEqual(others.map((_, at) => (at <= index ? `user-${at}` : undefined)));
      await Promise.all(page.map((session) => session.dispose()));
    }
    expect(site.as.requestsTo('token').map(({ params }) => params.get('client_id'))).toEqual(['app', 'another', 'app']);
  });

  it('gives a code of one server to no other [A7] [A6]', async () => {
    const site = signInSite();
    const evil = fakeAuthorizationServer({ issuer: 'https://evil.test', clock: site.clock });
    const there = site.session({ issuer: evil.issuer, fetch: evil.fetch, redirectUri: `${origin}/evil` });
    const stolen = new URL((await evil.visit((await site.leave(there)).href)) ?? '');
    const callback = new URL(await site.callback(site.session()));
    for (const iss of ['https://evil.test', undefined]) {
      const mixed = new URL(callback);
      mixed.searchParams.set('code', stolen.searchParams.get('code') ?? '');
      if (iss === undefined) mixed.searchParams.delete('iss');
      else mixed.searchParams.set('iss', iss);
      site.load(mixed.href);
      expect(await outcome(site.session().start())).toBe('callback_refused');
    }
    // The answer of one at the address of the other.
    site.load(stolen.href.replace(`${origin}/evil`, redirectUri));
    expect(await site.session().start()).toMatchObject({ state: 'signed_out' });
    expect([site.as.tokenRequests, evil.tokenRequests]).toEqual([0, 0]);
  });
});
