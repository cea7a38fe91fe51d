import { createTokenManager, customGrant } from 'tokenkeep';
import { webLock } from 'tokenkeep/locks/web';
import { lockContract, virtualClock } from 'tokenkeep/testing';
import { afterEach, describe, expect, it, test, vi } from 'vitest';

type Request = (name: string, options: LockOptions, callback: (lock: object | null) => unknown) => Promise<unknown>;

/** Grants everything, unless told otherwise. */
function stubLocks(request: Request = async (_name, _options, callback) => callback({})) {
  const spy = vi.fn(request);
  vi.stubGlobal('navigator', { locks: { request: spy } });
  return spy;
}

afterEach(() => {
  vi.unstubAllGlobals();
});

// Node has had them since 24.5; Chromium runs the contract in test/browser.
if (Object(globalThis.navigator).locks !== undefined) for (const { name, run } of lockContract(webLock)) test(`webLock() of Node ${name} [X3]`, run);

describe('webLock()', () => {
  it('asks for an exclusive lock under a name of its own, never steals, and never waits without a limit [X3]', async () => {
    const clock = virtualClock();
    const spy = stubLocks();
    const lock = webLock({ clock });
    await lock.run('record', async () => undefined, { waitMs: 0 });
    await lock.run('record', async () => undefined, { waitMs: 34_000 });
    await lock.run('record', async () => undefined, { waitMs: 34_000, signal: new AbortController().signal });
    expect(spy.mock.calls.map(([name]) => name)).toEqual(['tokenkeep:record', 'tokenkeep:record', 'tokenkeep:record']);
    for (const [, options] of spy.mock.calls) {
      expect(Object.keys(options)).toEqual([options.ifAvailable ? 'ifAvailable' : 'signal']);
      expect(options.mode ?? 'exclusive').toBe('exclusive');
    }
    expect(clock.pending).toBe(0);
  });

  it('gives up after waitMs by its clock, and takes a lock that comes too late for nobody [X4]', async () => {
    const clock = virtualClock();
    const late = Promise.withResolvers<(lock: object | null) => unknown>();
    let wait: AbortSignal | undefined;
    stubLocks((_name, options, callback) => {
      wait = options.signal;
      late.resolve(callback);
      return new Promise((_resolve, reject) => options.signal?.addEventListener('abort', () => reject(options.signal?.reason)));
    });
    let ran = false;
    const refused = webLock({ clock }).run('record', async () => (ran = true), { waitMs: 34_000 });
    refused.catch(() => undefined);
    await clock.advance(33_999);
    expect(wait?.aborted).toBe(false);
    await clock.advance(1);
    await expect(refused).rejects.toMatchObject({ code: 'lock_timeout', kind: 'transient', phase: 'lock' });
    expect([(await late.promise)({}), ran, clock.pending]).toEqual([undefined, false, 0]);
  });

  it('tells its task that the lock was lost, and settles as the task does [X3]', async () => {
    const stolen = Promise.withResolvers<never>();
    stubLocks(async (_name, _options, callback) => {
      void callback({});
      return stolen.promise;
    });
    const task = (held: AbortSignal): Promise<unknown> => {
      stolen.reject(new DOMException('stolen', 'AbortError'));
      return new Promise((resolve) => held.addEventListener('abort', () => resolve(held.reason)));
    };
    const running = webLock().run('record', task, { waitMs: 1_000 });
    expect(await running).toMatchObject({ code: 'lock_lost' });
  });

  it('holds the lock until the task has ended, and ends when it is free again [X5]', async () => {
    const order: string[] = [];
    stubLocks(async (_name, _options, callback) => {
      await callback({});
      await Promise.resolve();
      order.push('free');
    });
    await webLock().run('record', async () => void order.push('ran'), { waitMs: 1_000 });
    order.push('ended');
    expect(order).toEqual(['ran', 'free', 'ended']);
  });

  it.each<[string, () => unknown]>([
    ['there are no Web Locks', () => vi.stubGlobal('navigator', {})],
    ['the browser refuses them', () => stubLocks(() => Promise.reject(new DOMException('no', 'SecurityError')))],
  ])('fails as a lock that is broken, not as one that is taken, where %s; what cannot be spent twice goes on [X18]', async (_where, stub) => {
    stub();
    for (const waitMs of [0, 1_000]) {
      const error: unknown = await webLock()
        .run('record', async () => undefined, { waitMs })
        .catch((reason: unknown) => reason);
      expect(error).not.toMatchObject({ name: 'TokenError' });
    }
    const service = createTokenManager({ grant: customGrant(async () => ({ accessToken: 'token', expiresInMs: 60_000 })), lock: webLock() });
    expect((await service.getToken()).value).toBe('token');
    const rotating = customGrant(async () => ({ accessToken: 'token', refreshToken: 'rt' }), { id: 'rotating', renews: 'refreshToken' });
    await expect(createTokenManager({ grant: rotating, lock: webLock() }).getToken()).rejects.toMatchObject({ code: 'lock_timeout', kind: 'transient' });
  });
});
