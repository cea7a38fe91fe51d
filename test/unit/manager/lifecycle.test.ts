import { createTokenManager, memoryStore, staticToken, type TokenSnapshot } from 'tokenkeep';
import { virtualClock } from 'tokenkeep/testing';
import { describe, expect, it, vi } from 'vitest';
import { after, hourMs, observedStore, rejection, scriptedGrant, signedIn, transient, watch, watched } from './support.js';

describe('snapshot() and subscribe()', () => {
  it('gives the same object until something changes, and another one at each change', async () => {
    const clock = virtualClock();
    const { tokens } = watched({ grant: scriptedGrant('regrant', after(100), transient()), clock });
    const seen: TokenSnapshot[] = [tokens.snapshot()];
    tokens.subscribe(() => {
      if (seen.at(-1) !== tokens.snapshot()) seen.push(tokens.snapshot());
    });
    expect(tokens.snapshot()).toBe(tokens.snapshot());
    const first = tokens.getToken();
    await clock.advance(100);
    await first;
    expect(tokens.snapshot()).toBe(seen.at(-1));
    expect(seen.map((snapshot) => snapshot.status)).toEqual(['empty', 'renewing', 'ready']);
    const { expiresAt = 0, renewAt, lastError } = tokens.snapshot();
    expect([expiresAt - clock.now(), renewAt, lastError]).toEqual([hourMs - 100, expiresAt - 60_000, undefined]);

    for (let call = 0; call < 100; call++) await tokens.getToken();
    expect(seen).toHaveLength(3);

    await clock.advance(hourMs);
    await rejection(tokens.getToken());
    expect(seen.slice(3).map((snapshot) => snapshot.status)).toEqual(['renewing', 'failed']);
    expect(tokens.snapshot().lastError).toMatchObject({ code: 'network_error' });
    await tokens.clear();
    expect(tokens.snapshot()).toMatchObject({ status: 'empty', expiresAt: undefined });
    await tokens.dispose();
    expect(tokens.snapshot().status).toBe('disposed');
    expect(Object.isFrozen(tokens.snapshot())).toBe(true);
  });

  it('forgets the last error once a renewal succeeded', async () => {
    const clock = virtualClock();
    const { tokens } = watched({ grant: scriptedGrant('regrant', transient(), transient(), transient(), {}), clock });
    await rejection(tokens.getToken());
    expect(tokens.snapshot().lastError).toBeDefined();
    await clock.advance(1_000);
    await tokens.getToken();
    expect(tokens.snapshot()).toMatchObject({ status: 'ready', lastError: undefined });
  });

  it('says ended when only a sign-in helps', async () => {
    const { tokens } = signedIn({ knobs: { error: 'invalid_grant' } });
    await rejection(tokens.getToken());
    expect(tokens.snapshot()).toMatchObject({ status: 'ended', lastError: { code: 'grant_revoked' } });
  });

  it('tells one function as often as it was subscribed, until each is undone', async () => {
    const { tokens } = watched({ grant: scriptedGrant('regrant'), clock: virtualClock() });
    const listener = vi.fn();
    const undoFirst = tokens.subscribe(listener);
    const undoSecond = tokens.subscribe(listener);
    await tokens.getToken();
    const both = listener.mock.calls.length;
    expect(both).toBeGreaterThan(0);
    undoFirst();
    undoFirst();
    listener.mockClear();
    await tokens.clear();
    expect(listener).toHaveBeenCalled();
    undoSecond();
    listener.mockClear();
    await tokens.getToken();
    expect(listener).not.toHaveBeenCalled();
  });

  it('goes on telling the others when one listener throws, and writes that down [S20]', async () => {
    const { tokens, eventsOf } = watched({ grant: scriptedGrant('regrant'), clock: virtualClock() });
    const heard = vi.fn();
    tokens.subscribe(() => {
      throw new Error('broken listener');
    });
    tokens.subscribe(heard);
    await tokens.getToken();
    await Promise.resolve();
    expect(heard).toHaveBeenCalled();
    expect(eventsOf('warning').map((event) => event.code)).toContain('listener_failed');
  });

  it('lets a listener ask for a token [S20, complaint 2]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock });
    const answers: Promise<unknown>[] = [];
    tokens.subscribe(() => {
      if (answers.length < 10) answers.push(tokens.getToken());
    });
    await tokens.getToken();
    await Promise.all(answers);
    expect(answers.length).toBeGreaterThan(1);
    expect(grant.requests).toHaveLength(1);
  });
});

describe('onEvent', () => {
  it('that throws hurts nobody and is written down [S20]', async () => {
    const clock = virtualClock();
    const tokens = createTokenManager({
      grant: scriptedGrant('regrant'),
      clock,
      onEvent: () => {
        throw new Error('broken handler');
      },
    });
    expect((await tokens.getToken()).value).toBe('at-1');
    await Promise.resolve();
    expect(tokens.explain()).toContainEqual(expect.objectContaining({ type: 'warning', code: 'listener_failed' }));
  });

  it('that is async and rejects hurts nobody either [S20]', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    try {
      const tokens = createTokenManager({ grant: scriptedGrant('regrant'), clock: virtualClock(), onEvent: () => Promise.reject(new Error('broken handler')) });
      tokens.subscribe(() => Promise.reject(new Error('broken listener')));
      expect((await tokens.getToken()).value).toBe('at-1');
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).not.toHaveBeenCalled();
      const warnings = tokens.explain().flatMap((entry) => (entry.type === 'warning' ? entry.message : []));
      expect(warnings).toEqual(expect.arrayContaining(['onEvent failed on "token"', 'a subscriber failed']));
      expect(warnings.length).toBeLessThan(10);
    } finally {
      process.off('unhandledRejection', unhandled);
    }
  });

  it('may ask for tokens, this one or another of the same grant, at any event: no deadlock, no second request [S20, complaint 2]', async () => {
    const answers: Promise<unknown>[] = [];
    const asked = new Set<string>();
    const { clock, server, grant, store } = signedIn();
    const reentrant = createTokenManager({
      grant,
      clock,
      store,
      onEvent: (entry) => {
        if (asked.has(entry.type)) return;
        asked.add(entry.type);
        answers.push(reentrant.getToken(), reentrant.for({ audience: 'other' }).getToken());
      },
    });
    const first = reentrant.getToken();
    await clock.advance(1_000);
    await first;
    await clock.advance(hourMs - 60_000);
    await reentrant.getToken();
    await clock.advance(hourMs);
    const next = reentrant.getToken();
    await clock.advance(2_000);
    await next;
    await Promise.all(answers);
    expect(asked).toContain('token');
    expect(asked).toContain('expiring');
    expect(server.stats).toMatchObject({ parallelRefreshes: 1, reuses: 0 });
    expect(server.tokenRequests).toBeLessThanOrEqual(6);
  });

  it('that asks for a token when one has expired joins the renewal: one request [S20]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    const answers: Promise<unknown>[] = [];
    const tokens = createTokenManager({ grant, clock, onEvent: (entry) => void (entry.type === 'expired' && answers.push(tokens.getToken())) });
    await tokens.getToken();
    await clock.advance(hourMs);
    const token = await tokens.getToken();
    expect(await Promise.all(answers)).toEqual([token]);
    expect(grant.requests).toHaveLength(2);
    expect(tokens.snapshot().status).toBe('ready');
  });

  it('that asks for a token when the session has ended gets none [S20, R27]', async () => {
    const answers: Promise<unknown>[] = [];
    const { grant, clock, store } = signedIn();
    const tokens = createTokenManager({
      grant,
      clock,
      store,
      onEvent: (entry) => void (entry.type === 'session_ended' && answers.push(rejection(tokens.getToken()))),
    });
    await tokens.getToken();
    await tokens.clear();
    expect(await Promise.all(answers)).toEqual([expect.objectContaining({ kind: 'interaction' })]);
  });

  it('may dispose the manager [S20]', async () => {
    const clock = virtualClock();
    const disposed: Promise<void>[] = [];
    const tokens = createTokenManager({ grant: scriptedGrant('regrant'), clock, onEvent: () => void disposed.push(tokens.dispose()) });
    await tokens.getToken().catch(() => undefined);
    await Promise.all(disposed);
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'disposed' });
  });
});

describe('peek()', () => {
  it('is what getToken would serve right now, without any I/O', async () => {
    const clock = virtualClock();
    const store = observedStore(clock);
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock, store });
    expect(tokens.peek()).toBeUndefined();
    expect(store.calls).toEqual({ get: 0, set: 0 });
    const token = await tokens.getToken();
    const calls = { ...store.calls };
    expect(tokens.peek()).toBe(token);
    await clock.advance(hourMs - 60_000);
    expect(tokens.peek()).toBe(token);
    await clock.advance(55_000);
    expect(tokens.peek()).toBeUndefined();
    expect([store.calls, grant.requests.length]).toEqual([calls, 1]);
  });
});

describe('explain()', () => {
  it('remembers the last 200 events, oldest first, frozen and with their time', async () => {
    const clock = virtualClock();
    const { tokens, events } = watched({ grant: scriptedGrant('regrant'), clock });
    let token = await tokens.getToken();
    for (let life = 0; life < 150; life++) {
      await clock.advance(1_000);
      token = await tokens.getToken({ invalidToken: token });
    }
    expect(events.length).toBeGreaterThan(300);
    expect(tokens.explain()).toEqual(events.slice(-200));
    expect(tokens.explain().map((entry) => entry.at)).toEqual(
      tokens
        .explain()
        .map((entry) => entry.at)
        .toSorted((a, b) => a - b),
    );
    expect(tokens.explain().every((entry) => Object.isFrozen(entry))).toBe(true);
  });

  it('says what happened and why', async () => {
    const clock = virtualClock();
    const { tokens } = watched({ grant: scriptedGrant('regrant', {}, transient(), {}), clock });
    const token = await tokens.getToken();
    await tokens.getToken({ invalidToken: token });
    expect(tokens.explain().map((entry) => entry.type)).toEqual(['token', 'refused', 'attempt_failed', 'token']);
    expect(
      tokens
        .explain()
        .filter((entry) => entry.type === 'token')
        .map((entry) => [entry.source, entry.reason, entry.target]),
    ).toEqual([
      ['server', 'missing', 'default'],
      ['server', 'refused', 'default'],
    ]);
  });
});

describe('ready()', () => {
  it('waits for a first token', async () => {
    const clock = virtualClock();
    const { tokens } = watched({ grant: scriptedGrant('regrant', after(1_000)), clock });
    const ready = tokens.ready();
    const state = watch(ready);
    await clock.advance(999);
    expect(state.settled).toBe(false);
    await clock.advance(1);
    expect(await ready).toBeUndefined();
    expect(tokens.peek()).toBeDefined();
  });

  it('rejects as getToken does, or by its signal, so that a service fails at boot', async () => {
    const clock = virtualClock();
    const { tokens } = watched({ grant: scriptedGrant('regrant', transient()), clock });
    expect(await rejection(tokens.ready())).toMatchObject({ code: 'network_error' });
    const reason = new Error('boot took too long');
    await expect(tokens.ready({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('keepFresh', () => {
  it('acquires and renews without being asked, with one idle sleep at a time [E5]', async () => {
    const clock = virtualClock();
    const began = clock.now();
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock, keepFresh: true });
    for (let life = 0; life < 5; life++) {
      await clock.advance(hourMs - 60_000);
      expect([clock.pending, clock.pendingIdle]).toEqual([1, 1]);
    }
    expect(grant.requests.map((request) => request.at - began)).toEqual([0, 1, 2, 3, 4, 5].map((life) => life * (hourMs - 60_000)));
    expect(tokens.peek()?.value).toBe('at-6');
    await tokens.dispose();
    expect(clock.pending).toBe(0);
  });

  it('tries again by the back-off after failures, and goes on when the server is back [E5, R21]', async () => {
    const clock = virtualClock();
    let up = true;
    const grant = scriptedGrant('regrant', async () => {
      if (!up) throw transient();
      return {};
    });
    const { tokens } = watched({ grant, clock, keepFresh: true, skewMs: 600_000 });
    await clock.advance(0);
    up = false;
    await clock.advance(hourMs - 600_000 + 140_000);
    const instants = grant.requests.slice(1).map((request) => request.at);
    expect(instants.slice(1).map((at, index) => (at - (instants[index] ?? 0)) / 1_000)).toEqual([5, 10, 20, 40, 60]);
    up = true;
    await clock.advance(60_000);
    expect(tokens.snapshot()).toMatchObject({ status: 'ready', lastError: undefined });
    expect(tokens.peek()?.value).toBe('at-8');
    await tokens.dispose();
  });

  it('stops when the grant is dead [complaint 10]', async () => {
    const { clock, server, tokens } = signedIn({ knobs: { error: 'invalid_grant' }, manager: { keepFresh: true } });
    await clock.advance(24 * hourMs);
    expect(server.tokenRequests).toBe(1);
    expect(clock.pending).toBe(0);
    expect(tokens.snapshot().status).toBe('ended');
  });

  it('stops when the static token has ended, too', async () => {
    const clock = virtualClock();
    const { tokens } = watched({ grant: staticToken({ accessToken: 'static-token', expiresAt: clock.now() + hourMs }), clock, keepFresh: true });
    await clock.advance(hourMs - 10_000);
    expect(tokens.peek()?.value).toBe('static-token');
    await clock.advance(20_000);
    expect(await rejection(tokens.getToken())).toMatchObject({ kind: 'terminal', code: 'static_token_expired' });
    await tokens.dispose();
  });

  it('ends at dispose, also in mid-renewal [E5]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', after(1_000));
    const { tokens } = watched({ grant, clock, keepFresh: true });
    await clock.advance(500);
    await tokens.dispose();
    await clock.advance(10 * hourMs);
    expect(grant.requests).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it('goes on after clear() of a grant that needs no user', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock, keepFresh: true });
    await clock.advance(0);
    await tokens.clear();
    await clock.advance(100);
    expect(tokens.peek()?.value).toBe('at-2');
    await tokens.dispose();
  });

  it('looks at the clock after the machine slept, and renews once [E9]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock, keepFresh: true });
    await clock.advance(1_000);
    clock.suspend(3 * hourMs);
    await clock.advance(hourMs);
    expect(grant.requests.length).toBe(2);
    await tokens.dispose();
  });
});

describe('clear()', () => {
  it('forgets here and in the store, for all targets', async () => {
    const clock = virtualClock();
    const store = observedStore(clock);
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock, store });
    const handle = tokens.for({ audience: 'other' });
    await Promise.all([tokens.getToken(), handle.getToken()]);
    await tokens.clear();
    expect([...store.contents.values()].join()).not.toMatch(/at-\d/);
    await handle.getToken();
    expect(grant.requests).toHaveLength(3);
  });

  it('of a user ends the session once, with the reason, and a later process finds it ended [R26]', async () => {
    const { clock, store, grant, tokens, eventsOf } = signedIn();
    await tokens.getToken();
    await tokens.clear();
    expect(eventsOf('session_ended').map((event) => event.reason)).toEqual(['cleared']);
    expect(tokens.snapshot().status).toBe('ended');
    const next = watched({ grant, store, clock });
    expect(await rejection(next.tokens.getToken())).toMatchObject({ code: 'login_required' });
  });

  it('forgets here even if the store is down, and says that the store was not told', async () => {
    const { clock, store, tokens, eventsOf } = signedIn();
    await tokens.getToken();
    store.beforeSet = () => Promise.reject(new Error('down'));
    const cleared = rejection(tokens.clear());
    expect(tokens.peek()).toBeUndefined();
    await clock.advance(10_000);
    expect(await cleared).toMatchObject({ code: 'store_unavailable' });
    expect(eventsOf('storage_error').length).toBeGreaterThan(0);
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'login_required' });
  });
});

describe('dispose()', () => {
  it('refuses new calls with disposed, on the manager and on its handles', async () => {
    const { tokens } = watched({ grant: scriptedGrant('regrant'), clock: virtualClock() });
    const handle = tokens.for({ scope: 'a' });
    await Promise.all([tokens.getToken(), handle.getToken()]);
    await tokens.dispose();
    for (const call of [
      () => tokens.getToken(),
      () => handle.getToken(),
      () => tokens.ready(),
      () => tokens.clear(),
      () => tokens.revoke(),
      () => tokens.for({}).getToken(),
    ])
      expect(await rejection(call())).toMatchObject({ kind: 'terminal', code: 'disposed' });
    expect(tokens.peek()).toBeUndefined();
  });

  it('ends waits and renewals that spend nothing, at once', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', () => new Promise(() => undefined));
    const { tokens } = watched({ grant, clock });
    const waiting = rejection(tokens.getToken());
    await clock.advance(0);
    await tokens.dispose();
    expect(await waiting).toMatchObject({ code: 'disposed' });
    expect(grant.requests[0]?.context.signal.aborted).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('waits until the successor of a refresh token that was sent is stored', async () => {
    const { clock, server, store, tokens } = signedIn({ knobs: { latencyAfterMs: 5_000 } });
    const waiting = rejection(tokens.getToken());
    await clock.advance(1_000);
    const disposed = tokens.dispose();
    expect(await waiting).toMatchObject({ code: 'disposed' });
    const state = watch(disposed);
    await clock.advance(3_999);
    expect(state.settled).toBe(false);
    await clock.advance(1);
    await disposed;
    expect(server.isLiveRefreshToken(String(store.record()['refreshToken']))).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('waits for 40 s at most, for instance for a lock that never comes back', async () => {
    const clock = virtualClock();
    const lock = {
      run: async <T>(_name: string, task: (held: AbortSignal) => Promise<T>): Promise<T> => {
        await task(new AbortController().signal);
        return new Promise(() => undefined);
      },
    };
    const { server, tokens } = signedIn({ clock, knobs: { latencyAfterMs: 1_000 }, manager: { lock } });
    const waiting = rejection(tokens.getToken());
    await clock.advance(0);
    expect(server.tokenRequests).toBe(1);
    const disposed = tokens.dispose();
    await waiting;
    const state = watch(disposed);
    await clock.advance(39_999);
    expect(state.settled).toBe(false);
    await clock.advance(1);
    await disposed;
    expect(clock.pending).toBe(0);
  });

  it('may be called twice, and by await using', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    let outside: ReturnType<typeof createTokenManager>;
    {
      await using tokens = createTokenManager({ grant, clock, keepFresh: true });
      outside = tokens;
      await tokens.getToken();
    }
    expect(await rejection(outside.getToken())).toMatchObject({ code: 'disposed' });
    expect(outside.dispose()).toBe(outside.dispose());
    await outside.dispose();
    expect(clock.pending).toBe(0);
  });

  it('closes nothing that it was given: another manager on the same store and lock goes on', async () => {
    const clock = virtualClock();
    const store = memoryStore({ clock });
    const grant = scriptedGrant('regrant');
    const one = watched({ grant, clock, store });
    await one.tokens.getToken();
    await one.tokens.dispose();
    const other = watched({ grant, clock, store });
    expect((await other.tokens.getToken()).value).toBe('at-1');
    await clock.advance(hourMs);
    expect((await other.tokens.getToken()).value).toBe('at-2');
  });

  it('tells subscribers a last time', async () => {
    const { tokens } = watched({ grant: scriptedGrant('regrant'), clock: virtualClock() });
    const statuses: string[] = [];
    tokens.subscribe(() => statuses.push(tokens.snapshot().status));
    await tokens.dispose();
    expect(statuses).toEqual(['disposed']);
  });
});

describe('construction', () => {
  it('does nothing: no request, no timer, no store call [complaint 22]', async () => {
    const clock = virtualClock();
    const store = observedStore(clock);
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock, store });
    tokens.for({ scope: 'a' });
    tokens.snapshot();
    await clock.advance(hourMs);
    expect([grant.requests.length, store.calls, clock.pending]).toEqual([0, { get: 0, set: 0 }, 0]);
  });

  it.each([
    ['skewMs', -1],
    ['skewMs', '60'],
    ['minValidMs', Number.NaN],
    ['maxTargets', 0],
    ['keepFresh', 'yes'],
    ['store', {}],
    ['lock', {}],
    ['clock', {}],
    ['onEvent', 'log'],
    ['grant', undefined],
    ['skewSeconds', 60],
  ])('refuses %s: %s with the name of the option', (name, value) => {
    const options = { grant: scriptedGrant('regrant'), [name]: value };
    expect(() => Reflect.apply(createTokenManager, undefined, [options])).toThrow(
      expect.objectContaining({ code: 'invalid_option', kind: 'configuration', message: expect.stringContaining(name) }),
    );
  });

  it('refuses a target that is none, when the handle is made', () => {
    const { tokens } = watched({ grant: scriptedGrant('regrant'), clock: virtualClock() });
    for (const target of [{ scope: 'a"b' }, { resource: '/relative' }, { audience: '' }, { params: { a: 1 } }, { claims: 'x' }])
      expect(() => Reflect.apply(tokens.for, undefined, [target])).toThrow(expect.objectContaining({ code: 'invalid_option' }));
  });

  it('throws where there is no secure randomness [S14]', () => {
    vi.stubGlobal('crypto', undefined);
    try {
      expect(() => createTokenManager({ grant: scriptedGrant('regrant') })).toThrow();
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
