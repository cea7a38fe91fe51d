import { createTokenManager, type Lock, memoryStore, TokenError } from 'tokenkeep';
import { virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { observedStore, scriptedGrant, watched } from './support.js';

describe('a renewal behind the callers that finds the lock taken', () => {
  it('adopts what the holder has stored by then, though the lock is still taken [R5] [X1]', async () => {
    const clock = virtualClock();
    const store = memoryStore({ clock });
    const own = store.lock;
    if (own === undefined) throw new Error('the memory store has a lock');
    const grant = scriptedGrant('regrant');
    const first = createTokenManager({ grant, store, clock });
    let taken = false;
    const busyLock: Lock = {
      run: (name, task, options) => (taken ? own.run('other', () => Promise.reject(busy), options) : own.run(name, task, options)),
    };
    const busy = await own.run('x', () => own.run('x', async () => undefined, { waitMs: 0 }).catch((error: unknown) => error), { waitMs: 0 });
    const second = createTokenManager({ grant, store, clock, lock: busyLock });
    await first.getToken();
    await second.getToken();
    await clock.advance(3_600_000 - 50_000);
    await first.getToken();
    await clock.advance(0);
    taken = true;
    expect((await second.getToken()).value).toBe('at-1');
    await clock.advance(0);
    expect((await second.getToken()).value).toBe('at-2');
    expect(grant.requests).toHaveLength(2);
    expect(second.explain().at(-1)).toMatchObject({ type: 'token', source: 'store', background: true });
  });
});

describe('a renewal that callers wait for', () => {
  it('serves what somebody else has stored and is still usable, when its own request fails [R5]', async () => {
    const clock = virtualClock();
    const store = memoryStore({ clock });
    const first = createTokenManager({ grant: scriptedGrant('regrant', { lifetimeMs: 100_000 }), store, clock });
    const failing = scriptedGrant('regrant', new TokenError('client_rejected', 'planned failure', { phase: 'token' }));
    const second = createTokenManager({ grant: failing, store, clock });
    await first.getToken();
    expect((await second.getToken()).value).toBe('at-1');
    await clock.advance(60_000);
    await first.getToken();
    await clock.advance(60_000);
    expect((await second.getToken()).value).toBe('at-2');
    expect(failing.requests).toHaveLength(1);
  });
});

describe('a record that many targets share', () => {
  it('is read once for all who ask while the store takes its time [R5]', async () => {
    const clock = virtualClock();
    const store = observedStore(clock);
    const grant = scriptedGrant('refreshToken', { refreshToken: 'rt' });
    const targets = Array.from({ length: 20 }, (_, index) => ({ scope: `scope-${index}` }));
    const { tokens } = watched({ grant, store, clock });
    for (const target of targets) await tokens.for(target).getToken();
    store.calls.get = 0;
    store.beforeGet = () => clock.sleep(50);
    const restarted = watched({ grant, store, clock }).tokens;
    const restored = Promise.all(targets.map((target) => restarted.for(target).getToken()));
    await clock.advance(50);
    expect((await restored).map(({ value }) => value)).toEqual(targets.map((_, index) => `at-${index + 1}`));
    expect(store.calls.get).toBe(1);
    expect(grant.requests).toHaveLength(20);
  });
});

describe('a handler that asks for a token while it hears that the token has expired', () => {
  it('joins the one renewal [R2] [S20]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    const heard: Promise<unknown>[] = [];
    const tokens = createTokenManager({
      grant,
      clock,
      onEvent: ({ type }) => {
        if (type === 'expired') heard.push(tokens.getToken());
      },
    });
    await tokens.getToken();
    await clock.advance(3_600_000);
    const token = await tokens.getToken();
    expect(await Promise.all(heard)).toEqual([token]);
    expect(tokens.explain().filter(({ type }) => type === 'token')).toHaveLength(2);
    expect(grant.requests).toHaveLength(2);
  });
});
