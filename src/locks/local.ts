// The manager needs it as its default, so it lives in the core.
export { type LocalLockOptions, localLock } from '../core/local-lock.js';
