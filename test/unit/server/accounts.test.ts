import { encryptedStore } from 'tokenkeep/storage/encrypted';
import { createAccounts } from 'tokenkeep/server';
import { fakeAuthorizationServer, storeContract, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { shown } from '../core/leaks.js';
import { hourMs, rejection } from '../manager/support.js';
import { testAccountStore } from '../../support/account-store.js';
import { firm, listed, redirectUri, untilDone } from './accounts-support.js';

describe('the store of these tests', () => {
  const clock = virtualClock();
  const shared = testAccountStore(clock);
  for (const { name, run } of storeContract(() => shared, { pass: (ms) => clock.advance(ms) })) it(`${name} [X17]`, run);
});

describe('an account', () => {
  it('renews once for two processes that want its token at the same time [R3, R5, rule 1, complaint 24]', async () => {
    const app = firm({}, { latencyBeforeMs: 300 });
    const connecting = app.connect('acme');
    await app.clock.advance(1_000);
    await connecting;
    await app.clock.advance(hourMs);
    app.server.clearRequests();
    const others = [app.accounts, app.another(), app.another()];
    const answers = Promise.all(others.flatMap((each) => [each.account('acme').getToken(), each.account('acme').getToken()]));
    for (let turns = 0; turns < 10; turns++) await app.clock.advance(100);
    expect(new Set((await answers).map(({ value }) => value)).size).toBe(1);
    expect(app.server.tokenRequests).toBe(1);
    expect(app.server.stats.reuses).toBe(0);
  });

  it('renews once for pages that several processes render in parallel, some for a user who has left, and keeps the rotated token [complaint 13]', async () => {
    const app = firm({}, { graceMs: 0 });
    await app.connect('acme');
    app.server.set({ latencyBeforeMs: 300 });
    const kept = app.another();
    for (let round = 1; round <= 3; round++) {
      await app.clock.advance(hourMs);
      app.server.clearRequests();
      // One process lives on, two begin with this request, as functions in a cloud do; each page has three parts that want the token.
      const processes = [kept, app.another(), app.another()];
      const left = new AbortController();
      const gone = processes.map((each) => each.account('acme').getToken({ signal: left.signal }).catch(String));
      const parts = Promise.all(processes.flatMap((each) => [1, 2, 3].map(() => each.account('acme').getToken())));
      await app.clock.advance(100);
      left.abort(new Error('the user has left'));
      for (let turns = 0; turns < 10; turns++) await app.clock.advance(100);
      expect(new Set((await parts).map(({ value }) => value)).size).toBe(1);
      expect(await Promise.all(gone)).toEqual(processes.map(() => 'Error: the user has left'));
      expect([app.server.tokenRequests, app.server.stats.reuses]).toEqual([1, 0]);
      await Promise.all(processes.slice(1).map((each) => each.dispose()));
    }
    // A page that nobody waited for to the end: its renewal is finished all the same.
    await app.clock.advance(hourMs);
    const alone = app.another();
    const left = new AbortController();
    const gone = alone.account('acme').getToken({ signal: left.signal }).catch(String);
    await app.clock.advance(100);
    left.abort(new Error('the user has left'));
    expect(await gone).toBe('Error: the user has left');
    const ended = alone.dispose();
    for (let turns = 0; turns < 10; turns++) await app.clock.advance(100);
    await ended;
    app.server.clearRequests();
    const next = app.another().account('acme').getToken();
    for (let turns = 0; turns < 10; turns++) await app.clock.advance(100);
    expect((await next).value).toMatch(/./);
    expect([app.server.tokenRequests, app.server.stats.reuses]).toEqual([0, 0]);
    expect(await listed(app.accounts.list())).toMatchObject([{ accountId: 'acme', state: 'healthy' }]);
  });

  it('is served again after a crash between intent and result, while the server’s grace is open, and is known to be lost after it [R14]', async () => {
    for (const graceMs of [60_000, 0]) {
      const app = firm({}, { graceMs });
      await app.connect('acme');
      await app.clock.advance(hourMs);
      app.server.forNext(1, { connection: 'dropAfterCommit' });
      app.store.before = async (call, _key, value) => {
        // Dead: the intent is stored, and nothing after it.
        if (call === 'set' && value !== undefined && !value.includes('"sent"')) throw new Error('dead');
      };
      const dying = app.another({ clock: virtualClock({ now: app.clock.now() }) });
      const last = dying
        .account('acme')
        .getToken()
        .catch(() => undefined);
      await app.clock.advance(10);
      app.store.before = undefined;
      const alive = app.another({ lock: { shared: true, run: (_name, task) => task(new AbortController().signal) } });
      const token = alive.account('acme').getToken();
      token.catch(() => undefined);
      await untilDone(app, token);
      if (graceMs > 0) expect((await token).value).toMatch(/./);
      else {
        expect(await rejection(token)).toMatchObject({ code: 'rotation_lost' });
        expect(await listed(app.accounts.list())).toEqual([{ accountId: 'acme', state: 'needs_reconnect', reason: 'rotation_lost' }]);
      }
      void last;
    }
  });

  it('gives a handle that outlives its place in memory, where the least recently used goes first and none that is busy or watched [rule 8]', async () => {
    const app = firm({ maxAccounts: 3 });
    const handles = new Map<string, ReturnType<typeof app.accounts.account>>();
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      await app.connect(name);
      handles.set(name, app.accounts.account(name));
    }
    for (const name of ['a', 'b', 'c', 'd', 'e']) await handles.get(name)?.getToken();
    const reads = app.store.calls.get;
    for (const name of ['c', 'd', 'e']) await handles.get(name)?.getToken();
    expect(app.store.calls.get).toBe(reads);
    // Two had to go, and come back from the store.
    await handles.get('a')?.getToken();
    expect(app.store.calls.get).toBe(reads + 1);
    expect(app.server.tokenRequests).toBe(5);

    let heard = 0;
    const undo = handles.get('a')?.subscribe(() => {
      heard++;
    });
    for (const name of ['b', 'c', 'd', 'e']) await handles.get(name)?.getToken();
    await app.clock.advance(hourMs);
    await handles.get('a')?.getToken();
    expect(heard).toBeGreaterThan(0);
    undo?.();
    for (const name of ['b', 'c', 'd', 'e']) await handles.get(name)?.getToken();
    const before = app.store.calls.get;
    await handles.get('a')?.getToken();
    expect(app.store.calls.get).toBeGreaterThan(before);
  });

  it('keeps an account in memory while the store lacks what only memory has [R6]', async () => {
    const app = firm({ maxAccounts: 1 });
    await app.connect('a');
    await app.connect('b');
    await app.clock.advance(hourMs);
    app.store.before = async (call, _key, value) => {
      if (call === 'set' && value?.includes('"pending"') === false) throw new Error('full');
    };
    const asked = app.accounts.account('a').getToken();
    await untilDone(app, asked);
    const token = await asked;
    app.store.before = undefined;
    await app.accounts.account('b').getToken();
    expect((await app.accounts.account('a').getToken()).value).toBe(token.value);
    await app.clock.advance(hourMs);
    expect((await app.accounts.account('a').getToken()).value).not.toBe(token.value);
    expect(app.server.stats.reuses).toBe(0);
  });

  it('serves a token in memory without a promise of its own, and reads the store again after a minute [rule 14, X11]', async () => {
    const app = firm();
    await app.connect('acme');
    const account = app.accounts.account('acme');
    await account.getToken();
    const reads = app.store.calls.get;
    expect(account.getToken()).toBe(account.getToken());
    await app.clock.advance(59_000);
    await account.getToken();
    expect(app.store.calls.get).toBe(reads);
    await app.clock.advance(1_000);
    await account.getToken();
    expect(app.store.calls.get).toBe(reads + 1);
  });

  it('has tokens for other APIs, a state, a journal, and ends with its handle alone', async () => {
    const app = firm();
    await app.connect('acme');
    const account = app.accounts.account('acme');
    await account.ready();
    expect(account.snapshot().status).toBe('ready');
    expect(account.peek()?.value).toBe((await account.getToken()).value);
    const other = await account.for({ resource: 'https://other.test' }).getToken();
    expect(other.value).not.toBe(account.peek()?.value);
    expect(() => account.for({ resource: 'no url' })).toThrowError(expect.objectContaining({ code: 'invalid_option' }));
    expect(account.explain().map(({ type }) => type)).toEqual(['signed_in', 'token']);
    await account.dispose();
    expect(await rejection(account.getToken())).toMatchObject({ code: 'disposed' });
    expect((await app.accounts.account('acme').getToken()).value).toMatch(/./);
  });

  it('which nobody connected asks the server for nothing, writes nothing, and is no account that needs a reconnect', async () => {
    const app = firm();
    expect(await rejection(app.accounts.account('nobody').getToken())).toMatchObject({ code: 'login_required' });
    expect(app.server.requests).toHaveLength(0);
    expect(app.store.calls.set).toBe(0);
    expect(app.events.filter(({ type }) => type === 'needs_reconnect')).toEqual([]);
    expect(await app.accounts.details('nobody')).toBeUndefined();
  });

  it('without a refresh token is good until its access token ends, and needs a reconnect then', async () => {
    const app = firm();
    await app.accounts.import('acme', { refreshToken: 'x', accessToken: 'at', expiresInMs: hourMs });
    app.server.set({ members: { refresh_token: null } });
    await app.connect('short');
    expect(await listed(app.accounts.list({ state: 'healthy' }))).toHaveLength(2);
    await app.clock.advance(hourMs);
    expect(await rejection(app.accounts.account('short').getToken())).toMatchObject({ code: 'login_required' });
    expect(await listed(app.accounts.list({ state: 'needs_reconnect' }))).toEqual([
      { accountId: 'short', state: 'needs_reconnect', reason: 'no_refresh_token' },
    ]);
    expect(app.events.filter(({ type }) => type === 'needs_reconnect')).toMatchObject([{ accountId: 'short', reason: 'no_refresh_token' }]);
  });

  it('tells that it needs a reconnect once, in the process that found out', async () => {
    const app = firm();
    const elsewhere: unknown[] = [];
    const other = app.another({ onEvent: (event) => void elsewhere.push(event) });
    await app.connect('acme');
    await other.account('acme').getToken();
    app.server.revokeGrant((await app.accounts.account('acme').getToken()).value);
    await app.clock.advance(hourMs);
    await rejection(app.accounts.account('acme').getToken());
    await rejection(other.account('acme').getToken());
    expect(app.events.filter(({ type }) => type === 'needs_reconnect')).toHaveLength(1);
    expect(elsewhere).toContainEqual(expect.objectContaining({ type: 'session_ended', elsewhere: true, accountId: 'acme' }));
    expect(elsewhere).not.toContainEqual(expect.objectContaining({ type: 'needs_reconnect' }));
  });
});

describe('a list of accounts', () => {
  it('comes from the index alone: no record is read, none is opened', async () => {
    const app = firm();
    for (let index = 0; index < 7; index++) await app.accounts.import(`customer-${index}`, { refreshToken: 'rt' });
    const { get } = app.store.calls;
    const all = await listed(app.accounts.list({ limit: 2 }));
    expect(all.map(({ accountId }) => accountId).toSorted()).toEqual(Array.from({ length: 7 }, (_, index) => `customer-${index}`));
    expect(new Set(all.map(({ state }) => state))).toEqual(new Set(['healthy']));
    expect(app.store.calls.get).toBe(get);
    expect(app.store.calls.list).toBe(4);
  });

  it('goes by pages, over several states that need a reconnect', async () => {
    const app = firm();
    for (const name of ['a', 'b', 'c']) await app.accounts.import(name, { refreshToken: `of-nobody-${name}` });
    await app.connect('fine');
    for (const name of ['a', 'b', 'c']) await rejection(app.accounts.account(name).getToken());
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await app.accounts.page({ state: 'needs_reconnect', limit: 2, ...(cursor !== undefined && { cursor }) });
      expect(page.accounts.length).toBeLessThanOrEqual(2);
      names.push(...page.accounts.map(({ accountId }) => accountId));
      ({ cursor } = page);
    } while (cursor !== undefined);
    expect(names.toSorted()).toEqual(['a', 'b', 'c']);
    for (const bad of ['x', '9:', '0']) expect(await rejection(app.accounts.page({ cursor: bad }))).toMatchObject({ code: 'invalid_option' });
    expect(await rejection(app.accounts.page({ state: 'dead' as 'healthy' }))).toMatchObject({ code: 'invalid_option' });
  });

  it('shows neither connections under way nor accounts of others, whose ids may be the same', async () => {
    const app = firm();
    const second = fakeAuthorizationServer({ clock: app.clock, issuer: 'https://second.test' });
    const others = createAccounts({ issuer: second.issuer, clientId: 'client', fetch: second.fetch, redirectUri, store: app.store, clock: app.clock });
    await others.import('acme', { refreshToken: 'rt-second', accessToken: 'at-second' });
    await app.accounts.authorize('pending');
    await app.connect('acme');
    expect(await listed(app.accounts.list())).toMatchObject([{ accountId: 'acme' }]);
    expect((await others.account('acme').getToken()).value).toBe('at-second');
    expect((await app.accounts.account('acme').getToken()).value).not.toBe('at-second');
    await others.disconnect('acme').catch(() => undefined);
    expect(await listed(others.list())).toEqual([]);
    expect(await listed(app.accounts.list())).toMatchObject([{ accountId: 'acme' }]);
  });
});

describe('what lies in the store', () => {
  const cipher = {
    encrypt: async (text: string, context: string) => Buffer.from(JSON.stringify([context, text])).toString('base64'),
    decrypt: async (sealed: string, context: string) => {
      const [bound, text] = JSON.parse(Buffer.from(sealed, 'base64').toString() || '[]');
      return bound === context ? String(text) : undefined;
    },
  };

  it('holds no token, secret or subject in clear, and of the index the account’s own id alone', async () => {
    const clock = virtualClock();
    const inner = testAccountStore(clock);
    const app = firm({ store: encryptedStore(inner, cipher) }, { user: 'subject-of-ada' }, { store: inner, clock });
    await app.connect('acme');
    const token = await app.accounts.account('acme').getToken();
    await app.accounts.authorize('acme');
    const dump = inner.dump();
    for (const secret of [token.value, 'subject-of-ada', 'secret-of-the-client', 'rt-', 'codeVerifier', 'refreshToken']) expect(dump).not.toContain(secret);
    expect(dump).toContain('acme');
  });

  it('is no good under another key: a swapped record opens for nobody', async () => {
    const clock = virtualClock();
    const inner = testAccountStore(clock);
    const app = firm({ store: encryptedStore(inner, cipher) }, {}, { store: inner, clock });
    await app.connect('acme');
    await app.connect('mallory');
    const mine = inner.indexOf('mallory')?.key ?? '';
    const theirs = inner.indexOf('acme')?.key ?? '';
    const stolen = await inner.get(theirs);
    const own = await inner.get(mine);
    await inner.set(mine, stolen?.value ?? '', { expected: own?.version, next: stolen?.version ?? '', index: { accountId: 'mallory', state: 'healthy' } });
    expect(await rejection(app.another().account('mallory').getToken())).toMatchObject({ code: 'login_required' });
  });

  it('shows no secret in accounts, their handles, their events or what they report', async () => {
    const app = firm();
    await app.connect('acme');
    const token = await app.accounts.account('acme').getToken();
    const { refresh_token: refreshToken = '' } = JSON.parse(
      app.store.dump().match(/rt-[\w-]+/)?.[0] ? `{"refresh_token":"${app.store.dump().match(/rt-[\w-]+/)?.[0]}"}` : '{}',
    );
    expect(refreshToken).toMatch(/^rt-/);
    const seen = [
      app.accounts,
      app.accounts.account('acme'),
      app.events,
      await app.accounts.details('acme'),
      await listed(app.accounts.list()),
      await app.accounts.sweep(),
    ];
    for (const each of seen) for (const secret of [token.value, refreshToken, 'secret-of-the-client']) expect(shown(each)).not.toContain(secret);
  });
});

describe('accounts whose store cannot be read', () => {
  it('are neither disconnected, nor unknown, nor in need of a reconnect [rule 5]', async () => {
    const app = firm({ refreshTokenIdleMs: 86_400_000 });
    await app.connect('acme');
    await app.clock.advance(86_400_000);
    const process = app.another();
    app.store.before = async (call) => {
      if (call === 'get') throw new Error('the text of a driver');
    };
    expect(await rejection(process.disconnect('acme'))).toMatchObject({ code: 'store_unavailable' });
    expect(await rejection(process.details('acme'))).toMatchObject({ code: 'store_unavailable' });
    const sweep = process.sweep();
    await untilDone(app, sweep);
    expect(await sweep).toMatchObject({ due: 1, needReconnect: [], failed: [{ accountId: 'acme', error: { code: 'store_unavailable' } }] });
  });
});

describe('accounts that are disposed', () => {
  it('refuse every call, and leave nothing running', async () => {
    const app = firm();
    await app.connect('acme');
    const account = app.accounts.account('acme');
    await account.getToken();
    await app.accounts.dispose();
    await app.accounts[Symbol.asyncDispose]();
    const calls = [
      app.accounts.authorize('acme'),
      app.accounts.callback('/connected', { transaction: 'x' }),
      app.accounts.import('acme', { refreshToken: 'rt' }),
      app.accounts.disconnect('acme'),
      app.accounts.details('acme'),
      app.accounts.sweep(),
      account.getToken(),
    ];
    for (const call of calls) expect(await rejection(call)).toMatchObject({ code: 'disposed' });
    expect(app.clock.pending).toBe(0);
  });
});
