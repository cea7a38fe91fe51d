import { type Grant, TokenError, type TokenSet, type TokenStore } from 'tokenkeep';
import { type VirtualClock, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { buildManager } from '../../../src/manager/kept-tokens.js';
import { renew } from '../../../src/manager/renew.js';
import { after, hourMs, observedStore, rejection, type Step, scriptedGrant, transient, type Watched, watched } from './support.js';

const brought = (name: string, sentAt: number): TokenSet => ({
  accessToken: `at-${name}`,
  tokenType: 'Bearer',
  sentAt,
  lifetimeMs: hourMs,
  scope: ['openid'],
  refreshToken: `rt-${name}`,
});

interface Scene {
  readonly clock: VirtualClock;
  readonly store: TokenStore;
  readonly grant: Grant;
  readonly kept: Watched;
}

function setUp(given?: TokenStore, ...script: readonly Step[]): Scene {
  const clock = virtualClock();
  const store = given ?? observedStore(clock);
  const grant = scriptedGrant('refreshToken', ...script);
  return { clock, store, grant, kept: watched({ grant, clock, store }) };
}

describe('a sign-in from outside', () => {
  it('puts its tokens in the place of what was kept, and serves them at once [A32, R26]', async () => {
    const { clock, kept } = setUp();
    await kept.signIn(brought('a', clock.now()));
    const first = kept.record().epoch;
    await kept.signIn(brought('b', clock.now()));
    expect((await kept.tokens.getToken()).value).toBe('at-b');
    expect(kept.record()).toMatchObject({ epoch: first + 1, refreshToken: 'rt-b', ended: undefined });
    expect(kept.eventsOf('signed_in')).toHaveLength(2);
  });

  it('heals a manager that had told its callers to sign in [R24]', async () => {
    const { clock, kept } = setUp(undefined, new TokenError('login_required', 'planned', { phase: 'token' }));
    expect(await rejection(kept.tokens.getToken())).toMatchObject({ code: 'login_required' });
    await kept.signIn(brought('a', clock.now()));
    expect((await kept.tokens.getToken()).value).toBe('at-a');
    expect(kept.tokens.snapshot()).toMatchObject({ status: 'ready', lastError: undefined });
  });

  it('heals after a sign-out, and is what another manager of the store finds [X10]', async () => {
    const { clock, store, grant, kept } = setUp();
    await kept.tokens.clear();
    await kept.signIn(brought('a', clock.now()));
    const other = watched({ grant, clock, store });
    expect((await other.tokens.getToken()).value).toBe('at-a');
  });

  it('after a sign-out is not lost with it, when the store took neither and somebody else has signed in [R26]', async () => {
    const { clock, store, grant, kept: other } = setUp();
    let isDown = false;
    const call = <T>(task: () => Promise<T>): Promise<T> => (isDown ? Promise.reject(new Error('the text of a driver')) : task());
    const flaky: TokenStore = { ...store, get: (key) => call(() => store.get(key)), set: (key, value, write) => call(() => store.set(key, value, write)) };
    const own = watched({ grant, clock, store: flaky });
    await own.recheck();
    await own.signIn(brought('a', clock.now()));
    isDown = true;
    await rejection(own.tokens.clear());
    await own.signIn(brought('b', clock.now()));
    await other.recheck();
    await other.signIn(brought('c', clock.now()));
    isDown = false;
    await own.recheck();
    await other.recheck();
    for (const each of [own, other]) expect(each.record()).toMatchObject({ refreshToken: 'rt-b', ended: undefined });
  });

  it('of another manager of the store ends what this one had failed at, for all targets [R24, X10]', async () => {
    const { clock, store, grant, kept } = setUp(undefined, { refreshToken: 'rt' }, new TokenError('interaction_required', 'planned', { phase: 'token' }), {});
    await kept.tokens.getToken();
    const reports = kept.tokens.for({ scope: 'reports' });
    expect(await rejection(reports.getToken())).toMatchObject({ code: 'interaction_required' });
    expect(await rejection(reports.getToken())).toMatchObject({ fromCache: true });
    await watched({ grant, clock, store }).signIn(brought('a', clock.now()));
    await kept.recheck();
    expect((await reports.getToken()).value).toBe('at-3');
  });

  it('that is refused disturbs nobody who waits for the session that stays [R25]', async () => {
    const { clock, kept } = setUp(undefined, after(1_000, { refreshToken: 'rt-2' }));
    await kept.signIn(brought('a', clock.now()));
    const asked = kept.tokens.getToken({ invalidToken: await kept.tokens.getToken() });
    await clock.advance(500);
    expect(await rejection(kept.signIn(brought('b', clock.now()), { refuses: () => true }))).toMatchObject({ code: 'session_changed' });
    await clock.advance(500);
    expect((await asked).value).toBe('at-1');
    expect(kept.record().refreshToken).toBe('rt-2');
  });

  it('loses nothing when the store cannot be written [R6, X25]', async () => {
    const { clock, kept } = setUp({
      get: () => Promise.resolve(undefined),
      set: () => Promise.reject(new Error('full')),
      delete: () => Promise.resolve(false),
    });
    await kept.signIn(brought('a', clock.now()));
    expect((await kept.tokens.getToken()).value).toBe('at-a');
    expect(kept.eventsOf('storage_error')).toHaveLength(1);
  });
});

describe('a sign-in that never reached the store', () => {
  /** A manager that reads the store and cannot write it, until told otherwise, and one that can. */
  async function setUpFull(): Promise<Scene & { readonly other: Watched; readonly full: { isFull: boolean } }> {
    const inner = observedStore(virtualClock());
    const full = { isFull: true };
    const scene = setUp({ ...inner, set: (...write) => (full.isFull ? Promise.reject(new Error('full')) : inner.set(...write)) });
    const { clock, grant } = scene;
    return { ...scene, full, other: watched({ grant, clock, store: inner }) };
  }

  it.each(['signed out', 'signed in as somebody else'])('yields to whoever has %s elsewhere since [R26, X10]', async (what) => {
    const { clock, kept, other } = await setUpFull();
    await other.signIn(brought('before', clock.now()));
    await kept.recheck();
    await kept.signIn(brought('a', clock.now()));
    await kept.recheck();
    expect((await kept.tokens.getToken()).value).toBe('at-a');
    if (what === 'signed out') await other.signOut();
    else await other.signIn(brought('b', clock.now()));
    await kept.recheck();
    const found = await kept.tokens.getToken().then(
      ({ value }) => value,
      ({ code }) => code,
    );
    expect(found).toBe(what === 'signed out' ? 'login_required' : 'at-b');
    expect(kept.eventsOf('session_ended')).toMatchObject(what === 'signed out' ? [{ reason: 'revoked', elsewhere: true }] : []);
  });

  it('stays where others only renewed what was there before, and is stored when there is room [R6, X25]', async () => {
    const { clock, store, grant, kept, other, full } = await setUpFull();
    await other.signIn(brought('before', clock.now()));
    await kept.recheck();
    await kept.signIn(brought('a', clock.now()));
    await other.tokens.getToken({ invalidToken: await other.tokens.getToken() });
    await kept.recheck();
    const token = await kept.tokens.getToken();
    expect(token.value).toBe('at-a');
    full.isFull = false;
    const { value } = await kept.tokens.getToken({ invalidToken: token });
    expect((await watched({ grant, clock, store }).tokens.getToken()).value).toBe(value);
  });

  it('stays where the store could not even be read when it came, and yields from its first read on [R26, X25]', async () => {
    const inner = observedStore(virtualClock());
    let isDown = true;
    const down = <T>(call: () => Promise<T>): Promise<T> => (isDown ? Promise.reject(new Error('down')) : call());
    const { clock, grant, kept } = setUp({ ...inner, get: (key) => down(() => inner.get(key)), set: () => Promise.reject(new Error('down')) });
    const other = watched({ grant, clock, store: inner });
    await other.signIn(brought('before', clock.now()));
    await other.signOut();
    await kept.signIn(brought('a', clock.now()));
    isDown = false;
    await kept.recheck();
    expect((await kept.tokens.getToken()).value).toBe('at-a');
    await other.signIn(brought('b', clock.now()));
    await kept.recheck();
    expect((await kept.tokens.getToken()).value).toBe('at-b');
  });
});

describe('a store that others write too', () => {
  it('is read again before anything is served, once, after a recheck [X11]', async () => {
    const { clock, store, grant, kept } = setUp();
    await kept.signIn(brought('a', clock.now()));
    const other = watched({ grant, clock, store });
    await other.tokens.getToken();
    await other.tokens.clear();
    expect((await kept.tokens.getToken()).value).toBe('at-a');
    await kept.recheck();
    expect(await rejection(kept.tokens.getToken())).toMatchObject({ code: 'login_required' });
    expect(kept.eventsOf('session_ended')).toMatchObject([{ reason: 'cleared' }]);
  });

  it('goes on with what is in memory when it cannot be read again', async () => {
    let fails = false;
    const inner = observedStore(virtualClock());
    const { clock, kept } = setUp({ ...inner, get: (key) => (fails ? Promise.reject(new Error('gone')) : inner.get(key)) });
    await kept.signIn(brought('a', clock.now()));
    await kept.tokens.getToken();
    fails = true;
    await kept.recheck();
    expect((await kept.tokens.getToken()).value).toBe('at-a');
  });

  it('does not send a service back to a server that is down when another process forgets its token [R24]', async () => {
    const clock = virtualClock();
    const store = observedStore(clock);
    const grant = scriptedGrant('regrant', transient());
    const kept = watched({ grant, clock, store });
    expect(await rejection(kept.tokens.getToken())).toMatchObject({ fromCache: false });
    await watched({ grant, clock, store }).tokens.clear();
    await kept.recheck();
    const sent = grant.requests.length;
    expect(await rejection(kept.tokens.getToken())).toMatchObject({ fromCache: true });
    expect(grant.requests.length).toBe(sent);
  });

  it('tells of a change, which is then known without anybody asking [X8, X10]', async () => {
    const listeners = new Set<() => void>();
    const inner = observedStore(virtualClock());
    const store: TokenStore = {
      ...inner,
      subscribe(_key, listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
    const { clock, grant, kept } = setUp(store);
    await kept.signIn(brought('a', clock.now()));
    await kept.recheck();
    const other = watched({ grant, clock, store: inner });
    await other.tokens.getToken();
    await other.tokens.clear();
    for (const listener of listeners) listener();
    await clock.advance(1);
    expect(kept.tokens.snapshot().status).toBe('ended');
    await kept.tokens.dispose();
    expect(listeners.size).toBe(0);
  });

  it('ends the session when it was cleared under our feet, where the store decides that [X24]', async () => {
    const clock = virtualClock();
    const inner = observedStore(clock);
    let names: readonly string[] = [];
    const store: TokenStore = {
      ...inner,
      set(key, value, write) {
        names = [key];
        return inner.set(key, value, write);
      },
    };
    const kept = buildManager({ grant: scriptedGrant('refreshToken'), clock, store }, { renew, endsWithStore: true });
    await kept.signIn(brought('a', clock.now()));
    for (const name of names) await store.delete(name, (await store.get(name))?.version ?? '');
    await kept.recheck();
    expect(await rejection(kept.tokens.getToken())).toMatchObject({ code: 'login_required' });
    expect(kept.tokens.explain()).toContainEqual(expect.objectContaining({ type: 'session_ended', reason: 'storage_cleared' }));
    await kept.signIn(brought('b', clock.now()));
    expect((await kept.tokens.getToken()).value).toBe('at-b');
  });
});
