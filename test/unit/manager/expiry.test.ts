import { customGrant, memoryStore, type TokenSet } from 'tokenkeep';
import { virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { after, hourMs, observedStore, rejection, scriptedGrant, signedIn, transient, watched } from './support.js';

describe('expiry', () => {
  it('is counted from when the request was sent, so a slow answer shortens the life [E1, complaint 16]', async () => {
    const clock = virtualClock();
    const began = clock.now();
    const grant = scriptedGrant('regrant', after(5_000));
    const { tokens } = watched({ grant, clock });
    const first = tokens.getToken();
    await clock.advance(5_000);
    expect((await first).expiresAt).toBe(began + hourMs);
    await clock.advance(hourMs - 5_000 - 5_001);
    expect(tokens.peek()?.value).toBe('at-1');
    await clock.advance(1);
    expect(tokens.peek()).toBeUndefined();
  });

  it.each([
    [3600, 60],
    [60, 30],
    [2, 1],
  ])('of a token of %i s: renews behind the callers when %i s are left [E2]', async (lifetimeS, leftS) => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', { lifetimeMs: lifetimeS * 1000 });
    const { tokens } = watched({ grant, clock });
    await tokens.getToken();
    await clock.advance((lifetimeS - leftS) * 1000 - 1);
    await tokens.getToken();
    await clock.advance(0);
    expect(grant.requests).toHaveLength(1);
    await clock.advance(1);
    expect((await tokens.getToken()).value).toBe('at-1');
    await clock.advance(0);
    expect(grant.requests).toHaveLength(2);
    expect((await tokens.getToken()).value).toBe('at-2');
  });

  it('renews at most once per third of the lifetime where the skew is longer than the life [E2, gap 11, complaint 17]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', { lifetimeMs: 30_000 });
    const { tokens } = watched({ grant, clock, skewMs: 60_000 });
    for (let second = 0; second < 600; second++) {
      await tokens.getToken();
      await clock.advance(1_000);
    }
    expect(grant.requests.length).toBeGreaterThan(30);
    expect(grant.requests.length).toBeLessThanOrEqual(60);
  });

  it('bounds renewals and warns when the server returns the same token again, also when it is refused [gap 11, complaint 17]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', { accessToken: 'same', lifetimeMs: 30_000 });
    const { tokens, eventsOf } = watched({ grant, clock });
    let token = await tokens.getToken();
    for (let second = 0; second < 600; second++) {
      token = await tokens.getToken({ invalidToken: token });
      await clock.advance(1_000);
    }
    expect(grant.requests.length).toBeLessThanOrEqual(62);
    expect(eventsOf('warning').map((warning) => warning.code)).toContain('same_token_returned');
  });

  it('does not ask on every call when the server answers with what is left of the same token [complaint 17]', async () => {
    const clock = virtualClock();
    const endsAt = clock.now() + 200_000;
    const grant = scriptedGrant('regrant', async (_current, context) => ({ accessToken: 'same', lifetimeMs: Math.max(0, endsAt - context.clock.now()) }));
    const { tokens } = watched({ grant, clock, skewMs: 300_000 });
    for (let second = 0; second < 190; second++) {
      await tokens.getToken();
      await clock.advance(1_000);
    }
    expect(grant.requests.length).toBeLessThanOrEqual(8);
  });

  it('hides a server that is down until the hard limit, then fails with its transient error, and recovers [E3, complaint 4]', async () => {
    const clock = virtualClock();
    let up = true;
    const grant = scriptedGrant('regrant', async () => {
      if (!up) throw transient({ code: 'server_error' });
      return {};
    });
    const { tokens } = watched({ grant, clock });
    await tokens.getToken();
    up = false;
    await clock.advance(hourMs - 60_000);
    for (let left = 60_000; left > 5_000; left -= 1_000) {
      expect((await tokens.getToken()).value).toBe('at-1');
      await clock.advance(1_000);
    }
    expect(await rejection(tokens.getToken())).toMatchObject({ kind: 'transient', code: 'server_error' });
    up = true;
    await clock.advance(30_000);
    expect((await tokens.getToken()).value).not.toBe('at-1');
  });

  it('never hands out a token with two tenths of a second left [E3, peer P13]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock });
    await tokens.getToken();
    await clock.advance(hourMs - 200);
    expect((await tokens.getToken()).value).toBe('at-2');
  });

  it("takes a caller's wish for 10 h of a token of one hour as best effort, and does not loop [E3]", async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock });
    for (let call = 0; call < 100; call++) await tokens.getToken({ minValidMs: 10 * hourMs });
    expect(grant.requests).toHaveLength(1);
    await clock.advance(hourMs / 2 + 1);
    for (let call = 0; call < 100; call++) expect((await tokens.getToken({ minValidMs: 10 * hourMs })).value).toBe('at-2');
    expect(grant.requests).toHaveLength(2);
  });

  it('serves the token at hand when the wish for a longer one cannot be met [E3]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', {}, transient());
    const { tokens } = watched({ grant, clock });
    await tokens.getToken();
    await clock.advance(hourMs - 10 * 60_000);
    expect((await tokens.getToken({ minValidMs: 15 * 60_000 })).value).toBe('at-1');
    expect(grant.requests.length).toBeGreaterThan(1);
  });

  it.each([
    [0, 60_000],
    [0.5, 63_000],
    [1, 66_000],
  ])('starts earlier by a share of the skew that is drawn once per manager: %d of a tenth [E4]', async (random, leftMs) => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock }, random);
    await tokens.getToken();
    await clock.advance(hourMs - leftMs - 1);
    await tokens.getToken();
    await clock.advance(0);
    expect(grant.requests).toHaveLength(1);
    await clock.advance(1);
    await tokens.getToken();
    await clock.advance(0);
    expect(grant.requests).toHaveLength(2);
  });

  it('begins as early as was asked for, and a network that fails then takes no token that is valid [E4, R24, peer P11]', async () => {
    const { clock, server, store, tokens } = signedIn({ manager: { skewMs: 300_000 } });
    const token = await tokens.getToken();
    server.set({ connection: 'dropBeforeCommit' });
    await clock.advance(hourMs - 300_001);
    expect(await tokens.getToken()).toBe(token);
    expect(server.tokenRequests).toBe(1);
    await clock.advance(1);
    expect(await tokens.getToken()).toBe(token);
    await clock.advance(100_000);
    expect(server.requestsTo('token').length).toBeGreaterThan(1);
    expect(await tokens.getToken()).toBe(token);
    expect(store.record()).toMatchObject({ refreshToken: expect.any(String), tokens: [expect.objectContaining({ value: token.value })] });
  });

  it('spreads the renewals of a fleet [E4, gap 12]', async () => {
    const clock = virtualClock();
    const instants = new Set<number>();
    for (let instance = 0; instance < 100; instance++) {
      const { tokens } = watched({ grant: scriptedGrant('regrant'), clock }, instance / 100);
      await tokens.getToken();
      const { renewAt = 0, expiresAt = 0 } = tokens.snapshot();
      expect(expiresAt - renewAt).toBeGreaterThanOrEqual(60_000);
      expect(expiresAt - renewAt).toBeLessThanOrEqual(66_000);
      instants.add(renewAt);
    }
    expect(instants.size).toBe(100);
  });

  it('causes no request and no timer while nobody asks, subscribers or not [E5, X12]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock });
    tokens.subscribe(() => undefined);
    expect(clock.pending).toBe(0);
    await tokens.getToken();
    expect(clock.pending).toBe(0);
    await clock.advance(10 * hourMs);
    expect(grant.requests).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it.each([false, true])('serves a token of unknown lifetime until it is refused, without a timer, keepFresh: %s [E6]', async (keepFresh) => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', { lifetimeMs: undefined });
    const { tokens } = watched({ grant, clock, keepFresh });
    const first = await tokens.getToken();
    expect(first.expiresAt).toBeUndefined();
    expect(clock.pending).toBe(0);
    await clock.advance(24 * hourMs);
    expect((await tokens.getToken()).value).toBe('at-1');
    expect(tokens.snapshot()).toMatchObject({ status: 'ready', expiresAt: undefined, renewAt: undefined });
    expect(grant.requests).toHaveLength(1);
    expect((await tokens.getToken({ invalidToken: first })).value).toBe('at-2');
  });

  it('reuses a token that is dead on arrival for 5 s instead of asking per call [E7]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', { lifetimeMs: 0 });
    const { tokens } = watched({ grant, clock });
    for (let call = 0; call < 100; call++) {
      expect((await tokens.getToken()).value).toBe('at-1');
      await clock.advance(10);
    }
    expect(grant.requests).toHaveLength(1);
    await clock.advance(4_000);
    expect((await tokens.getToken()).value).toBe('at-2');
  });

  it('is not postponed when the wall clock is set back [E8, gap 10]', async () => {
    const clock = virtualClock();
    const { tokens } = watched({ grant: scriptedGrant('regrant'), clock });
    await tokens.getToken();
    clock.jumpWall(-hourMs);
    await clock.advance(hourMs);
    expect((await tokens.getToken()).value).toBe('at-2');
  });

  it('believes a wall clock that was set forward: one renewal, no loop [E8, gap 10]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock });
    await tokens.getToken();
    clock.jumpWall(24 * hourMs);
    for (let call = 0; call < 10; call++) expect((await tokens.getToken()).value).toBe('at-2');
    expect(grant.requests).toHaveLength(2);
  });

  it('is seen after the machine slept, with one request for all who wake up [E8, E9, complaint 5, gap 12]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock });
    await tokens.getToken();
    clock.suspend(2 * hourMs);
    expect(tokens.peek()).toBeUndefined();
    const answers = await Promise.all(Array.from({ length: 100 }, () => tokens.getToken()));
    expect(new Set(answers.map((token) => token.value))).toEqual(new Set(['at-2']));
    expect(grant.requests).toHaveLength(2);
  });

  it('never serves a dead token from a timer that slept too long [E9]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock, keepFresh: true });
    await tokens.getToken();
    clock.suspend(3 * hourMs);
    expect((await tokens.getToken()).value).toBe('at-2');
  });

  it("ages what a store holds by the store's own clock, however wrong ours is [E8]", async () => {
    const clock = virtualClock();
    const store = observedStore(clock);
    const writer = watched({ grant: scriptedGrant('regrant'), clock, store });
    await writer.tokens.getToken();
    await clock.advance(hourMs / 2);
    const wrong = virtualClock({ now: clock.now() + 24 * hourMs });
    const grant = scriptedGrant('regrant', { accessToken: 'from-the-server' });
    const reader = watched({ grant, clock: wrong, store });
    expect((await reader.tokens.getToken()).value).toBe('at-1');
    expect(grant.requests).toHaveLength(0);
    await wrong.advance(hourMs / 2 - 5_000);
    expect((await reader.tokens.getToken()).value).toBe('from-the-server');
  });

  it.each([
    ['an hour ago', -hourMs, 'from-the-server'],
    ['half an hour ago', -hourMs / 2, 'at-1'],
    ['half a minute ahead of our clock', 30_000, 'at-1'],
    ['more than a minute ahead of our clock', 61_000, 'from-the-server'],
  ])('takes wall time where the store has no clock: written %s [E8]', async (_when, shiftMs, served) => {
    const clock = virtualClock();
    const inner = memoryStore({ clock });
    const store = {
      ...inner,
      async get(key: string) {
        const stored = await inner.get(key);
        return stored && { value: stored.value, version: stored.version };
      },
    };
    const writer = watched({ grant: scriptedGrant('regrant'), clock: virtualClock({ now: clock.now() + shiftMs }), store });
    await writer.tokens.getToken();
    const reader = watched({ grant: scriptedGrant('regrant', { accessToken: 'from-the-server' }), clock, store });
    expect((await reader.tokens.getToken()).value).toBe(served);
  });

  it('announces each token, its window and its end once [E15]', async () => {
    const clock = virtualClock();
    let up = true;
    const grant = scriptedGrant('regrant', async () => {
      if (!up) throw transient();
      return {};
    });
    const { tokens, eventsOf } = watched({ grant, clock });
    await tokens.getToken();
    up = false;
    await clock.advance(hourMs - 60_000);
    for (let second = 0; second < 120; second++) {
      await tokens.getToken().catch(() => undefined);
      await clock.advance(1_000);
    }
    expect([eventsOf('token'), eventsOf('expiring'), eventsOf('expired')].map((events) => events.length)).toEqual([1, 1, 1]);
    up = true;
    await clock.advance(60_000);
    await tokens.getToken();
    expect([eventsOf('token'), eventsOf('expiring'), eventsOf('expired')].map((events) => events.length)).toEqual([2, 1, 1]);
  });

  it('does not look into a token whose lifetime is known: exp and iat count for nothing [E11, E12]', async () => {
    const clock = virtualClock();
    const claims = { iat: clock.now() / 1000 - 8_374, exp: clock.now() / 1000 + 100 * 3600 };
    const jwt = ['{"alg":"none"}', JSON.stringify(claims), 'sig'].map((part) => btoa(part).replaceAll('=', '')).join('.');
    const { tokens } = watched({ grant: customGrant(async () => ({ accessToken: jwt, expiresInMs: hourMs })), clock });
    expect((await tokens.getToken()).expiresAt).toBe(clock.now() + hourMs);
  });

  it('gives the token of a lifetime of 30 days one long sleep with keepFresh [E10]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', { lifetimeMs: 30 * 24 * hourMs });
    const { tokens } = watched({ grant, clock, keepFresh: true });
    await clock.advance(29 * 24 * hourMs);
    expect(grant.requests).toHaveLength(1);
    expect([clock.pending, clock.pendingIdle]).toEqual([1, 1]);
    await clock.advance(24 * hourMs);
    expect(grant.requests).toHaveLength(2);
    await tokens.dispose();
  });
});

describe('the token set', () => {
  it('is handed to the grant for the next renewal as it was', async () => {
    const clock = virtualClock();
    const began = clock.now();
    const grant = scriptedGrant('refreshToken', { refreshToken: 'rt-1', idToken: 'id-1', scope: ['a'], raw: { tenant: 't' } });
    const { tokens } = watched({ grant, clock });
    await tokens.getToken();
    await clock.advance(hourMs);
    await tokens.getToken();
    const expected: TokenSet = {
      accessToken: 'at-1',
      tokenType: 'Bearer',
      sentAt: began,
      lifetimeMs: hourMs,
      scope: ['a'],
      refreshToken: 'rt-1',
      idToken: 'id-1',
      raw: { tenant: 't' },
    };
    expect(grant.requests.map((request) => request.current)).toEqual([undefined, expected]);
  });
});
