import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { clientSecretBasic, systemClock } from 'tokenkeep';
import { type Accounts, type AccountsOptions, createAccounts } from 'tokenkeep/server';
import { type TestAccountStore, testAccountStore } from '../support/account-store.js';
import { shiftedClock } from './support/shifted-clock.js';
import { browser, redirectUri, startSignInServer } from './support/sign-in-server.js';

let as: Awaited<ReturnType<typeof startSignInServer>>;
beforeAll(async () => {
  as = await startSignInServer();
});
afterAll(() => as.close());
beforeEach(() => {
  as.log.length = 0;
  as.refusals.length = 0;
});

function open(store: TestAccountStore, options: Partial<AccountsOptions> = {}): Accounts {
  return createAccounts({
    issuer: as.issuer,
    clientId: 'web',
    auth: clientSecretBasic('secret-of-the-web-app'),
    preset: { idTokenAlgorithms: ['ES256'] },
    redirectUri,
    scope: 'openid offline_access',
    store,
    ...options,
  });
}

async function connect(accounts: Accounts, accountId: string): Promise<void> {
  const { url, transaction } = await accounts.authorize(accountId);
  await accounts.callback(await browser().visit(url), { transaction });
}

const tokenRequests = (): number => as.log.filter((line) => line === 'POST /token').length;

describe('accounts at oidc-provider, which rotates refresh tokens and ends a grant at their reuse', () => {
  it('are connected, renewed once by two processes at the same time, refreshed by a sweep, and disconnected [A2, A32, R3, R14]', async () => {
    const clock = shiftedClock();
    const store = testAccountStore(clock);
    const accounts = open(store, { clock, refreshTokenIdleMs: 1_800_000 });
    const other = open(store, { clock, refreshTokenIdleMs: 1_800_000 });
    await connect(accounts, 'acme');
    await connect(accounts, 'beta');
    expect(await accounts.details('acme')).toMatchObject({ subject: 'alice', state: 'healthy' });
    as.log.length = 0;

    clock.advance(120_000);
    const tokens = await Promise.all([accounts, other, accounts, other].map((each) => each.account('acme').getToken()));
    expect(new Set(tokens.map(({ value }) => value)).size).toBe(1);
    expect(tokenRequests()).toBe(1);

    clock.advance(1_400_000);
    const reports = await Promise.all([accounts.sweep(), other.sweep()]);
    expect(reports.map(({ renewed }) => renewed).toSorted()).toEqual([0, 2]);
    expect(reports.filter(({ elsewhere }) => elsewhere)).toHaveLength(1);
    for (let round = 0; round < 3; round++) {
      clock.advance(120_000);
      await Promise.all([accounts, other].flatMap((each) => [each.account('acme').getToken(), each.account('beta').getToken()]));
    }
    expect(as.refusals).toEqual([]);

    await accounts.disconnect('acme');
    await expect(other.account('acme').getToken({ minValidMs: 60_000 })).resolves.toBeDefined();
    clock.advance(60_000);
    await expect(other.account('acme').getToken()).rejects.toMatchObject({ code: 'login_required' });
    await Promise.all([accounts.dispose(), other.dispose()]);
  });

  it('say which account was lost, when the server had consumed a refresh token whose answer died with its process [R14]', async () => {
    const clock = shiftedClock();
    const store = testAccountStore(clock);
    const accounts = open(store, { clock });
    await connect(accounts, 'acme');
    await connect(accounts, 'beta');
    clock.advance(120_000);

    // The process dies between the server's answer and its own write: what it held in memory is gone with it.
    const events: unknown[] = [];
    const dead = { shared: true, run: <T>(_name: string, task: (held: AbortSignal) => Promise<T>) => task(new AbortController().signal) } as const;
    const answered = Promise.withResolvers<void>();
    const dying = open(store, {
      clock,
      lock: dead,
      fetch: async (input, init) => {
        const answer = await fetch(input, init);
        if (init?.method !== 'POST') return answer;
        answered.resolve();
        return new Promise<Response>(() => undefined);
      },
    });
    void dying
      .account('acme')
      .getToken()
      .catch(() => undefined);
    await answered.promise;

    const alive = open(store, { clock, lock: dead, onEvent: (event) => void events.push(event) });
    await expect(alive.account('acme').getToken()).rejects.toMatchObject({ code: 'rotation_lost', kind: 'interaction' });
    expect(events).toContainEqual(expect.objectContaining({ type: 'needs_reconnect', accountId: 'acme', reason: 'rotation_lost' }));
    // Never a loop, and no other account is touched.
    const asked = tokenRequests();
    await expect(alive.account('acme').getToken()).rejects.toMatchObject({ code: 'rotation_lost' });
    expect(tokenRequests()).toBe(asked);
    expect((await alive.account('beta').getToken()).value).toMatch(/./);
    await connect(alive, 'acme');
    expect((await alive.account('acme').getToken()).value).toMatch(/./);
    await alive.dispose();
  });

  it('refuse a callback that belongs to somebody else’s browser, and nothing reaches the token endpoint [A4]', async () => {
    const store = testAccountStore(systemClock);
    const accounts = open(store);
    const attacker = await accounts.authorize('attacker');
    const victim = await accounts.authorize('victim');
    const stolen = await browser().visit(attacker.url);
    await expect(accounts.callback(new Request(stolen), { transaction: victim.transaction })).rejects.toMatchObject({ code: 'callback_refused' });
    expect(tokenRequests()).toBe(0);
    await accounts.dispose();
  });
});
