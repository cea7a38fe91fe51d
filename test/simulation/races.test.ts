import { localLock, memoryStore, TokenError, type TokenStore } from 'tokenkeep';
import { type VirtualClock, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { after, rejection, scriptedGrant, transient, watched } from '../unit/manager/support.js';

// What schedules have found once, told by hand.

/** A lock that somebody else may hold, and that counts who asks for it. */
function foreignLock(clock: VirtualClock): { readonly lock: NonNullable<TokenStore['lock']>; busyUntil: number; asked: number } {
  const inner = localLock({ clock });
  const state = {
    busyUntil: 0,
    asked: 0,
    lock: {
      shared: true,
      async run<T>(
        name: string,
        task: (held: AbortSignal) => Promise<T>,
        options: { readonly waitMs: number; readonly signal?: AbortSignal | undefined },
      ): Promise<T> {
        state.asked++;
        if (state.asked > 100) throw new Error('asked too often');
        const freeInMs = state.busyUntil - clock.monotonicMs();
        if (freeInMs > options.waitMs) throw new TokenError('lock_timeout', 'busy', { phase: 'lock' });
        await clock.sleep(freeInMs, options.signal);
        return inner.run(name, task, options);
      },
    },
  };
  return state;
}

interface Slowness {
  beforeGetMs: number;
  afterGetMs: number;
  beforeSetMs: number;
  afterSetMs: number;
}

const atOnce: Slowness = { beforeGetMs: 0, afterGetMs: 0, beforeSetMs: 0, afterSetMs: 0 };

/** A store that takes its time: before it looks, and before it answers. */
function slowStore(clock: VirtualClock, slowness: Slowness): TokenStore {
  const inner = memoryStore({ clock });
  return {
    ...inner,
    async get(key) {
      await clock.sleep(slowness.beforeGetMs);
      const stored = await inner.get(key);
      await clock.sleep(slowness.afterGetMs);
      return stored;
    },
    async set(key, value, write) {
      await clock.sleep(slowness.beforeSetMs);
      const written = await inner.set(key, value, write);
      await clock.sleep(slowness.afterSetMs);
      return written;
    },
  };
}

describe('the lock in other hands', () => {
  it('is asked for once a second by a token that is kept fresh and has expired, not in a circle [E5] [X4]', async () => {
    const clock = virtualClock();
    const foreign = foreignLock(clock);
    const { tokens } = watched({ grant: scriptedGrant('refreshToken', { lifetimeMs: 4_000, refreshToken: 'rt' }), lock: foreign.lock, clock, keepFresh: true });
    await clock.advance(100);
    foreign.busyUntil = Infinity;
    foreign.asked = 0;
    await clock.advance(10_000);
    expect(foreign.asked).toBeGreaterThan(3);
    expect(foreign.asked).toBeLessThan(12);
    await tokens.dispose();
  });

  it('is waited for by a caller who joins the renewal behind the callers while that gives way [R2] [X4]', async () => {
    const clock = virtualClock();
    const foreign = foreignLock(clock);
    const slowness = { ...atOnce };
    const { tokens } = watched({ grant: scriptedGrant('regrant', { lifetimeMs: 4_000 }), lock: foreign.lock, store: slowStore(clock, slowness), clock });
    await tokens.getToken();
    await clock.advance(2_950);
    foreign.busyUntil = clock.monotonicMs() + 500;
    slowness.beforeGetMs = 100;
    expect((await tokens.getToken()).value).toBe('at-1');
    await clock.advance(60);
    const waiting = tokens.getToken();
    await clock.advance(2_000);
    expect((await waiting).value).toBe('at-2');
  });
});

describe('a slow store', () => {
  it('may show a write to a read before the writer hears of it: that is no sign-out [R6] [R26]', async () => {
    const clock = virtualClock();
    let revoked = 0;
    const steps = [after(100, { refreshToken: 'rt-1' }), after(100, { refreshToken: 'rt-2' })];
    const grant = { ...scriptedGrant('refreshToken', ...steps), revoke: async () => void revoked++ };
    const { tokens } = watched({ grant, store: slowStore(clock, { ...atOnce, afterGetMs: 5, afterSetMs: 20 }), clock });
    const first = tokens.for({ scope: 'one' }).getToken();
    // Two reads, an intent and the request: the answer is written at 130 ms, and its writer hears so at 150.
    await clock.advance(135);
    const second = tokens.for({ scope: 'other' }).getToken();
    await clock.advance(1_000);
    expect((await first).value).toBe('at-1');
    expect((await second).value).toBe('at-2');
    expect(revoked).toBe(0);
  });

  it('cannot bring back by a late answer what was forgotten meanwhile [R26]', async () => {
    const clock = virtualClock();
    const slowness = { ...atOnce };
    const store = slowStore(clock, slowness);
    await watched({ grant: scriptedGrant('regrant', { accessToken: 'old' }), store, clock }).tokens.getToken();
    const { tokens } = watched({ grant: scriptedGrant('regrant', { accessToken: 'new' }), store, clock });
    await tokens.getToken();
    Object.assign(slowness, { beforeSetMs: 10, afterGetMs: 50 });
    const cleared = tokens.clear();
    const reading = tokens.getToken();
    await clock.advance(1_000);
    await cleared;
    expect((await reading).value).toBe('new');
  });

  it('ages what it holds while the machine sleeps [E8] [E9]', async () => {
    const clock = virtualClock();
    const store = memoryStore({ clock });
    const grant = scriptedGrant('regrant');
    await watched({ grant, store, clock }).tokens.getToken();
    clock.suspend(7_200_000);
    expect((await watched({ grant, store, clock }).tokens.getToken()).value).toBe('at-2');
  });
});

describe('a renewal', () => {
  it('sends nothing that it has no time to hear the answer of, after the machine has slept [R8] [R20]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('refreshToken', transient(), { refreshToken: 'rt-1' });
    const { tokens } = watched({ grant, clock }, 0.9);
    const failed = rejection(tokens.getToken());
    await clock.advance(10);
    clock.suspend(3_600_000);
    await clock.advance(5_000);
    expect((await failed).code).toBe('network_error');
    expect(grant.requests).toHaveLength(1);
  });

  it('does not repeat a request while the endpoint has asked another one for rest [R22] [R23]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', transient({ code: 'server_error' }), transient({ code: 'rate_limited', retryAfterMs: 10_000 }), {});
    const { tokens } = watched({ grant, clock }, 0.9);
    const [one, other] = [tokens.getToken(), tokens.for({ scope: 'other' }).getToken()];
    await clock.advance(30_000);
    await Promise.all([one, other]);
    const began = grant.requests[0]?.at ?? 0;
    expect(grant.requests.slice(2).map(({ at }) => at - began >= 10_000)).toEqual([true, true]);
  });

  it('that fails cools down, though it found an expired token in the store [R24]', async () => {
    const clock = virtualClock();
    const store = memoryStore({ clock });
    const { tokens } = watched({ grant: scriptedGrant('regrant', { lifetimeMs: 4_000 }), store, clock });
    const grant = scriptedGrant('regrant', new TokenError('client_rejected', 'planned failure', { phase: 'token' }));
    const late = watched({ grant, store, clock }).tokens;
    expect((await rejection(late.getToken())).fromCache).toBe(false);
    await clock.advance(60_000);
    await tokens.getToken();
    await clock.advance(4_000);
    await rejection(late.getToken());
    const sent = grant.requests.length;
    expect((await rejection(late.getToken())).fromCache).toBe(true);
    expect(grant.requests).toHaveLength(sent);
  });

  it('knows of the lost answer when the server refuses after a 429 in between [R14]', async () => {
    const clock = virtualClock();
    const refused = new TokenError('grant_revoked', 'planned failure', { phase: 'token', oauthError: 'invalid_grant' });
    const { tokens } = watched({ grant: scriptedGrant('refreshToken', transient(), transient({ code: 'rate_limited' }), refused), clock }, 0.5);
    const first = rejection(tokens.getToken());
    await clock.advance(10_000);
    expect((await first).code).toBe('rate_limited');
    expect((await rejection(tokens.getToken())).code).toBe('rotation_lost');
  });

  it('is not begun for each wish where tokens are dead on arrival [E7]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', { lifetimeMs: 0 });
    const { tokens } = watched({ grant, clock });
    for (let call = 0; call < 100; call++) {
      await tokens.getToken({ minValidMs: 10_000 });
      await clock.advance(10);
    }
    expect(grant.requests).toHaveLength(1);
  });
});
