import { TokenError } from 'tokenkeep';
import { virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { hourMs, rejection } from '../manager/support.js';
import { dayMs, type Firm, firm, listed, untilDone } from './accounts-support.js';

async function imported(app: Firm, count: number, name = 'customer'): Promise<void> {
  for (let index = 0; index < count; index++) await app.accounts.import(`${name}-${index}`, { refreshToken: app.server.issueRefreshToken() });
}

describe('a sweep of accounts whose refresh tokens end on a fixed day', () => {
  const spotify = { sliding: false, absoluteLifetimeMs: 180 * dayMs };
  const said = (app: Firm): unknown[] => app.events.filter(({ type }) => type === 'reauth_soon');

  it('says so once, a day before, to one process, and refreshes nothing for it [R31]', async () => {
    const app = firm({ preset: spotify });
    const other = app.another();
    const began = app.clock.now();
    await app.connect('acme');
    expect(app.store.indexOf('acme')?.dueAt).toBe(began + 179 * dayMs);
    app.server.clearRequests();
    await app.clock.advance(178 * dayMs);
    expect(await app.accounts.sweep()).toMatchObject({ due: 0 });
    expect(said(app)).toEqual([]);
    await app.clock.advance(dayMs + 60_000);
    expect(await Promise.all([app.accounts.sweep(), other.sweep()])).toContainEqual(expect.objectContaining({ due: 1, renewed: 0, skipped: 1, failed: [] }));
    const wanted = { type: 'reauth_soon', expiresAt: began + 180 * dayMs, at: app.clock.now(), accountId: 'acme' };
    expect(said(app)).toEqual([wanted]);
    for (let hour = 0; hour < 24; hour++) {
      await app.clock.advance(hourMs);
      expect(await other.sweep()).toMatchObject({ due: 0 });
    }
    expect(said(app)).toEqual([wanted]);
    expect(app.server.tokenRequests).toBe(0);
    // What it has said changes nothing else: the account goes on, and says nothing when it is used.
    expect((await other.account('acme').getToken()).value).toMatch(/./);
    expect(await listed(app.accounts.list())).toMatchObject([{ accountId: 'acme', state: 'healthy' }]);
    expect(said(app)).toEqual([wanted]);
    // A reconnect begins anew.
    await app.connect('acme');
    expect(app.store.indexOf('acme')?.dueAt).toBe(app.clock.now() + 179 * dayMs);
  });

  it('leaves it to the use of an account, where there is one, and to whoever is first [R31]', async () => {
    const app = firm({ preset: spotify });
    await app.connect('acme');
    await app.clock.advance(179 * dayMs + 60_000);
    await app.accounts.account('acme').getToken();
    expect(said(app)).toHaveLength(1);
    expect(await app.accounts.sweep()).toMatchObject({ due: 0 });
    await app.clock.advance(2 * hourMs);
    await app.accounts.account('acme').getToken();
    expect(said(app)).toHaveLength(1);
  });

  it('counts from the connection, also where the first renewal is for another API [R31]', async () => {
    const app = firm({ preset: spotify });
    const began = app.clock.now();
    await app.connect('acme');
    await app.clock.advance(178 * dayMs);
    await app.accounts.account('acme').for({ resource: 'https://other.example' }).getToken();
    expect(app.store.indexOf('acme')?.dueAt).toBe(began + 179 * dayMs);
    await app.clock.advance(dayMs + 60_000);
    await app.accounts.sweep();
    expect(said(app)).toMatchObject([{ expiresAt: began + 180 * dayMs }]);
  });

  it('takes the server’s word for it, and its idle limit from the preset alone [R31, E14]', async () => {
    const app = firm({ preset: { sliding: false, idleLifetimeMs: 10 * dayMs } }, { members: { refresh_token_expires_in: (100 * dayMs) / 1000 } });
    await app.connect('acme');
    const dueInMs = (app.store.indexOf('acme')?.dueAt ?? 0) - app.clock.now();
    expect(dueInMs).toBeLessThanOrEqual(7.5 * dayMs);
    expect((await app.accounts.details('acme'))?.raw).toEqual({});
    // Nothing to gain by a refresh: no end, no sweep.
    const endless = firm({ preset: { sliding: false } }, { members: { refresh_expires_in: 0 } });
    await endless.connect('acme');
    expect(endless.store.indexOf('acme')?.dueAt).toBeUndefined();
  });
});

describe('a sweep', () => {
  it('refreshes what would expire unused, in time, and nothing else [R31]', async () => {
    const app = firm({ refreshTokenIdleMs: 60 * dayMs });
    await app.connect('acme');
    const { dueAt = 0 } = app.store.indexOf('acme') ?? {};
    expect((dueAt - app.clock.now()) / dayMs).toBeGreaterThanOrEqual(30);
    expect((dueAt - app.clock.now()) / dayMs).toBeLessThanOrEqual(45);
    await app.clock.advance(29 * dayMs);
    expect(await app.accounts.sweep()).toMatchObject({ elsewhere: false, due: 0, renewed: 0 });
    await app.clock.advance(16 * dayMs);
    app.server.clearRequests();
    expect(await app.accounts.sweep()).toMatchObject({ due: 1, renewed: 1, failed: [], needReconnect: [] });
    expect(app.server.tokenRequests).toBe(1);
    expect(await app.accounts.sweep()).toMatchObject({ due: 0 });
  });

  it.each([
    ['the server’s own word', {}, { members: { refresh_expires_in: 1_000 } }, 1_000_000],
    ['another server’s word for it', {}, { members: { x_refresh_token_expires_in: 8_726_400 } }, 8_726_400_000],
    ['the preset', { preset: { idleLifetimeMs: 10 * dayMs } }, {}, 10 * dayMs],
    ['the server before the preset', { preset: { idleLifetimeMs: 10 * dayMs } }, { members: { refresh_token_expires_in: 7_200 } }, 7_200_000],
    [
      'the application before all',
      { refreshTokenIdleMs: 5 * dayMs, preset: { idleLifetimeMs: 10 * dayMs } },
      { members: { refresh_expires_in: 1_000 } },
      5 * dayMs,
    ],
  ])('goes by %s', async (_what, options, knobs, idleMs) => {
    const app = firm(options, knobs);
    await app.connect('acme');
    const dueInMs = (app.store.indexOf('acme')?.dueAt ?? 0) - app.clock.now();
    expect(dueInMs).toBeGreaterThanOrEqual(idleMs * 0.5);
    expect(dueInMs).toBeLessThanOrEqual(idleMs * 0.75);
  });

  it.each([
    ['nobody says how long it lives', {}, {}],
    ['the server says that it does not end', { preset: { idleLifetimeMs: dayMs } }, { members: { refresh_expires_in: 0 } }],
  ])('leaves a refresh token alone when %s', async (_what, options, knobs) => {
    const app = firm(options, knobs);
    await app.connect('acme');
    expect(app.store.indexOf('acme')).not.toHaveProperty('dueAt');
  });

  it('uses a token whose age nobody knows soon after its import, and not all of them at once', async () => {
    const app = firm({ refreshTokenIdleMs: 60 * dayMs });
    await imported(app, 20);
    const dues = (await listed(app.accounts.list())).map(({ dueAt = 0 }) => dueAt - app.clock.now());
    expect(Math.max(...dues)).toBeLessThanOrEqual(hourMs);
    expect(new Set(dues).size).toBeGreaterThan(15);
    await app.clock.advance(hourMs);
    expect(await app.accounts.sweep()).toMatchObject({ due: 20, renewed: 20 });
    expect(app.server.stats.reuses).toBe(0);
  });

  it('is done by one process at a time, and leaves accounts that are in use to those who use them', async () => {
    const app = firm({ refreshTokenIdleMs: 60 * dayMs }, { latencyBeforeMs: 500 });
    await imported(app, 6);
    await app.clock.advance(hourMs);
    const other = app.another();
    const reports = [app.accounts.sweep(), other.sweep()];
    // In use in a process that does not sweep.
    const used = app.another().account('customer-5').getToken();
    await untilDone(app, Promise.all([...reports, used]));
    const [one, two] = await Promise.all(reports);
    expect([one?.elsewhere, two?.elsewhere].toSorted()).toEqual([false, true]);
    expect(app.server.tokenRequests).toBe(6);
    expect((one?.renewed ?? 0) + (one?.skipped ?? 0) + (two?.renewed ?? 0) + (two?.skipped ?? 0)).toBe(6);
  });

  it('spreads its renewals when told to', async () => {
    const app = firm({ refreshTokenIdleMs: 60 * dayMs });
    await imported(app, 10);
    await app.clock.advance(hourMs);
    const began = app.clock.now();
    const sweep = app.accounts.sweep({ spreadMs: 100_000 });
    await untilDone(app, sweep);
    expect((await sweep).renewed).toBe(10);
    const seconds = app.server.requestsTo('token').map(({ at }) => Math.round((at - began) / 1_000));
    expect(seconds).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
  });

  it('reports those that need a reconnect, tells each once, and keeps what failed due', async () => {
    const app = firm({ refreshTokenIdleMs: 60 * dayMs });
    await imported(app, 2);
    await app.accounts.import('dead', { refreshToken: 'rt-of-nobody' });
    await app.clock.advance(hourMs);
    expect(await app.accounts.sweep()).toMatchObject({ due: 3, renewed: 2, needReconnect: ['dead'], failed: [] });
    expect(app.events.filter(({ type }) => type === 'needs_reconnect')).toEqual([
      { type: 'needs_reconnect', accountId: 'dead', reason: 'grant_revoked', at: app.clock.now() },
    ]);
    await imported(app, 1, 'later');
    await app.clock.advance(hourMs);
    app.server.set({ error: 'temporarily_unavailable' });
    const sweep = app.accounts.sweep();
    await untilDone(app, sweep);
    const { failed } = await sweep;
    expect(failed).toEqual([{ accountId: 'later-0', error: expect.any(TokenError) }]);
    app.server.set({ error: undefined });
    // It may have rotated: that is seen to before its grace is over.
    await app.clock.advance(45_001);
    const again = app.another().sweep();
    await untilDone(app, again);
    expect(await again).toMatchObject({ due: 1, renewed: 1 });
  });

  it('goes on with a renewal that a crash interrupted, inside the grace and outside of it [R14]', async () => {
    for (const [graceMs, outcome] of [
      [300_000, { renewed: 1, needReconnect: [] }],
      [0, { renewed: 0, needReconnect: ['acme'] }],
    ] as const) {
      const app = firm({}, { graceMs });
      await app.connect('acme');
      await app.clock.advance(hourMs);
      // The process dies with the answer under way.
      const dying = app.another({ fetch: silentAfterSending(app), lock: deadLock(), clock: virtualClock({ now: app.clock.now() }) });
      void dying
        .account('acme')
        .getToken()
        .catch(() => undefined);
      await app.clock.advance(1_000);
      expect(app.server.tokenRequests).toBe(2);
      expect(await listed(app.accounts.list())).toMatchObject([{ accountId: 'acme', state: 'renewing' }]);
      const alive = app.another();
      await app.clock.advance(50_000);
      const sweep = alive.sweep();
      await untilDone(app, sweep);
      expect(await sweep).toMatchObject(outcome);
      if (graceMs === 0) expect(app.events).toContainEqual(expect.objectContaining({ type: 'needs_reconnect', reason: 'rotation_lost', accountId: 'acme' }));
      else expect((await alive.account('acme').getToken()).value).toMatch(/./);
    }
  });

  it('deletes tombstones after a day, unless the account was connected again, and connections that were never finished', async () => {
    const app = firm();
    await app.connect('gone');
    await app.connect('back');
    await app.accounts.disconnect('gone');
    await app.accounts.disconnect('back');
    await app.accounts.authorize('never');
    await app.clock.advance(600_001);
    expect((await app.accounts.sweep()).deleted).toBe(1);
    expect(app.store.size).toBe(2);
    await app.connect('back');
    await app.clock.advance(dayMs);
    expect((await app.accounts.sweep()).deleted).toBe(1);
    expect(await listed(app.accounts.list())).toMatchObject([{ accountId: 'back', state: 'healthy' }]);
    expect(app.store.size).toBe(1);
  });

  it('does not see to the accounts of others in the same store', async () => {
    const app = firm({ refreshTokenIdleMs: 60 * dayMs });
    const second = app.another({ name: 'second' });
    await second.import('acme', { refreshToken: app.server.issueRefreshToken() });
    await app.accounts.import('acme', { refreshToken: app.server.issueRefreshToken() });
    await app.accounts.import('beta', { refreshToken: app.server.issueRefreshToken() });
    await app.clock.advance(hourMs);
    expect(await second.sweep()).toMatchObject({ due: 1, renewed: 1 });
    expect(await app.accounts.sweep()).toMatchObject({ due: 2, renewed: 2 });
    expect(await listed(second.list())).toMatchObject([{ accountId: 'acme' }]);
    expect((await listed(app.accounts.list())).map(({ accountId }) => accountId).toSorted()).toEqual(['acme', 'beta']);
  });

  it('ends when told to, or disposed, after what was under way', async () => {
    const app = firm({ refreshTokenIdleMs: 60 * dayMs }, { latencyBeforeMs: 1_000 });
    await imported(app, 12);
    await app.clock.advance(hourMs);
    const stop = new AbortController();
    const stopped = rejection(
      app.accounts
        .sweep({ signal: stop.signal })
        .catch((error: unknown) => Promise.reject(error === stop.signal.reason ? new TokenError('timeout', 'stopped', { phase: 'wait' }) : error)),
    );
    await app.clock.advance(500);
    stop.abort();
    await app.clock.advance(1_000);
    expect(await stopped).toMatchObject({ message: 'stopped' });
    expect(app.server.tokenRequests).toBe(4);
    const ended = rejection(app.accounts.sweep());
    await app.clock.advance(500);
    const disposed = app.accounts.dispose();
    await app.clock.advance(1_000);
    await disposed;
    expect(await ended).toMatchObject({ code: 'disposed' });
    expect(app.server.tokenRequests).toBe(8);
    expect(await rejection(app.accounts.sweep())).toMatchObject({ code: 'disposed' });
    // Nothing was lost on the way.
    const sweep = app.another().sweep();
    await untilDone(app, sweep);
    expect(await sweep).toMatchObject({ due: 4, renewed: 4, needReconnect: [] });
  });

  it('needs the store: a list that fails is its failure', async () => {
    const app = firm();
    app.store.before = async (call) => {
      if (call === 'list') throw new Error('the text of a driver');
    };
    expect(await rejection(app.accounts.sweep())).toMatchObject({ code: 'store_unavailable' });
  });
});

// A dead process holds no lock for long: its lease has run out.
function deadLock(): { readonly shared: true; run<T>(name: string, task: (held: AbortSignal) => Promise<T>): Promise<T> } {
  return { shared: true, run: (_name, task) => task(new AbortController().signal) };
}

// Its token requests reach the server, and nothing comes back to it.
function silentAfterSending({ server }: Firm): typeof fetch {
  return async (input, init) => {
    const answer = await server.fetch(input, init);
    return init?.method === 'POST' || (input instanceof Request && input.method === 'POST') ? new Promise<Response>(() => undefined) : answer;
  };
}
