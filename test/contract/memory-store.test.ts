import { test } from 'vitest';
import { memoryStore } from '../../src/storage/memory.js';
import { storeContract, virtualClock } from '../../src/testing/index.js';

const clock = virtualClock();

for (const { name, run } of storeContract(() => memoryStore({ clock }), { pass: (ms) => clock.advance(ms) })) test(`memoryStore ${name} [X17]`, run);
