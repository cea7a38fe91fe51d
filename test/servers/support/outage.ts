import { type AccountStore, type Clock, systemClock } from 'tokenkeep';
import { expect } from 'vitest';
import type { DatabaseServer } from './database-server.js';

/** Makes a store with clients of its own, and leases of 1.5 s. */
export type MakeStore = (clock: Clock) => Promise<AccountStore>;

// Waits take a quarter of their time here; nothing else knows.
const hurried: Clock = { ...systemClock, sleep: (ms, signal, options) => systemClock.sleep(ms / 4, signal, options) };

/** What every store on a server has to stand. */
export async function survivesKillAndRestart(server: DatabaseServer, makeWith: MakeStore): Promise<void> {
  const make = (): Promise<AccountStore> => makeWith(hurried);
  const store = await make();
  const key = 'outage';
  expect(await store.set(key, 'before', { expected: undefined, next: 'v1', index: { accountId: 'a', state: 'outage' } })).toBe(true);
  const heard: string[] = [];
  const undo = store.subscribe?.(key, () => heard.push('changed'));
  const inside = Promise.withResolvers<void>();
  const lost = Promise.withResolvers<unknown>();
  const task = store.lock?.run(
    'outage',
    async (held) => {
      inside.resolve();
      await new Promise((resolve) => held.addEventListener('abort', resolve));
      lost.resolve(held.reason);
      return 'ended by itself';
    },
    { waitMs: 1_000 },
  );
  await inside.promise;

  await server.kill();
  try {
    await expect(store.get(key)).rejects.toMatchObject({ code: 'store_unavailable', kind: 'transient' });
    await expect(store.set(key, 'lost', { expected: 'v1', next: 'v2' })).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await lost.promise).toMatchObject({ code: 'lock_lost', kind: 'transient' });
    await expect(task).resolves.toBe('ended by itself');
  } finally {
    await server.start();
  }
  await expect.poll(() => store.get(key).catch(() => undefined), { timeout: 10_000 }).toMatchObject({ value: expect.stringMatching(/^before$|^lost$/) });
  // Nothing is torn: a write that was queued while the server was away replaced the version it expected, or nothing.
  const found = await store.get(key);
  expect(`${found?.value} ${found?.version}`).toMatch(/^(before v1|lost v2)$/);
  const other = await make();
  await expect.poll(() => other.lock?.run('outage', async () => 'in', { waitMs: 3_000 }).catch(String), { timeout: 10_000 }).toBe('in');
  expect(await other.set(key, 'after', { expected: found?.version, next: 'v3' })).toBe(true);
  expect(await store.set(key, 'late', { expected: 'v1', next: 'v4' })).toBe(false);
  expect(await store.get(key)).toMatchObject({ value: 'after', version: 'v3' });
  if (undo === undefined) return;
  // It listens again by itself.
  let version = 'v3';
  await expect
    .poll(
      async () => {
        const next = `${version}+`;
        if (await other.set(key, 'after', { expected: version, next })) version = next;
        return heard.length;
      },
      { timeout: 10_000, interval: 100 },
    )
    .toBeGreaterThan(0);
  undo();
}

/** The server accepts and says nothing: calls end within their limit, then at once, and all is well when it answers again. */
export async function survivesHang(server: DatabaseServer, makeWith: MakeStore): Promise<void> {
  const make = (): Promise<AccountStore> => makeWith(hurried);
  const store = await make();
  expect(await store.set('hang', 'before', { expected: undefined, next: 'v1' })).toBe(true);
  const lost = Promise.withResolvers<void>();
  const inside = Promise.withResolvers<void>();
  const task = store.lock?.run(
    'hang',
    async (held) => {
      inside.resolve();
      held.addEventListener('abort', () => lost.resolve());
      await lost.promise;
    },
    { waitMs: 1_000 },
  );
  await inside.promise;
  server.hang();
  try {
    const began = performance.now();
    await expect(store.get('hang')).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(performance.now() - began).toBeLessThan(3_000);
    const then = performance.now();
    for (let call = 0; call < 20; call++) await expect(store.get('hang')).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(performance.now() - then).toBeLessThan(1_000);
    // No answer means no lease, whatever the server still thinks.
    await lost.promise;
    await task;
  } finally {
    server.resume();
  }
  await expect.poll(() => store.get('hang').catch(() => undefined), { timeout: 10_000 }).toMatchObject({ value: 'before' });
  const other = await make();
  await expect.poll(() => other.lock?.run('hang', async () => 'in', { waitMs: 3_000 }).catch(String), { timeout: 10_000 }).toBe('in');
}
