import { clientSecretBasic, isTokenError } from 'tokenkeep';
import { createServiceClient, type ServiceClient } from 'tokenkeep/server';
import { type FakeAuthorizationServer, fakeAuthorizationServer, type VirtualClock, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { type TestAccountStore, testAccountStore } from '../../support/account-store.js';

interface Fleet {
  readonly clock: VirtualClock;
  readonly server: FakeAuthorizationServer;
  readonly store: TestAccountStore;
  readonly members: readonly ServiceClient[];
  /** What each of them gets, once the time has passed that it takes. */
  ask(ms?: number): Promise<readonly string[]>;
}

function fleet(): Fleet {
  const clock = virtualClock();
  const server = fakeAuthorizationServer({ clock, knobs: { expiresIn: 600 } });
  const store = testAccountStore(clock);
  const options = { server: server.metadata, clientId: 'billing', auth: clientSecretBasic('secret-of-billing'), fetch: server.fetch, store, clock };
  const members = Array.from({ length: 8 }, () => createServiceClient(options));
  const ask = async (ms = 40_000): Promise<readonly string[]> => {
    const asked = members.map(({ tokens }) =>
      tokens.getToken().then(
        () => 'a token',
        (error: unknown) => (isTokenError(error) ? error.code : String(error)),
      ),
    );
    await clock.advance(ms);
    return Promise.all(asked);
  };
  return { clock, server, store, members, ask };
}

describe('a fleet whose token endpoint asks one process to be left alone', () => {
  it.each([429, 503])('leaves it alone, all of it, until the time that %i named is over [R22, R23, R24]', async (status) => {
    const { server, members, clock, ask, store } = fleet();
    server.set({ answer: { status, body: '' }, retryAfter: 120 });
    for (let round = 0; round < 10; round++) for (const code of await ask(1_000)) expect(['rate_limited', 'server_error']).toContain(code);
    expect(server.tokenRequests).toBe(1);
    expect(members[7]?.tokens.snapshot().lastError).toMatchObject({ kind: 'transient', fromCache: true });
    expect(store.dump()).not.toMatch(/secret|error|limited/);
    server.set({ answer: undefined, retryAfter: undefined });
    await clock.advance(100_000);
    expect(server.tokenRequests).toBe(1);
    await clock.advance(30_000);
    expect(new Set(await ask())).toEqual(new Set(['a token']));
    expect(server.tokenRequests).toBe(2);
  });

  it('is not held up by what one process alone has: a network that is broken, a secret that is wrong', async () => {
    const { server, members, store, clock } = fleet();
    for (const [index, trouble] of [{ error: 'invalid_client' }, { connection: 'dropBeforeCommit' as const }].entries()) {
      server.set(trouble);
      const failed = members[index]?.tokens.getToken().catch((error: unknown) => error);
      await clock.advance(40_000);
      expect(isTokenError(await failed)).toBe(true);
      server.set({ error: undefined, connection: 'normal' });
    }
    expect(store.size).toBe(0);
    expect((await members[2]?.tokens.getToken())?.value).toMatch(/./);
  });

  it('looks into the store once for each renewal, and never for a token that is at hand [rule 14]', async () => {
    const { store, members, ask, server } = fleet();
    await ask(0);
    expect(server.tokenRequests).toBe(1);
    const { get, set } = store.calls;
    for (let call = 0; call < 1_000; call++) await members[3]?.tokens.getToken();
    expect([store.calls.get, store.calls.set]).toEqual([get, set]);
  });

  it('goes on without a store that fails', async () => {
    const { store, server, ask } = fleet();
    store.before = () => Promise.reject(new Error('the text of a driver'));
    expect(new Set(await ask())).toEqual(new Set(['a token']));
    expect(server.tokenRequests).toBe(8);
  });

  it('is over in time where the store cannot say how long ago it was asked to [R24]', async () => {
    const { clock, server, store, members } = fleet();
    const inner = store.get;
    store.get = async (key) => {
      const { ageMs: _, ...stored } = (await inner(key)) ?? {};
      return 'value' in stored && stored.value !== undefined && stored.version !== undefined ? { value: stored.value, version: stored.version } : undefined;
    };
    server.set({ answer: { status: 429, body: '' }, retryAfter: 120 });
    const refused = members[0]?.tokens.getToken().catch((error: unknown) => error);
    await clock.advance(40_000);
    expect(await refused).toMatchObject({ code: 'rate_limited' });
    server.set({ answer: undefined, retryAfter: undefined });
    await clock.advance(3_600_000);
    const asked = members[1]?.tokens.getToken();
    await clock.advance(1_000);
    expect((await asked)?.value).toMatch(/./);
  });
});
