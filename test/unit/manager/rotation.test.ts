import { customGrant, localLock, memoryStore, type TokenStore } from 'tokenkeep';
import { createAuthFetch } from 'tokenkeep/http';
import { fakeAuthorizationServer, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { after, hourMs, observedStore, rejection, scriptedGrant, sentRefreshTokens, signedIn, transient, watch, watched } from './support.js';

/** A store without a lock: what a process that died leaves to the next one. */
function abandoned(clock: ReturnType<typeof virtualClock>): ReturnType<typeof observedStore> {
  return observedStore(clock, { lock: false });
}

describe('a rotated refresh token', () => {
  it('is stored before anybody is answered [R6, complaint 12]', async () => {
    const { clock, server, store, tokens } = signedIn();
    store.beforeSet = () => clock.sleep(1_000);
    const first = tokens.getToken();
    const state = watch(first);
    await clock.advance(1_999);
    expect(server.tokenRequests).toBe(1);
    expect(state.settled).toBe(false);
    await clock.advance(1);
    expect(store.record()).toMatchObject({ tokens: [{ value: (await first).value }] });
    expect(server.isLiveRefreshToken(String(store.record()['refreshToken']))).toBe(true);
  });

  it('is used for the next renewal, and so on [R3, R6]', async () => {
    const { clock, server, tokens } = signedIn();
    for (let life = 0; life < 5; life++) {
      await tokens.getToken();
      await clock.advance(hourMs);
    }
    expect(new Set(sentRefreshTokens(server)).size).toBe(5);
    expect(server.stats.reuses).toBe(0);
  });

  it.each(['omit', 'same'] as const)(
    'is not needed: an answer with the refresh token left out or repeated keeps the one there is: %s [complaint 14, peer P14, peer P15, P21]',
    async (rotation) => {
      const { clock, server, store, tokens } = signedIn({ knobs: { rotation } });
      for (let life = 0; life < 3; life++) {
        await tokens.getToken();
        await clock.advance(hourMs);
      }
      expect(new Set(sentRefreshTokens(server)).size).toBe(1);
      expect(store.record()['epoch']).toBe(0);
    },
  );

  it('that cannot be stored is kept in memory, reported, used next, and stored when the store is back [R6, complaint 12]', async () => {
    const { clock, server, store, tokens, eventsOf } = signedIn();
    await tokens.getToken();
    store.beforeSet = () => Promise.reject(new Error('disk full'));
    await clock.advance(hourMs);
    const served = await tokens.getToken();
    expect(served.value).toBe(tokens.peek()?.value);
    expect(eventsOf('storage_error')[0]?.error).toMatchObject({ code: 'store_unavailable', kind: 'transient' });
    await clock.advance(hourMs);
    await tokens.getToken();
    expect(server.stats.reuses).toBe(0);
    store.beforeSet = undefined;
    await clock.advance(hourMs);
    await tokens.getToken();
    expect(server.stats.reuses).toBe(0);
    expect(server.isLiveRefreshToken(String(store.record()['refreshToken']))).toBe(true);
    expect(new Set(sentRefreshTokens(server)).size).toBe(4);
  });

  it('is not sent at all while a shared store cannot take the intent [R6, R14, gap 7]', async () => {
    const clock = virtualClock();
    const store = observedStore(clock, { shared: true });
    const { server, tokens } = signedIn({ clock, store });
    await tokens.getToken();
    store.beforeSet = () => Promise.reject(new Error('connection refused'));
    await clock.advance(hourMs);
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'store_unavailable', kind: 'transient' });
    expect(server.tokenRequests).toBe(1);
    store.beforeSet = undefined;
    await clock.advance(30_000);
    await tokens.getToken();
    expect(server.tokenRequests).toBe(2);
  });

  it('is stored over a foreign write that left the refresh token as it was [R6]', async () => {
    const { clock, server, store, tokens } = signedIn();
    await tokens.getToken();
    let disturbed = false;
    store.beforeSet = async (key, value) => {
      if (disturbed || JSON.parse(value).pending !== undefined) return;
      disturbed = true;
      // Somebody writes the record anew, with the same refresh token, between our read and our write.
      const stored = await store.get(key);
      await store.set(key, stored?.value ?? '', { expected: stored?.version, next: 'a-foreign-version' });
    };
    await clock.advance(hourMs);
    const token = await tokens.getToken();
    expect(disturbed).toBe(true);
    expect(store.record()).toMatchObject({ tokens: [{ value: token.value }] });
    expect(server.isLiveRefreshToken(String(store.record()['refreshToken']))).toBe(true);
  });

  it('of somebody else wins over a late answer: compare-and-swap is the fence [R6, X15, gap 5]', async () => {
    const clock = virtualClock();
    const store = abandoned(clock);
    const slow = watched({
      grant: scriptedGrant('refreshToken', { refreshToken: 'rt-1' }, after(10_000, { accessToken: 'slow', refreshToken: 'rt-slow' })),
      clock,
      store,
      lock: localLock({ clock }),
    });
    await slow.tokens.getToken();
    await clock.advance(hourMs);
    const late = slow.tokens.getToken();
    await clock.advance(1_000);
    const fast = watched({ grant: scriptedGrant('refreshToken', { accessToken: 'fast', refreshToken: 'rt-fast' }), clock, store, lock: localLock({ clock }) });
    expect((await fast.tokens.getToken()).value).toBe('fast');
    await clock.advance(10_000);
    expect((await late).value).toBe('fast');
    expect(store.record()).toMatchObject({ refreshToken: 'rt-fast', tokens: [{ value: 'fast' }] });
  });

  it('is not journalled where the server promises to keep it [R14]', async () => {
    const { clock, store, tokens } = signedIn({ knobs: { rotation: 'same' }, grant: { preset: { rotation: 'none' } } });
    const writes: string[] = [];
    store.beforeSet = async (_key, value) => void writes.push(value);
    await tokens.getToken();
    await clock.advance(hourMs);
    await tokens.getToken();
    expect(writes).toHaveLength(2);
    expect(writes.join()).not.toContain('pending');
  });

  it('ends the old access token at some servers: a call in flight gets its 200 without a second renewal [R29]', async () => {
    const { clock, server, tokens } = signedIn({ knobs: { refreshEndsAccessTokens: true, apiLatencyMs: 500 } });
    await tokens.getToken();
    await clock.advance(hourMs - 60_000);
    const api = createAuthFetch(tokens, { allow: ['https://api.test'], fetch: server.fetch, clock });
    // Starts the renewal behind the callers, and reaches the API with the old token after it.
    const call = api('https://api.test/things');
    await clock.advance(2_000);
    expect((await call).status).toBe(200);
    expect(server.tokenRequests).toBe(2);
  });
});

describe('two managers on one store', () => {
  it('send one request, and the other adopts [R5, X1, gap 5, complaint 1]', async () => {
    const one = signedIn({ knobs: { latencyAfterMs: 500 } });
    const other = watched({ grant: one.grant, store: one.store, clock: one.clock });
    for (let life = 0; life < 3; life++) {
      const both = Promise.all([one.tokens.getToken(), other.tokens.getToken()]);
      await one.clock.advance(2_000);
      const [a, b] = await both;
      expect(a.value).toBe(b.value);
      expect(one.server.tokenRequests).toBe(life + 1);
      await one.clock.advance(hourMs);
    }
    expect(one.server.stats).toMatchObject({ reuses: 0, parallelRefreshes: 1 });
    expect(other.eventsOf('token').map((event) => event.source)).toContain('store');
  });

  it('that are refused the same token send one request [R4, R5, gap 5, peer P16]', async () => {
    const one = signedIn();
    const other = watched({ grant: one.grant, store: one.store, clock: one.clock });
    const [a, b] = await Promise.all([one.tokens.getToken(), other.tokens.getToken()]);
    const [nextA, nextB] = await Promise.all([one.tokens.getToken({ invalidToken: a }), other.tokens.getToken({ invalidToken: b })]);
    expect(nextA.value).toBe(nextB.value);
    expect(one.server.tokenRequests).toBe(2);
  });

  it('wait for a holder that needs eight seconds, all ten of them: one request, and nobody fails at five [X4, gap 4, peer P10]', async () => {
    const one = signedIn({ knobs: { latencyAfterMs: 8_000 } });
    const others = Array.from({ length: 9 }, () => watched({ grant: one.grant, store: one.store, clock: one.clock }));
    const all = Promise.all([one, ...others].map(({ tokens }) => tokens.getToken()));
    await one.clock.advance(9_000);
    expect(new Set((await all).map(({ value }) => value)).size).toBe(1);
    expect(one.server.tokenRequests).toBe(1);
  });

  it('recover when one holds a refresh token that the other replaced: before a grant is dead the store is read again [R9, complaint 3, peer P16]', async () => {
    const clock = virtualClock();
    const store = abandoned(clock);
    const stale = signedIn({ clock, store, knobs: { reuseRevokes: 'token' }, manager: { lock: localLock({ clock }) } });
    const fresh = watched({ grant: stale.grant, store, clock, lock: localLock({ clock }) });
    await stale.tokens.getToken();
    await clock.advance(hourMs);
    // Both are sent the same refresh token: nothing excludes these two.
    stale.server.set({ latencyBeforeMs: 1_000 });
    const late = stale.tokens.getToken();
    await clock.advance(500);
    stale.server.set({ latencyBeforeMs: 0 });
    const adopted = await fresh.tokens.getToken();
    await clock.advance(1_000);
    expect((await late).value).toBe(adopted.value);
    expect(stale.eventsOf('session_ended')).toEqual([]);
    expect(stale.server.isLiveRefreshToken(String(store.record()['refreshToken']))).toBe(true);
  });
});

describe('a lost answer', () => {
  it('is healed by sending the same refresh token once more, where the server has a grace window [R8]', async () => {
    const { server, tokens, clock } = signedIn({ knobs: { graceMs: 60_000 } });
    server.forNext(1, { connection: 'dropAfterCommit' });
    const token = tokens.getToken();
    await clock.advance(1_000);
    await token;
    const [first, second, ...more] = sentRefreshTokens(server);
    expect(first).toBe(second);
    expect(more).toEqual([]);
    expect(server.stats.reuses).toBe(0);
  });

  it('is called rotation_lost where it has none [R8, R14]', async () => {
    const { server, tokens, eventsOf, store } = signedIn();
    server.forNext(1, { connection: 'dropAfterCommit' });
    expect(await rejection(tokens.getToken())).toMatchObject({ kind: 'interaction', code: 'rotation_lost', oauthError: 'invalid_grant' });
    expect(server.tokenRequests).toBe(2);
    expect(eventsOf('session_ended').map((event) => event.reason)).toEqual(['rotation_lost']);
    expect(store.record()).toMatchObject({ ended: 'rotation_lost', epoch: 0 });
  });

  it('to a server that is merely slow is no reason to send the refresh token again [R20, R8]', async () => {
    const { clock, server, tokens } = signedIn({ knobs: { latencyAfterMs: 19_000 } });
    const token = tokens.getToken();
    await clock.advance(19_000);
    await token;
    expect(server.tokenRequests).toBe(1);
  });

  it('of a renewal behind the callers is followed up at once, while grace windows are open [R8]', async () => {
    const { clock, server, tokens } = signedIn({ knobs: { graceMs: 60_000 } });
    const first = await tokens.getToken();
    await clock.advance(hourMs - 60_000);
    server.forNext(1, { connection: 'dropAfterCommit' });
    expect((await tokens.getToken()).value).toBe(first.value);
    await clock.advance(2_000);
    expect((await tokens.getToken()).value).not.toBe(first.value);
    expect(server.tokenRequests).toBe(3);
  });
});

describe('a process that dies after it sent a refresh token', () => {
  it.each([
    ['inside the grace window', 60_000, 'goes on'],
    ['outside of it', 0, 'rotation_lost'],
  ])('and is started again within 60 s renews at once: %s [R14, gap 7, complaint 23]', async (_where, graceMs, ending) => {
    const clock = virtualClock();
    const store = abandoned(clock);
    const dead = signedIn({ clock, store, knobs: { graceMs }, manager: { lock: localLock({ clock }) } });
    await dead.tokens.getToken();
    await clock.advance(hourMs - 60_000);
    dead.server.forNext(1, { connection: 'hangAfterCommit' });
    await dead.tokens.getToken();
    await clock.advance(1_000);
    expect(store.record()).toMatchObject({ pending: { sent: expect.any(String) } });
    dead.server.clearRequests();

    const next = watched({ grant: dead.grant, store, clock, lock: localLock({ clock }) });
    // The stored token still serves; the renewal is not waited for.
    await next.tokens.getToken();
    await clock.advance(0);
    expect(dead.server.tokenRequests).toBe(1);
    if (ending === 'goes on') {
      expect(store.record()['pending']).toBeUndefined();
      expect(dead.server.isLiveRefreshToken(String(store.record()['refreshToken']))).toBe(true);
    } else expect(next.eventsOf('session_ended').map((event) => event.reason)).toEqual(['rotation_lost']);
  });

  it('and is started again within 60 s renews at once, even if no token is due yet [R14, gap 7]', async () => {
    const clock = virtualClock();
    const store = abandoned(clock);
    const dead = signedIn({ clock, store, knobs: { graceMs: 60_000 }, manager: { lock: localLock({ clock }) } });
    const first = await dead.tokens.getToken();
    dead.server.forNext(1, { connection: 'hangAfterCommit' });
    // Another API's token was wanted: the manager's own is fresh.
    const hung = dead.tokens.for({ audience: 'other' }).getToken();
    hung.catch(() => undefined);
    await clock.advance(1_000);
    dead.server.clearRequests();

    const next = watched({ grant: dead.grant, store, clock, lock: localLock({ clock }) });
    expect((await next.tokens.getToken()).value).toBe(first.value);
    await clock.advance(0);
    expect(dead.server.tokenRequests).toBe(1);
    expect(store.record()['pending']).toBeUndefined();
    expect(dead.server.isLiveRefreshToken(String(store.record()['refreshToken']))).toBe(true);
  });

  it('and is started again after 60 s renews at the next need, and says what was lost [R14, gap 7]', async () => {
    const clock = virtualClock();
    const store = abandoned(clock);
    const dead = signedIn({ clock, store, manager: { lock: localLock({ clock }) } });
    const first = await dead.tokens.getToken();
    dead.server.set({ connection: 'hangAfterCommit' });
    const hung = dead.tokens.getToken({ invalidToken: first });
    hung.catch(() => undefined);
    await clock.advance(1_000);
    // From here on its process is gone: what it would do later reaches neither server nor store.
    store.beforeSet = () => new Promise(() => undefined);
    await clock.advance(60_000);
    store.beforeSet = undefined;
    dead.server.set({ connection: 'normal' });
    dead.server.clearRequests();

    const next = watched({ grant: dead.grant, store, clock, lock: localLock({ clock }) });
    expect((await next.tokens.getToken()).value).toBe(first.value);
    await clock.advance(0);
    expect(dead.server.tokenRequests).toBe(0);
    expect(await rejection(next.tokens.getToken({ invalidToken: first }))).toMatchObject({ code: 'rotation_lost' });
    expect(dead.server.tokenRequests).toBe(1);
  });

  it('before the server took it loses nothing [R14, gap 7]', async () => {
    const clock = virtualClock();
    const store = abandoned(clock);
    const dead = signedIn({ clock, store, manager: { lock: localLock({ clock }) } });
    await dead.tokens.getToken();
    await clock.advance(hourMs);
    dead.server.set({ connection: 'hangBeforeCommit' });
    const hung = dead.tokens.getToken();
    hung.catch(() => undefined);
    await clock.advance(1_000);
    dead.server.set({ connection: 'normal' });
    const next = watched({ grant: dead.grant, store, clock, lock: localLock({ clock }) });
    await next.tokens.getToken();
    expect(next.eventsOf('session_ended')).toEqual([]);
    expect(dead.server.stats.reuses).toBe(0);
  });
});

describe('a dead grant', () => {
  it('keeps serving the access token until its hard limit, and ends once [R9]', async () => {
    const { clock, server, tokens, eventsOf, store } = signedIn();
    const token = await tokens.getToken();
    server.revokeGrant(String(store.record()['refreshToken']));
    await clock.advance(hourMs - 60_000);
    for (let left = 60_000; left > 5_000; left -= 1_000) {
      expect((await tokens.getToken()).value).toBe(token.value);
      await clock.advance(1_000);
    }
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'grant_revoked', kind: 'interaction' });
    expect(server.tokenRequests).toBe(2);
    expect(eventsOf('session_ended').map((event) => event.reason)).toEqual(['grant_revoked']);
    expect(store.record()).toMatchObject({ ended: 'grant_revoked', epoch: 0 });
    expect(store.record()['refreshToken']).toBeUndefined();
    expect(tokens.snapshot()).toMatchObject({ status: 'ended', lastError: { code: 'grant_revoked' } });
  });

  it('does not serve the access token that was refused [R9]', async () => {
    const { server, tokens, store } = signedIn();
    const token = await tokens.getToken();
    server.revokeGrant(String(store.record()['refreshToken']));
    expect(await rejection(tokens.getToken({ invalidToken: token }))).toMatchObject({ code: 'grant_revoked' });
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'grant_revoked' });
    expect(tokens.peek()).toBeUndefined();
  });

  it('is dead for the next process, too, which sends nothing [R9]', async () => {
    const { clock, server, store, grant, tokens } = signedIn({ knobs: { error: 'invalid_grant' } });
    await rejection(tokens.getToken());
    const next = watched({ grant, store, clock });
    expect(await rejection(next.tokens.getToken())).toMatchObject({ kind: 'interaction', code: 'grant_revoked' });
    expect(server.tokenRequests).toBe(1);
  });

  it('with a hundred callers is found out by one request [R9, complaint 7]', async () => {
    const { server, tokens } = signedIn({ knobs: { error: 'invalid_grant' } });
    const errors = await Promise.all(Array.from({ length: 100 }, () => rejection(tokens.getToken())));
    expect(new Set(errors.map((error) => error.code))).toEqual(new Set(['grant_revoked']));
    expect(server.tokenRequests).toBe(1);
  });
});

describe('a sign-out during a renewal', () => {
  it('wins: nothing of the renewal is stored, its tokens are revoked, its callers hear session_changed [R26, gap 20]', async () => {
    const { clock, server, store, tokens } = signedIn({ knobs: { latencyAfterMs: 2_000 } });
    const waiting = rejection(tokens.getToken());
    await clock.advance(1_000);
    await tokens.clear();
    await clock.advance(1_000);
    expect(await waiting).toMatchObject({ code: 'session_changed', kind: 'interaction' });
    expect(store.record()).toMatchObject({ epoch: 1, ended: 'cleared', tokens: [] });
    expect(store.record()['refreshToken']).toBeUndefined();
    expect(server.requestsTo('revocation').length).toBeGreaterThan(0);
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'login_required', kind: 'interaction' });
    expect(server.tokenRequests).toBe(1);
  });

  it('in another manager on the same store wins, too [R26, X10]', async () => {
    const { clock, store, grant, tokens } = signedIn({ knobs: { latencyAfterMs: 2_000 } });
    const other = watched({ grant, store, clock });
    const waiting = rejection(tokens.getToken());
    await clock.advance(1_000);
    const cleared = other.tokens.clear();
    await clock.advance(1_000);
    await cleared;
    expect(await waiting).toMatchObject({ code: 'session_changed' });
    expect(store.record()).toMatchObject({ epoch: 1, ended: 'cleared', tokens: [] });
  });

  it('while the result is being written wins, too [R26]', async () => {
    const { clock, store, tokens } = signedIn();
    store.beforeSet = async (_key, value) => {
      if (JSON.parse(value).tokens.length > 0) await clock.sleep(1_000);
    };
    const waiting = rejection(tokens.getToken());
    await clock.advance(500);
    const cleared = tokens.clear();
    await clock.advance(3_000);
    await cleared;
    expect(await waiting).toMatchObject({ code: 'session_changed' });
    expect(store.record()).toMatchObject({ ended: 'cleared', tokens: [] });
    expect(tokens.peek()).toBeUndefined();
  });
});

describe('revoke()', () => {
  it('forgets here first, then tells the server [R27]', async () => {
    const { server, store, tokens } = signedIn();
    await tokens.getToken();
    const { refreshToken } = store.record();
    const revoking = tokens.revoke();
    expect(tokens.peek()).toBeUndefined();
    await revoking;
    expect(store.record()).toMatchObject({ epoch: 1, ended: 'revoked', tokens: [] });
    expect(server.requestsTo('revocation')[0]?.params.get('token')).toBe(refreshToken);
    expect(server.isLiveRefreshToken(String(refreshToken))).toBe(false);
  });

  it('leaves the tokens forgotten when the revocation endpoint is down, and says so [R27]', async () => {
    const { clock, store, tokens } = signedIn({ knobs: { revocationAnswer: { status: 503 } } });
    await tokens.getToken();
    const revoking = rejection(tokens.revoke());
    await clock.advance(10_000);
    expect((await revoking).phase).toBe('revocation');
    expect(store.record()).toMatchObject({ ended: 'revoked', tokens: [] });
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'login_required' });
  });

  it('revokes the tokens of all targets of one grant', async () => {
    const { server, store, tokens } = signedIn({ grant: { scope: 'a b' } });
    const values = [await tokens.getToken(), await tokens.for({ audience: 'x' }).getToken(), await tokens.for({ audience: 'y' }).getToken()].map(
      (token) => token.value,
    );
    const { refreshToken } = store.record();
    await tokens.revoke();
    expect(new Set(server.requestsTo('revocation').map((request) => request.params.get('token')))).toEqual(new Set([refreshToken, ...values]));
  });
});

describe('a grant without refresh token', () => {
  it('is made again by the same rules, and a refresh token in its answer is dropped [R28]', async () => {
    const clock = virtualClock();
    const store = observedStore(clock);
    const grant = scriptedGrant('regrant', { refreshToken: 'rt-that-should-not-be' });
    const { tokens } = watched({ grant, clock, store });
    await tokens.getToken();
    await clock.advance(hourMs);
    await tokens.getToken();
    expect(grant.requests).toHaveLength(2);
    expect([...store.contents.values()].join()).not.toContain('rt-that-should-not-be');
    expect(grant.requests[1]?.current?.refreshToken).toBeUndefined();
  });

  it('is asked for again after clear(), since nobody has to sign in', async () => {
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock: virtualClock() });
    await tokens.getToken();
    await tokens.clear();
    expect(tokens.peek()).toBeUndefined();
    expect((await tokens.getToken()).value).toBe('at-2');
  });

  it('goes on from memory when the store is down, without a request per call [R6, complaint 27]', async () => {
    const clock = virtualClock();
    const store = observedStore(clock);
    store.beforeGet = () => Promise.reject(new Error('ECONNREFUSED'));
    store.beforeSet = () => Promise.reject(new Error('ECONNREFUSED'));
    const grant = scriptedGrant('regrant');
    const { tokens, eventsOf } = watched({ grant, clock, store });
    for (let call = 0; call < 10; call++) expect((await tokens.getToken()).value).toBe('at-1');
    expect(grant.requests).toHaveLength(1);
    expect(eventsOf('storage_error').length).toBeGreaterThan(0);
  });

  it('goes on from memory when the store hangs, after 5 s per call of it', async () => {
    const clock = virtualClock();
    const store = observedStore(clock);
    store.beforeGet = () => new Promise(() => undefined);
    const { tokens } = watched({ grant: scriptedGrant('regrant'), clock, store });
    const first = tokens.getToken();
    await clock.advance(10_000);
    expect((await first).value).toBe('at-1');
  });
});

describe('the lock', () => {
  const failing = { run: () => Promise.reject(new Error('redis is down')) };

  it('that is unavailable stops a rotating grant once its access token is spent, and no sooner [X18]', async () => {
    const clock = virtualClock();
    const { store, grant, server, tokens: writer } = signedIn({ clock });
    const token = await writer.getToken();
    const { tokens } = watched({ grant, store, clock, lock: failing });
    expect((await tokens.getToken()).value).toBe(token.value);
    await clock.advance(hourMs);
    expect(await rejection(tokens.getToken())).toMatchObject({ kind: 'transient', phase: 'lock' });
    expect(server.tokenRequests).toBe(1);
  });

  it('that is unavailable does not stop a grant that has no refresh token to lose [X18]', async () => {
    const { tokens } = watched({ grant: scriptedGrant('regrant'), clock: virtualClock(), lock: failing });
    expect((await tokens.getToken()).value).toBe('at-1');
  });

  it('that was lost before the request is sent prevents it [X15]', async () => {
    const clock = virtualClock();
    const lost = { run: <T>(_name: string, task: (held: AbortSignal) => Promise<T>) => task(AbortSignal.abort()) };
    const grant = scriptedGrant('refreshToken');
    const { tokens } = watched({ grant, clock, lock: lost });
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'lock_lost', kind: 'transient' });
    expect(grant.requests).toHaveLength(0);
  });

  it('that a frozen holder keeps ends in lock_timeout, after one more look at the store [X4, X5, gap 4]', async () => {
    const { clock, store, server, tokens } = signedIn();
    const token = await tokens.getToken();
    const [name = ''] = store.contents.keys();
    store.lock?.run(name, () => new Promise(() => undefined), { waitMs: 0 }).catch(() => undefined);
    const failed = rejection(tokens.getToken({ invalidToken: token }));
    await clock.advance(40_000);
    expect(await failed).toMatchObject({ kind: 'transient', code: 'lock_timeout' });
    expect(server.tokenRequests).toBe(1);
  });

  it('whose holder stored a token without letting go gives that token to those who waited [X4]', async () => {
    const clock = virtualClock();
    const { store, grant, server, tokens } = signedIn({ clock });
    const token = await tokens.getToken();
    const [name = ''] = store.contents.keys();
    store.lock?.run(name, () => new Promise(() => undefined), { waitMs: 0 }).catch(() => undefined);
    const waiting = tokens.getToken({ invalidToken: token });
    await clock.advance(1_000);
    const holder = watched({ grant, store, clock, lock: localLock({ clock }) });
    const next = await holder.tokens.getToken({ invalidToken: token });
    await clock.advance(40_000);
    expect((await waiting).value).toBe(next.value);
    expect(server.tokenRequests).toBe(2);
  });

  it('is held for 40 s at most, whatever hangs [X5]', async () => {
    const clock = virtualClock();
    const { store, server, tokens } = signedIn({ clock });
    const inner = store.lock;
    const heldMs: number[] = [];
    const lock = {
      run: <T>(name: string, task: (held: AbortSignal) => Promise<T>, options: { waitMs: number }): Promise<T> =>
        (inner ?? localLock({ clock })).run(
          name,
          async (held) => {
            const since = clock.now();
            return task(held).finally(() => heldMs.push(clock.now() - since));
          },
          options,
        ),
    };
    await tokens.getToken();
    const { grant } = signedIn({ clock });
    const hanging = watched({ grant: { ...grant, request: () => new Promise(() => undefined) }, store, clock, lock });
    store.beforeGet = () => new Promise(() => undefined);
    store.beforeSet = () => new Promise(() => undefined);
    server.set({ connection: 'hangBeforeCommit' });
    const failed = rejection(hanging.tokens.getToken());
    await clock.advance(60_000);
    await failed;
    for (const ms of heldMs) expect(ms).toBeLessThanOrEqual(40_000);
  });

  it('that is busy is not waited for behind the callers [X4]', async () => {
    const { clock, store, server, tokens } = signedIn();
    const token = await tokens.getToken();
    const [name = ''] = store.contents.keys();
    let release = (): void => undefined;
    const busy = store.lock?.run(name, () => new Promise<void>((resolve) => (release = resolve)), { waitMs: 0 });
    await clock.advance(hourMs - 60_000);
    expect((await tokens.getToken()).value).toBe(token.value);
    await clock.advance(0);
    expect(clock.pending).toBe(0);
    expect(server.tokenRequests).toBe(1);
    release();
    await busy;
    await clock.advance(1_000);
    await tokens.getToken();
    await clock.advance(0);
    expect(server.tokenRequests).toBe(2);
  });

  it('must be shared where the store is', () => {
    const clock = virtualClock();
    const store: TokenStore = { ...memoryStore({ clock }), shared: true };
    expect(() => watched({ grant: scriptedGrant('regrant'), store, clock })).toThrow(expect.objectContaining({ code: 'invalid_option' }));
  });
});

describe('a record that this version cannot read', () => {
  async function withRecord(
    renews: 'regrant' | 'refreshToken',
    change: (value: string) => string,
  ): Promise<{ store: ReturnType<typeof observedStore>; changed: string; clock: ReturnType<typeof virtualClock>; grant: ReturnType<typeof scriptedGrant> }> {
    const clock = virtualClock();
    const store = observedStore(clock);
    const writer = watched({ grant: scriptedGrant(renews, { refreshToken: 'rt-1' }), clock, store });
    await writer.tokens.getToken();
    const [key = ''] = store.contents.keys();
    const stored = await store.get(key);
    const changed = change(stored?.value ?? '');
    await store.set(key, changed, { expected: stored?.version, next: 'changed' });
    return { store, changed, clock, grant: scriptedGrant(renews, { accessToken: 'from-the-server' }) };
  }

  const newer = (value: string): string => JSON.stringify({ ...JSON.parse(value), v: 2, something: 'new' });

  it('because a newer version wrote it, is never overwritten; a service goes on from memory with one request [X26]', async () => {
    const { store, changed, clock, grant } = await withRecord('regrant', newer);
    const { tokens, eventsOf } = watched({ grant, clock, store });
    for (let call = 0; call < 5; call++) expect((await tokens.getToken()).value).toBe('from-the-server');
    expect(grant.requests).toHaveLength(1);
    expect([...store.contents.values()]).toEqual([changed]);
    expect(eventsOf('storage_error').length).toBeGreaterThan(0);
  });

  it('because a newer version wrote it, is never overwritten; a refresh token that may be spent is not sent [X26]', async () => {
    const { store, changed, clock, grant } = await withRecord('refreshToken', newer);
    const { tokens } = watched({ grant, clock, store });
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'store_unavailable', kind: 'transient' });
    expect(grant.requests).toHaveLength(0);
    expect([...store.contents.values()]).toEqual([changed]);
  });

  it.each([
    ['no JSON', () => 'garbage{'],
    ['no record', () => '[]'],
    ['without an epoch', (value: string) => JSON.stringify({ ...JSON.parse(value), epoch: 'x' })],
  ])('because it is %s, counts as absent and is replaced', async (_what, change) => {
    const { store, clock, grant } = await withRecord('regrant', change);
    const { tokens, eventsOf } = watched({ grant, clock, store });
    expect((await tokens.getToken()).value).toBe('from-the-server');
    expect(eventsOf('warning').map((event) => event.code)).toContain('record_unreadable');
    expect(store.record()).toMatchObject({ tokens: [{ value: 'from-the-server' }] });
  });
});

describe('the first token of a custom grant', () => {
  it('that has expired in the store is a normal state: the refresh token in the same record is used [complaint 25]', async () => {
    const clock = virtualClock();
    const store = observedStore(clock);
    const seen: (string | undefined)[] = [];
    const make = (): ReturnType<typeof customGrant> =>
      customGrant(
        async (current) => {
          seen.push(current?.refreshToken);
          return { accessToken: `at-${seen.length}`, refreshToken: `rt-${seen.length}`, expiresInMs: hourMs };
        },
        { id: 'mine', renews: 'refreshToken' },
      );
    await watched({ grant: make(), clock, store }).tokens.getToken();
    await clock.advance(24 * hourMs);
    expect((await watched({ grant: make(), clock, store }).tokens.getToken()).value).toBe('at-2');
    expect(seen).toEqual([undefined, 'rt-1']);
  });
});

describe('the fake server agrees', () => {
  it('that a manager never sends one refresh token twice at a time, nor a spent one [R3]', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, knobs: { latencyAfterMs: 300 } });
    const { tokens } = signedIn({
      clock,
      grant: { server: server.metadata, fetch: server.fetch, refreshToken: server.issueRefreshToken({ clientId: 'app' }) },
    });
    const waits: Promise<unknown>[] = [];
    for (let call = 0; call < 60; call++) {
      waits.push(tokens.for({ audience: `api-${call % 5}` }).getToken());
      await clock.advance(150);
    }
    await clock.advance(5_000);
    await Promise.all(waits);
    expect(server.stats).toMatchObject({ parallelRefreshes: 1, reuses: 0 });
    expect(server.tokenRequests).toBe(5);
  });

  it('that a failing renewal of one target leaves the tokens of the others alone [R10]', async () => {
    const grant = scriptedGrant('refreshToken', { refreshToken: 'rt-1' }, { refreshToken: 'rt-2' }, transient());
    const clock = virtualClock();
    const { tokens } = watched({ grant, clock });
    await tokens.getToken();
    const b = await tokens.for({ audience: 'b' }).getToken();
    const failed = rejection(tokens.for({ audience: 'c' }).getToken());
    await clock.advance(1_000);
    await failed;
    expect(tokens.peek()?.value).toBe('at-1');
    expect(await tokens.for({ audience: 'b' }).getToken()).toBe(b);
  });
});
