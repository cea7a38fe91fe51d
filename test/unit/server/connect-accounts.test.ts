import { TokenError } from 'tokenkeep';
import { describe, expect, it } from 'vitest';
import { rejection } from '../manager/support.js';
import { firm, listed, redirectUri } from './accounts-support.js';

const tokenRequest = (from: ReturnType<typeof firm>, at = -1) => from.server.requestsTo('token').at(at);

describe('a connection', () => {
  it('sends the user to the server, takes the callback, and keeps the account’s tokens [A2, A3, A4, A5, P4]', async () => {
    const app = firm();
    const { url, transaction } = await app.accounts.authorize('acme', { returnTo: '/customers/7?tab=api#top', loginHint: 'ada@acme.example' });
    const sent = new URL(url).searchParams;
    expect(Object.fromEntries(sent)).toMatchObject({
      response_type: 'code',
      redirect_uri: redirectUri,
      code_challenge_method: 'S256',
      login_hint: 'ada@acme.example',
    });
    expect(url).not.toContain(transaction);
    const callback = (await app.server.visit(url)) ?? '';
    const connected = await app.accounts.callback(new Request(callback), { transaction });
    expect(connected).toEqual({ accountId: 'acme', returnTo: '/customers/7?tab=api#top', raw: {} });
    const { params, headers } = tokenRequest(app) ?? {};
    expect(params?.get('grant_type')).toBe('authorization_code');
    expect(params?.get('code_verifier')).toHaveLength(43);
    expect(headers?.get('authorization')).toMatch(/^Basic /);
    const before = app.server.tokenRequests;
    expect((await app.accounts.account('acme').getToken()).value).toMatch(/./);
    expect(app.server.tokenRequests).toBe(before);
    expect(await app.accounts.details('acme')).toMatchObject({ accountId: 'acme', state: 'healthy', subject: 'alice', scope: ['openid', 'offline_access'] });
  });

  it('knows its callback behind a proxy, which changes scheme and host of a request, and by the path alone [A8]', async () => {
    const app = firm();
    for (const form of [(path: string) => new Request(`http://10.0.0.7:8080${path}`), (path: string) => path, (path: string) => new URL(path, redirectUri)]) {
      const { url, transaction } = await app.accounts.authorize('acme');
      const { pathname, search } = new URL((await app.server.visit(url)) ?? '');
      expect((await app.accounts.callback(form(`${pathname}${search}`), { transaction })).accountId).toBe('acme');
    }
  });

  it('keeps handles, states and verifiers out of the store’s keys, and tells no secret beside its records [A3]', async () => {
    const app = firm();
    const { url, transaction } = await app.accounts.authorize('acme');
    const dump = app.store.dump();
    expect(dump).not.toContain(transaction);
    expect(dump).toContain(new URL(url).searchParams.get('state'));
    const [key = ''] = /tokenkeep:1:connection:[\w-]+/.exec(dump) ?? [];
    expect(key).toMatch(/^tokenkeep:1:connection:[\w-]{43}$/);
  });

  const refusals: readonly [string, (app: ReturnType<typeof firm>) => Promise<unknown>, string][] = [
    [
      'without its cookie',
      async ({ accounts, server }) => accounts.callback((await server.visit((await accounts.authorize('acme')).url)) ?? '', { transaction: undefined }),
      'callback_refused',
    ],
    [
      'with a cookie that is none of ours',
      async ({ accounts, server }) => accounts.callback((await server.visit((await accounts.authorize('acme')).url)) ?? '', { transaction: 'x'.repeat(43) }),
      'callback_refused',
    ],
    [
      'with another user’s cookie: login CSRF',
      async ({ accounts, server }) => {
        const attacker = await accounts.authorize('attacker');
        const victim = await accounts.authorize('victim');
        return accounts.callback((await server.visit(attacker.url)) ?? '', { transaction: victim.transaction });
      },
      'callback_refused',
    ],
    [
      'with a cookie that another set of accounts gave',
      async ({ another, accounts, server }) => {
        const { url, transaction } = await another({ name: 'second' }).authorize('acme');
        return accounts.callback((await server.visit(url)) ?? '', { transaction });
      },
      'callback_refused',
    ],
    [
      'for the second time',
      async ({ accounts, server }) => {
        const { url, transaction } = await accounts.authorize('acme');
        const callback = (await server.visit(url)) ?? '';
        await accounts.callback(callback, { transaction });
        server.clearRequests();
        return accounts.callback(callback, { transaction });
      },
      'callback_refused',
    ],
    [
      'after more than ten minutes',
      async ({ accounts, server, clock }) => {
        const { url, transaction } = await accounts.authorize('acme');
        const callback = (await server.visit(url)) ?? '';
        await clock.advance(600_001);
        return accounts.callback(callback, { transaction });
      },
      'callback_refused',
    ],
    [
      'with an altered state',
      async ({ accounts, server }) => {
        server.set({ stateParameter: 'altered' });
        const { url, transaction } = await accounts.authorize('acme');
        return accounts.callback((await server.visit(url)) ?? '', { transaction });
      },
      'callback_refused',
    ],
    [
      'from another issuer',
      async ({ accounts, server }) => {
        server.set({ issParameter: 'wrong' });
        const { url, transaction } = await accounts.authorize('acme');
        return accounts.callback((await server.visit(url)) ?? '', { transaction });
      },
      'callback_refused',
    ],
    [
      'at another address',
      async ({ accounts, server }) => {
        const { url, transaction } = await accounts.authorize('acme');
        return accounts.callback(((await server.visit(url)) ?? '').replace('/connected', '/elsewhere'), { transaction });
      },
      'callback_refused',
    ],
    [
      'when the user declined',
      async ({ accounts, server }) => {
        server.set({ authorizationError: 'access_denied' });
        const { url, transaction } = await accounts.authorize('acme');
        return accounts.callback((await server.visit(url)) ?? '', { transaction });
      },
      'login_required',
    ],
  ];
  it.each(refusals)('is refused %s, before anything is sent [A3, A4, A6, A7, A8]', async (_name, attempt, code) => {
    const app = firm();
    expect(await rejection(attempt(app))).toMatchObject({ code });
    expect(app.server.requestsTo('token')).toHaveLength(0);
    if (code === 'login_required') expect(await listed(app.accounts.list())).toEqual([]);
  });

  it('spends its transaction with the first callback, whatever comes of that [A3]', async () => {
    const app = firm();
    const { url, transaction } = await app.accounts.authorize('acme');
    const good = (await app.server.visit(url)) ?? '';
    await rejection(app.accounts.callback(good.replace(/state=[^&]+/, 'state=other'), { transaction }));
    expect(await rejection(app.accounts.callback(good, { transaction }))).toMatchObject({ code: 'callback_refused' });
    expect(app.server.tokenRequests).toBe(0);
  });

  it('is finished once when its callback comes to two processes at a time [A11]', async () => {
    const app = firm();
    const { url, transaction } = await app.accounts.authorize('acme');
    const callback = (await app.server.visit(url)) ?? '';
    const outcomes = await Promise.allSettled([app.accounts.callback(callback, { transaction }), app.another().callback(callback, { transaction })]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(app.server.tokenRequests).toBe(1);
  });

  it('fails with an ID token that was not made for it [A5]', async () => {
    const app = firm({}, { idTokenClaims: { nonce: 'another' } });
    expect(await rejection(app.connect('acme'))).toMatchObject({ code: 'id_token_rejected' });
    expect(await listed(app.accounts.list())).toEqual([]);
  });

  it('fails when the store cannot keep what it brought', async () => {
    const app = firm();
    const { url, transaction } = await app.accounts.authorize('acme');
    app.store.before = async (call) => {
      if (call === 'set') throw new Error('full, and this text is a secret');
    };
    const failed = await rejection(app.accounts.callback((await app.server.visit(url)) ?? '', { transaction }));
    expect(failed).toMatchObject({ code: 'store_unavailable' });
    expect(failed.message).not.toContain('secret');
  });

  it.each([['//evil.example/x'], ['https://evil.example/x'], ['/\\evil.example'], ['javascript:alert(1)'], ['relative'], ['http://app.example/x'], ['/a\nb']])(
    'goes back to no other place than the application: %j',
    async (returnTo) => {
      const app = firm();
      expect(await rejection(app.accounts.authorize('acme', { returnTo }))).toMatchObject({ code: 'invalid_option' });
    },
  );

  it('gives back what the server adds to its answer: a tenant, the address of the API, and nothing that nobody asked for [P29]', async () => {
    const app = firm(
      { preset: { rawMembers: ['instance_url', 'tenant'] } },
      { members: { instance_url: 'https://eu1.api.test', tenant: 'T1', refresh_expires_in: 1_000, other: 1 } },
    );
    expect((await app.connect('acme')).raw).toEqual({ instance_url: 'https://eu1.api.test', tenant: 'T1' });
    app.server.set({ members: {} });
    await app.clock.advance(3_600_000);
    await app.accounts.account('acme').getToken();
    expect((await app.accounts.details('acme'))?.raw).toEqual({ instance_url: 'https://eu1.api.test', tenant: 'T1' });
  });
});

describe('a reconnect', () => {
  it('keeps the account, and heals one that had ended [A32, R26]', async () => {
    const app = firm();
    await app.connect('acme');
    app.server.revokeGrant((await app.accounts.account('acme').getToken()).value);
    await app.clock.advance(3_600_000);
    expect(await rejection(app.accounts.account('acme').getToken())).toMatchObject({ code: 'grant_revoked' });
    expect(await listed(app.accounts.list({ state: 'needs_reconnect' }))).toEqual([{ accountId: 'acme', state: 'needs_reconnect', reason: 'grant_revoked' }]);
    await app.connect('acme');
    expect((await app.accounts.account('acme').getToken()).value).toMatch(/./);
    expect(await listed(app.accounts.list({ state: 'needs_reconnect' }))).toEqual([]);
  });

  it('refuses another subject, and the account stays as it was [A32, R30]', async () => {
    const app = firm();
    await app.connect('acme');
    const before = (await app.accounts.account('acme').getToken()).value;
    app.server.set({ user: 'mallory' });
    expect(await rejection(app.connect('acme'))).toMatchObject({ code: 'subject_mismatch', kind: 'interaction' });
    expect((await app.another().account('acme').getToken()).value).toBe(before);
    expect((await app.accounts.details('acme'))?.subject).toBe('alice');
    // Once it is disconnected nobody owns it.
    await app.accounts.disconnect('acme');
    await app.connect('acme');
    expect((await app.accounts.details('acme'))?.subject).toBe('mallory');
  });

  it('refuses another subject also when both connect a new account at once', async () => {
    const app = firm();
    const other = app.another();
    const begin = async (by: typeof other, user: string) => {
      app.server.set({ user });
      const { url, transaction } = await by.authorize('acme');
      return { transaction, callback: (await app.server.visit(url)) ?? '' };
    };
    const alice = await begin(app.accounts, 'alice');
    const mallory = await begin(other, 'mallory');
    const outcomes = await Promise.allSettled([
      app.accounts.callback(alice.callback, { transaction: alice.transaction }),
      other.callback(mallory.callback, { transaction: mallory.transaction }),
    ]);
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason);
    expect(failed).toEqual([expect.objectContaining({ code: 'subject_mismatch' })]);
  });

  it('refuses another tenant where the server’s answer names it, and no ID token does', async () => {
    const app = firm({ scope: 'offline_access', subjectMember: 'tenant' }, { members: { tenant: 'T1' } });
    await app.connect('acme');
    app.server.set({ members: {} });
    await app.clock.advance(3_600_000);
    await app.accounts.account('acme').getToken();
    app.server.set({ members: { tenant: 'T2' } });
    expect(await rejection(app.connect('acme'))).toMatchObject({ code: 'subject_mismatch' });
    // Nor one that does not say.
    app.server.set({ members: {} });
    expect(await rejection(app.connect('acme'))).toMatchObject({ code: 'subject_mismatch' });
    app.server.set({ members: { tenant: 'T1' } });
    expect((await app.connect('acme')).accountId).toBe('acme');
  });

  it('is known to other processes within a second of their asking for a dead account, also when they had failed with it [R24, X11]', async () => {
    const app = firm();
    const other = app.another();
    expect(await rejection(other.account('acme').getToken())).toMatchObject({ code: 'login_required' });
    await app.accounts.import('acme', { refreshToken: app.server.issueRefreshToken() });
    await app.clock.advance(1_000);
    expect((await other.account('acme').getToken()).value).toMatch(/./);
  });
});

describe('an import', () => {
  it('takes an account over with its refresh token alone, and the first call spends it', async () => {
    const app = firm();
    const refreshToken = app.server.issueRefreshToken();
    expect(await app.accounts.import('acme', { refreshToken })).toBe(true);
    expect(app.server.tokenRequests).toBe(0);
    expect(await app.accounts.details('acme')).toMatchObject({ state: 'healthy', scope: [] });
    await app.another().account('acme').getToken();
    expect(tokenRequest(app)?.params.get('refresh_token')).toBe(refreshToken);
  });

  it('can be repeated: what was imported, has rotated since, ended or was disconnected is left alone', async () => {
    const app = firm();
    const account = { refreshToken: app.server.issueRefreshToken() };
    await app.accounts.import('acme', account);
    await app.accounts.account('acme').getToken();
    expect(await app.accounts.import('acme', account)).toBe(false);
    expect(await app.another().import('acme', account)).toBe(false);
    await app.accounts.disconnect('acme');
    expect(await app.another().import('acme', account)).toBe(false);
    expect(await app.accounts.import('acme', { refreshToken: app.server.issueRefreshToken(), replace: true })).toBe(true);
    expect((await app.accounts.account('acme').getToken()).value).toMatch(/./);
    expect(app.server.stats.reuses).toBe(0);
  });

  it('serves an access token that is still good, and knows whose it is at a reconnect [A32]', async () => {
    const app = firm();
    await app.accounts.import('acme', { refreshToken: 'rt', accessToken: 'at-old', expiresInMs: 600_000, subject: 'ada', scope: 'a b', raw: { tenant: 'T1' } });
    expect((await app.accounts.account('acme').getToken()).value).toBe('at-old');
    expect(await rejection(app.connect('acme'))).toMatchObject({ code: 'subject_mismatch' });
    expect(await rejection(app.accounts.import('acme', { refreshToken: 'rt', subject: 'eve', replace: true }))).toMatchObject({ code: 'subject_mismatch' });
    app.server.set({ user: 'ada' });
    expect((await app.connect('acme')).accountId).toBe('acme');
  });
});

describe('a disconnect', () => {
  it('forgets first, revokes at the server, and is what other processes find [R26, R27, X10]', async () => {
    const app = firm();
    await app.connect('acme');
    const other = app.another();
    await other.account('acme').getToken();
    await app.accounts.disconnect('acme');
    expect(app.server.requestsTo('revocation').map(({ params }) => params.get('token_type_hint'))).toEqual(['refresh_token', 'access_token']);
    expect(await listed(app.accounts.list())).toEqual([]);
    expect(await app.accounts.details('acme')).toBeUndefined();
    await app.clock.advance(60_000);
    expect(await rejection(other.account('acme').getToken())).toMatchObject({ code: 'login_required' });
  });

  it('holds when the server cannot be told, and says so', async () => {
    const app = firm();
    await app.connect('acme');
    app.server.set({ revocationAnswer: { status: 500, body: '' } });
    expect(await rejection(app.accounts.disconnect('acme'))).toBeInstanceOf(TokenError);
    expect(await rejection(app.accounts.account('acme').getToken())).toMatchObject({ code: 'login_required' });
  });

  it('leaves nothing behind for an account that never was', async () => {
    const app = firm();
    await app.accounts.disconnect('nobody');
    expect(await rejection(app.accounts.account('nobody').getToken())).toMatchObject({ code: 'login_required' });
    expect(app.store.size).toBe(0);
  });
});
