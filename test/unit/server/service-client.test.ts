import PQueue from 'p-queue';
import { clientSecretBasic, localLock, type Lock, memoryStore, none, TokenError, type TokenStore } from 'tokenkeep';
import { createServiceClient, type ServiceClient, type ServiceClientOptions } from 'tokenkeep/server';
import { type FakeAuthorizationServer, fakeAuthorizationServer, type ServerKnobs, type VirtualClock, virtualClock } from 'tokenkeep/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { tokenEndpointQueue } from '../../../src/server/token-endpoint-queue.js';
import { hourMs, rejection } from '../manager/support.js';

interface Service {
  readonly clock: VirtualClock;
  readonly server: FakeAuthorizationServer;
  readonly service: ServiceClient;
  /** The most token requests that were in flight at a time. */
  mostAtOnce(): number;
}

function startService(options: Partial<ServiceClientOptions> = {}, knobs: Partial<ServerKnobs> = {}): Service {
  const clock = virtualClock();
  const server = fakeAuthorizationServer({ clock, knobs });
  let inFlight = 0;
  let most = 0;
  const counted: typeof fetch = async (input, init) => {
    most = Math.max(most, ++inFlight);
    try {
      return await server.fetch(input, init);
    } finally {
      inFlight--;
    }
  };
  const service = createServiceClient({
    server: server.metadata,
    clientId: 'billing',
    auth: clientSecretBasic('secret-of-billing'),
    fetch: counted,
    clock,
    ...options,
  });
  return { clock, server, service, mostAtOnce: () => most };
}

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('createServiceClient', () => {
  it('asks for nothing before the first call', async () => {
    const { clock, server, service } = startService();
    service.http({ baseUrl: 'https://api.test' });
    await clock.advance(hourMs);
    expect(server.requests).toHaveLength(0);
    expect(clock.pending).toBe(0);
  });

  it('asks once for twenty concurrent callers with a cold cache [peer P4, complaint 9, G1]', async () => {
    const { server, service } = startService({ scope: 'invoices' });
    const answers = await Promise.all(Array.from({ length: 20 }, () => service.tokens.getToken()));
    expect(new Set(answers).size).toBe(1);
    expect(server.tokenRequests).toBe(1);
    expect(Object.fromEntries(server.requestsTo('token')[0]?.params ?? [])).toEqual({ grant_type: 'client_credentials', scope: 'invoices' });
  });

  it('keeps no refresh token and no ID token from the answer [G1, R28]', async () => {
    const clock = virtualClock();
    const store = memoryStore({ clock });
    const written: string[] = [];
    const watchedStore: TokenStore = {
      ...store,
      set(key, value, write) {
        written.push(value);
        return store.set(key, value, write);
      },
    };
    const { service } = startService({ store: watchedStore, clock }, { refreshTokenForClientCredentials: true });
    await service.tokens.getToken();
    expect(written).toHaveLength(1);
    expect(written[0]).not.toContain('rt-');
  });

  it('refuses a public client, which has no credentials of its own [G1]', () => {
    expect(() => startService({ auth: none() })).toThrow(expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining('"auth"') }));
    expect(() => startService({ auth: undefined })).toThrow(expect.objectContaining({ code: 'invalid_option' }));
  });

  it('refuses a misspelt option', () => {
    const options = {
      server: { issuer: 'https://as.test', token_endpoint: 'https://as.test/token' },
      clientId: 'billing',
      auth: clientSecretBasic('s'),
      scopes: 'a',
    };
    expect(() => createServiceClient(options)).toThrow(expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining('scopes') }));
  });

  it('gives its HTTP client the token, and tokens for another API to a second one', async () => {
    const { server, service } = startService({ audience: 'one' });
    await service.http({ baseUrl: 'https://api.test/', fetch: server.fetch }).get('things');
    await service.http({ baseUrl: 'https://api.test/', fetch: server.fetch, tokens: service.tokens.for({ audience: 'two' }) }).get('things');
    expect(server.requestsTo('token').map((request) => request.params.get('audience'))).toEqual(['one', 'two']);
    const [first, second] = server.requestsTo('api').map((request) => request.headers.get('authorization'));
    expect(first).toMatch(/^Bearer at-/);
    expect(second).toMatch(/^Bearer at-/);
    expect(first).not.toBe(second);
  });

  it('renews once for many calls that are refused [gap 1, R4]', async () => {
    const { server, service } = startService();
    const { value } = await service.tokens.getToken();
    server.revokeAccessToken(value);
    const http = service.http({ baseUrl: 'https://api.test/', fetch: server.fetch });
    const answers = await Promise.all(Array.from({ length: 50 }, () => http.get('things')));
    expect(answers.every((answer) => answer.status === 200)).toBe(true);
    expect(server.tokenRequests).toBe(2);
  });

  it('ends with dispose, or with await using', async () => {
    let outside: ServiceClient;
    {
      const started = startService();
      await using service = started.service;
      outside = service;
      await service.tokens.ready();
    }
    expect(await rejection(outside.tokens.getToken())).toMatchObject({ code: 'disposed' });
    await outside.dispose();
    await outside.dispose();
  });

  it('shares tokens with its nine twins through one store, cold and at expiry [gap 15, X19]', async () => {
    const clock = virtualClock();
    const store = memoryStore({ clock });
    const server = fakeAuthorizationServer({ clock, knobs: { latencyBeforeMs: 200 } });
    const twins = Array.from({ length: 10 }, () =>
      createServiceClient({ server: server.metadata, clientId: 'billing', auth: clientSecretBasic('s'), fetch: server.fetch, clock, store }),
    );
    const round = async (): Promise<number> => {
      const answers = Promise.all(Array.from({ length: 1_000 }, (_, call) => twins[call % 10]?.tokens.getToken()));
      for (let turn = 0; turn < 20; turn++) await clock.advance(0);
      await clock.advance(200);
      for (let turn = 0; turn < 20; turn++) await clock.advance(0);
      return new Set((await answers).map((token) => token?.value)).size;
    };
    expect(await round()).toBe(1);
    expect(server.tokenRequests).toBe(1);
    await clock.advance(hourMs);
    expect(await round()).toBe(1);
    expect(server.tokenRequests).toBe(2);
  });
});

describe('the line in front of the token endpoint', () => {
  it('lets eight requests through at a time, however many targets are asked for', async () => {
    const { clock, server, service, mostAtOnce } = startService({}, { latencyBeforeMs: 100 });
    const answers = Promise.all(Array.from({ length: 100 }, (_, target) => service.tokens.for({ audience: `api-${target}` }).getToken()));
    await clock.advance(13 * 100);
    expect(new Set((await answers).map((token) => token.value)).size).toBe(100);
    expect(server.tokenRequests).toBe(100);
    expect(mostAtOnce()).toBe(8);
  });

  it('is stood in before the lock: nobody waits for a slot while holding a lock', async () => {
    let holders = 0;
    let most = 0;
    const inner = localLock();
    const lock: Lock = {
      run: (name, task, options) =>
        inner.run(
          name,
          async (held) => {
            most = Math.max(most, ++holders);
            try {
              return await task(held);
            } finally {
              holders--;
            }
          },
          options,
        ),
    };
    const { clock, service } = startService({ lock }, { latencyBeforeMs: 100 });
    const answers = Promise.all(Array.from({ length: 40 }, (_, target) => service.tokens.for({ audience: `api-${target}` }).getToken()));
    for (let batch = 0; batch < 8; batch++) await clock.advance(100);
    await answers;
    expect(most).toBe(8);
  });

  it('puts those that somebody waits for before those behind the callers', async () => {
    const queue = tokenEndpointQueue();
    const order: string[] = [];
    const releases: (() => void)[] = [];
    const busy = Array.from({ length: 8 }, () => queue.run(() => new Promise<void>((resolve) => releases.push(resolve)), { background: false }));
    const late = ['background', 'interactive'].map((name) => queue.run(async () => void order.push(name), { background: name === 'background' }));
    for (const release of releases) release();
    await Promise.all([...busy, ...late]);
    expect(order).toEqual(['interactive', 'background']);
  });

  it('settles as the task does, also when it throws, and goes on', async () => {
    const queue = tokenEndpointQueue();
    const error = new Error('planned');
    await expect(queue.run(() => Promise.reject(error), { background: false })).rejects.toBe(error);
    expect(await queue.run(async () => 'next', { background: true })).toBe('next');
  });

  it('gets its slot back from a renewal behind the callers that finds the lock busy', async () => {
    let isBusy = false;
    const lock: Lock = {
      run: async (_name, task, { waitMs }) => {
        if (isBusy && waitMs === 0) throw new TokenError('lock_timeout', 'busy', { phase: 'lock' });
        return task(new AbortController().signal);
      },
    };
    const { clock, server, service, mostAtOnce } = startService({ lock }, { latencyBeforeMs: 100 });
    const targets = Array.from({ length: 8 }, (_, target) => service.tokens.for({ audience: `api-${target}` }));
    const first = Promise.all(targets.map((target) => target.getToken()));
    await clock.advance(100);
    await first;
    await clock.advance(hourMs - 60_000);
    isBusy = true;
    await Promise.all(targets.map((target) => target.getToken()));
    const others = Promise.all(Array.from({ length: 8 }, (_, target) => service.tokens.for({ audience: `other-${target}` }).getToken()));
    await clock.advance(100);
    await others;
    expect(server.tokenRequests).toBe(16);
    expect(mostAtOnce()).toBe(8);
  });

  it('does not stop the clock of a wait: who stands in it gives up after 35 s, by our clock and no timer of the queue [L7, R20]', async () => {
    const setTimeoutSpy = vi.spyOn(globalThis, 'setTimeout');
    const { clock, server, service } = startService({}, { connection: 'hangBeforeCommit' });
    const began = clock.now();
    const failures = Array.from({ length: 9 }, (_, target) =>
      rejection(service.tokens.for({ audience: `api-${target}` }).getToken()).then((error) => [error.code, clock.now() - began]),
    );
    await clock.advance(34_999);
    const eight = await Promise.all(failures.slice(0, 8));
    expect(eight.every(([code, atMs]) => code === 'timeout' && Number(atMs) >= 30_000 && Number(atMs) < 34_000)).toBe(true);
    await clock.advance(1);
    expect(await failures[8]).toEqual(['wait_timeout', 35_000]);
    // The ninth renewal has a deadline of its own, from when it got its slot and its lock.
    const before = server.requestsTo('token').filter((request) => request.params.get('audience') === 'api-8').length;
    expect(before).toBeGreaterThan(0);
    await clock.advance(60_000);
    expect(server.requestsTo('token').filter((request) => request.params.get('audience') === 'api-8')).toHaveLength(3);
    expect(setTimeoutSpy).not.toHaveBeenCalled();
    expect(clock.pending).toBe(0);
  });

  it('could not lean on the time limit of p-queue, which counts from when a task leaves the queue [L7]', async () => {
    vi.useFakeTimers();
    const queue = new PQueue({ concurrency: 1, timeout: 100 });
    const task = () => new Promise<string>((resolve) => setTimeout(() => resolve('done'), 90));
    const both = Promise.all([queue.add(task), queue.add(task)]);
    await vi.advanceTimersByTimeAsync(180);
    expect(await both).toEqual(['done', 'done']);
  });
});
