import { expect, test } from 'vitest';
import { localLock } from '../../src/locks/local.js';
import { memoryStore } from '../../src/storage/memory.js';
import { storeContract, virtualClock } from '../../src/testing/index.js';

const clock = virtualClock();

for (const { name, run } of storeContract(() => memoryStore({ clock }), { pass: (ms) => clock.advance(ms) })) test(`memoryStore ${name} [X17]`, run);

test('memoryStore ages by the larger of monotonic and wall time: a clock set back or a sleeping machine keeps nothing young [X17]', async () => {
  const own = virtualClock();
  const store = memoryStore({ clock: own });
  await store.set('k', 'v', { expected: undefined, next: '1' });
  own.jumpWall(-3_600_000);
  await own.advance(250);
  expect((await store.get('k'))?.ageMs).toBe(250);
  own.suspend(7_200_000);
  expect((await store.get('k'))?.ageMs).toBe(3_600_250);
});

test('memoryStore is not shared, and keeps its instances apart [X17]', async () => {
  const store = memoryStore();
  await store.set('k', 'v', { expected: undefined, next: '1' });
  expect([store.shared, store.lock?.shared, await memoryStore().get('k')]).toEqual([undefined, undefined, undefined]);
});

test('memoryStore survives a listener whose promise rejects, and one that unsubscribes another [X17]', async () => {
  const store = memoryStore();
  const heard: string[] = [];
  const undo: (() => void)[] = [];
  store.subscribe?.('k', async () => {
    undo[0]?.();
    throw new Error('a listener fails');
  });
  const second = store.subscribe?.('k', () => heard.push('second'));
  if (second !== undefined) undo.push(second);
  store.subscribe?.('k', () => heard.push('third'));
  await store.set('k', 'v', { expected: undefined, next: '1' });
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(heard).toEqual(['third']);
});

test('memoryStore and localLock refuse a clock that is none [X17]', () => {
  const wrong: Record<string, unknown> = { clock: { now: () => 0 } };
  expect(() => memoryStore(wrong)).toThrow('"clock"');
  expect(() => localLock(wrong)).toThrow('"clock"');
  const misspelt: Record<string, unknown> = { clok: clock };
  expect(() => memoryStore(misspelt)).toThrow('clok');
  expect(() => localLock(misspelt)).toThrow('clok');
});
