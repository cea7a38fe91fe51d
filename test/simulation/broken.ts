import type { Mutation } from './world/world.js';

// A simulation that cannot fail proves nothing: each of these must be found out.
export const broken: readonly { readonly what: string; readonly finds: RegExp; readonly mutation: Mutation }[] = [
  {
    what: 'a lock that excludes nobody',
    finds: /requests at once|reuses/,
    mutation: {
      plan: { renews: 'refreshToken', managers: 3, store: 'memory', rotation: 'strict', weather: 'fine' },
      store: (store) => ({ ...store, lock: { shared: true, run: (_name, task) => task(new AbortController().signal) } }),
    },
  },
  {
    what: 'a store without compare-and-swap',
    finds: /old epoch|old and good|does not hold/,
    mutation: {
      plan: { managers: 3, store: 'slow', weather: 'fine', endings: true, horizonMs: 2_000 },
      store: (store) => ({
        ...store,
        async set(key, value, write) {
          const found = await store.get(key);
          return store.set(key, value, { ...write, expected: found?.version });
        },
      }),
    },
  },
  {
    what: 'a store that drops writes and says that it kept them',
    finds: /reuses|does not hold|old and good|after the grant was refused/,
    mutation: { plan: { renews: 'refreshToken', managers: 2, store: 'memory', rotation: 'strict' }, store: (store) => ({ ...store, set: async () => true }) },
  },
  {
    what: 'a manager that renews whenever it is asked',
    finds: /waited|old and good/,
    mutation: {
      plan: { weather: 'fine' },
      manager: (manager) => ({ ...manager, getToken: (options) => manager.getToken({ ...options, invalidToken: manager.peek() }) }),
    },
  },
  {
    what: 'a manager that does not hear of sleep, for want of the wall clock',
    finds: /at the age of/,
    mutation: {
      plan: { clockJumps: true },
      clock: (clock) => ({ now: () => 1_767_225_600_000, monotonicMs: () => clock.monotonicMs(), sleep: (ms, signal) => clock.sleep(ms, signal) }),
    },
  },
  {
    what: 'a manager that is deaf to aborts',
    finds: /aborted caller/,
    mutation: { manager: (manager) => ({ ...manager, getToken: ({ invalidToken, minValidMs } = {}) => manager.getToken({ invalidToken, minValidMs }) }) },
  },
  {
    what: 'a manager that forgets nothing',
    finds: /old epoch/,
    mutation: { plan: { endings: true }, manager: (manager) => ({ ...manager, clear: async () => undefined, revoke: async () => undefined }) },
  },
  {
    what: 'a manager that survives its end',
    finds: /sleeps on|disposed|no end/,
    mutation: { plan: { keepFresh: true }, manager: (manager) => ({ ...manager, dispose: async () => undefined }) },
  },
  {
    what: 'a manager that hands the refused token out again',
    finds: /refused and handed out again/,
    mutation: {
      plan: { apiRevokes: true, repeatsTokens: false },
      manager: (manager) => ({ ...manager, getToken: async (options) => options?.invalidToken ?? manager.getToken(options) }),
    },
  },
  {
    what: 'a manager that tries again at once',
    finds: /due after|attempts in one flight|of rest/,
    mutation: {
      plan: { weather: 'errors', weatherChanges: false, clockJumps: false, endings: false, store: 'none', managers: 1 },
      clock: (clock) => ({ now: () => clock.now(), monotonicMs: () => clock.monotonicMs() * 100, sleep: (ms, signal) => clock.sleep(ms / 100, signal) }),
    },
  },
];
