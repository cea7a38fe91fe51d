import { loadJose } from '../../src/protocol/load-jose.js';

// What signs is loaded at its first use, which takes real time that a virtual clock does not know of.
await loadJose();
