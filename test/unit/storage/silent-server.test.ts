import { clientSecretBasic } from 'tokenkeep';
import { createServiceClient } from 'tokenkeep/server';
import { redisStore } from 'tokenkeep/storage/redis';
import { fakeAuthorizationServer, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { observedStore, scriptedGrant, watched } from '../manager/support.js';

describe('a store whose server says nothing', () => {
  it('costs a service one wait, though it looks into the store, takes its lock and writes: less than 5 s in all [X18]', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock });
    let calls = 0;
    const silent = {
      eval(): Promise<unknown> {
        calls++;
        return new Promise(() => undefined);
      },
    };
    const store = redisStore(silent, { clock });
    const service = createServiceClient({
      server: server.metadata,
      clientId: 'billing',
      auth: clientSecretBasic('secret-of-billing'),
      fetch: server.fetch,
      store,
      clock,
    });
    const began = clock.monotonicMs();
    const token = service.tokens.getToken().then(() => clock.monotonicMs() - began);
    await clock.advance(4_999);
    await clock.advance(60_000);
    expect(await token).toBeLessThan(5_000);
    expect([server.tokenRequests, calls]).toEqual([1, 1]);
    await service.dispose();
  });

  it('frees a lock that it gives when nobody waits for it any more [X17]', async () => {
    const clock = virtualClock();
    const answers: ((value: unknown) => void)[] = [];
    const scripts: string[] = [];
    const slow = {
      eval(script: string): Promise<unknown> {
        scripts.push(script);
        return new Promise((resolve) => answers.push(resolve));
      },
    };
    const running = redisStore(slow, { clock }).lock?.run('name', async () => 'ran', { waitMs: 1_000 });
    const outcome = running?.catch((error: unknown) => error);
    await clock.advance(5_000);
    expect(await outcome).toBeInstanceOf(Error);
    answers[0]?.(1);
    await clock.advance(0);
    expect(scripts).toHaveLength(2);
    expect(scripts[1]).toContain("'DEL'");
  });
});

it('what a process drew for itself while the store was down gives way to what others have shared since [X18, X19]', async () => {
  const clock = virtualClock();
  const store = observedStore(clock, { shared: true });
  const grant = scriptedGrant('regrant');
  const [one, other] = [watched({ grant, store, clock }), watched({ grant, store, clock })];
  const down = async (): Promise<void> => {
    throw new Error('down');
  };
  store.beforeGet = down;
  store.beforeSet = down;
  expect((await one.tokens.getToken()).value).toBe('at-1');
  await clock.advance(1_000);
  expect((await other.tokens.getToken()).value).toBe('at-2');
  store.beforeGet = undefined;
  store.beforeSet = undefined;
  await clock.advance(2 * 3_600_000);
  expect((await one.tokens.getToken()).value).toBe('at-3');
  expect((await other.tokens.getToken()).value).toBe('at-3');
  expect(grant.requests).toHaveLength(3);
});
