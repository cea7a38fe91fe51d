import { test } from 'vitest';
import { localLock } from '../../src/locks/local.js';
import { memoryStore } from '../../src/storage/memory.js';
import { lockContract, virtualClock } from '../../src/testing/index.js';

const clock = virtualClock();
const pass = (ms: number): Promise<void> => clock.advance(ms);

for (const { name, run } of lockContract(() => localLock({ clock }), { pass })) test(`localLock ${name} [X17]`, run);
for (const { name, run } of lockContract(() => memoryStore({ clock }).lock ?? localLock(), { pass })) test(`the lock of memoryStore ${name} [X17]`, run);
for (const { name, run } of lockContract(() => localLock())) test(`localLock on the system's clock ${name} [X17]`, run);
