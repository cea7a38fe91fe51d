import { expect, test, vi } from 'vitest';
import type { Clock } from '../../src/core/clock.js';
import { localLock } from '../../src/locks/local.js';
import { memoryStore } from '../../src/storage/memory.js';
import { lockContract, virtualClock } from '../../src/testing/index.js';

const clock = virtualClock();
const pass = (ms: number): Promise<void> => clock.advance(ms);

for (const { name, run } of lockContract(() => localLock({ clock }), { pass })) test(`localLock ${name} [X17]`, run);
for (const { name, run } of lockContract(() => memoryStore({ clock }).lock ?? localLock(), { pass })) test(`the lock of memoryStore ${name} [X17]`, run);
for (const { name, run } of lockContract(() => localLock())) test(`localLock on the system's clock ${name} [X17]`, run);

test('localLock hands on in the order of the asking [X17]', async () => {
  const lock = localLock();
  const order: number[] = [];
  await Promise.all(Array.from({ length: 50 }, (_, index) => lock.run('x', async () => order.push(index), { waitMs: 60_000 })));
  expect(order).toEqual(Array.from({ length: 50 }, (_, index) => index));
});

test('localLock leaves no sleep and no listener behind, however a wait ends [X17]', async () => {
  const own = virtualClock();
  const lock = localLock({ clock: own });
  const stop = new AbortController();
  const added = vi.spyOn(stop.signal, 'addEventListener');
  const removed = vi.spyOn(stop.signal, 'removeEventListener');
  const end = Promise.withResolvers<void>();
  const holder = lock.run('x', () => end.promise, { waitMs: 0, signal: stop.signal });
  const late = lock.run('x', async () => 'late', { waitMs: 10, signal: stop.signal });
  late.catch(() => undefined);
  const granted = lock.run('x', async () => 'granted', { waitMs: 1_000, signal: stop.signal });
  await own.advance(10);
  await expect(late).rejects.toMatchObject({ code: 'lock_timeout', kind: 'transient', phase: 'lock' });
  const reason = new Error('enough');
  const other = new AbortController();
  const aborted = lock.run('x', async () => 'aborted', { waitMs: 1_000, signal: other.signal });
  other.abort(reason);
  await expect(aborted).rejects.toBe(reason);
  end.resolve();
  await Promise.all([holder, granted]);
  const gone = new Set(removed.mock.calls.map(([, listener]) => listener));
  expect([own.pending, added.mock.calls.length, added.mock.calls.filter(([, listener]) => !gone.has(listener)).length]).toEqual([0, 2, 0]);
});

test('localLock keeps its instances apart [X17]', async () => {
  const end = Promise.withResolvers<void>();
  const held = localLock().run('x', () => end.promise, { waitMs: 0 });
  await expect(localLock().run('x', async () => 'in', { waitMs: 0 })).resolves.toBe('in');
  end.resolve();
  await held;
});

test('localLock waits in vain when its clock fails, and says so [X17]', async () => {
  const lock = localLock({ clock: { ...virtualClockParts(), sleep: () => Promise.reject(new Error('no clock')) } });
  const end = Promise.withResolvers<void>();
  const held = lock.run('x', () => end.promise, { waitMs: 0 });
  await expect(lock.run('x', async () => 'in', { waitMs: 10 })).rejects.toThrow('no clock');
  end.resolve();
  await held;
  await expect(lock.run('x', async () => 'in', { waitMs: 0 })).resolves.toBe('in');
});

function virtualClockParts(): Pick<Clock, 'now' | 'monotonicMs'> {
  return { now: () => 0, monotonicMs: () => 0 };
}
