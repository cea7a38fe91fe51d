import { createHash } from 'node:crypto';
import {
  type Grant,
  type GrantContext,
  isTokenError,
  type JournalEntry,
  localLock,
  memoryStore,
  type RefreshTokenOptions,
  refreshToken,
  TokenError,
  type TokenManagerOptions,
  type TokenSet,
  type TokenStore,
} from 'tokenkeep';
import { type FakeAuthorizationServer, fakeAuthorizationServer, type ServerKnobs, type VirtualClock, virtualClock } from 'tokenkeep/testing';
import { buildManager, type KeptTokens } from '../../../src/manager/kept-tokens.js';
import { renew } from '../../../src/manager/renew.js';

export const hourMs = 3_600_000;

export interface ScriptedGrant extends Grant {
  readonly requests: { readonly at: number; readonly current: TokenSet | undefined; readonly context: GrantContext }[];
}

export type Step = Partial<TokenSet> | Error | ((current: TokenSet | undefined, context: GrantContext) => Promise<Partial<TokenSet>>);

/** A grant that answers from a script; its last step repeats. Access tokens are numbered: `at-1`, `at-2`, … */
export function scriptedGrant(renews: Grant['renews'], ...script: readonly Step[]): ScriptedGrant {
  const requests: ScriptedGrant['requests'] = [];
  return {
    id: 'scripted',
    renews,
    requests,
    async request(current, context) {
      const sentAt = context.clock.now();
      requests.push({ at: sentAt, current, context });
      const number = requests.length;
      const step = script[Math.min(number, script.length) - 1] ?? {};
      if (step instanceof Error) throw step;
      const answer = typeof step === 'function' ? await step(current, context) : step;
      return { accessToken: `at-${number}`, tokenType: 'Bearer', sentAt, lifetimeMs: hourMs, scope: [], ...answer };
    },
  };
}

export function transient(
  details: { retryAfterMs?: number; code?: 'network_error' | 'server_error' | 'rate_limited' | 'invalid_response' | 'timeout' } = {},
): TokenError {
  return new TokenError(details.code ?? 'network_error', 'planned failure', { phase: 'token', retryAfterMs: details.retryAfterMs });
}

/** A step that answers after a while. */
export function after(ms: number, answer: Partial<TokenSet> = {}): Step {
  return async (_current, { clock }) => {
    await clock.sleep(ms);
    return answer;
  };
}

export interface Watched extends KeptTokens {
  readonly events: JournalEntry[];
  eventsOf<T extends JournalEntry['type']>(type: T): Extract<JournalEntry, { type: T }>[];
}

// As the real one, but without a turn of the event loop, which a virtual clock would have to wait for.
async function digest(text: string): Promise<string> {
  return createHash('sha256').update(text).digest('base64url');
}

/** A manager without chance: jitter is `random` of its full range. */
export function watched(options: TokenManagerOptions, random = 0): Watched {
  const events: JournalEntry[] = [];
  const { tokens, ...insides } = buildManager({ ...options, onEvent: (entry) => void events.push(entry) }, { renew, random: () => random, digest });
  return {
    ...insides,
    tokens,
    events,
    eventsOf: (type) => events.filter((entry): entry is Extract<JournalEntry, { type: typeof type }> => entry.type === type),
  };
}

/** The TokenError that a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<TokenError> {
  const outcome: unknown = await promise.then(
    () => new Error('expected a failure, and there was none'),
    (error: unknown) => error,
  );
  if (isTokenError(outcome)) return outcome;
  throw outcome;
}

/** Whether a promise is settled by now. */
export function watch(promise: Promise<unknown>): { readonly settled: boolean } {
  const state = { settled: false };
  const settle = (): void => {
    state.settled = true;
  };
  promise.then(settle, settle);
  return state;
}

export interface ObservedStore extends TokenStore {
  /** What is stored now. */
  readonly contents: Map<string, string>;
  readonly calls: { get: number; set: number };
  /** Runs before each call: may wait, throw, or do something in between. */
  beforeGet: (() => Promise<void>) | undefined;
  beforeSet: ((key: string, value: string) => Promise<void>) | undefined;
  /** The one record, parsed. */
  record(): Record<string, unknown>;
}

/** A memory store whose contents a test can see, and which fails when told to. */
export function observedStore(clock: VirtualClock, options: { readonly shared?: boolean; readonly lock?: false } = {}): ObservedStore {
  const inner = memoryStore({ clock });
  const contents = new Map<string, string>();
  const calls = { get: 0, set: 0 };
  const lock = localLock({ clock });
  const store: ObservedStore = {
    contents,
    calls,
    beforeGet: undefined,
    beforeSet: undefined,
    ...(options.shared === true && { shared: true }),
    ...(options.lock !== false && { lock: options.shared === true ? { shared: true, run: lock.run } : lock }),
    async get(key) {
      calls.get++;
      await store.beforeGet?.();
      return inner.get(key);
    },
    async set(key, value, write) {
      calls.set++;
      await store.beforeSet?.(key, value);
      const written = await inner.set(key, value, write);
      if (written) contents.set(key, value);
      return written;
    },
    async delete(key, expected) {
      const deleted = await inner.delete(key, expected);
      if (deleted) contents.delete(key);
      return deleted;
    },
    record() {
      const [value] = contents.values();
      if (value === undefined || contents.size > 1) throw new Error(`expected one record, found ${contents.size}`);
      return JSON.parse(value);
    },
  };
  return store;
}

export interface SignedIn extends Watched {
  readonly clock: VirtualClock;
  readonly server: FakeAuthorizationServer;
  readonly store: ObservedStore;
  readonly grant: Grant;
}

/** A user's grant with a rotating refresh token, on a fake server. */
export function signedIn(
  options: {
    readonly knobs?: Partial<ServerKnobs>;
    readonly grant?: Partial<RefreshTokenOptions>;
    readonly manager?: Partial<TokenManagerOptions>;
    readonly store?: ObservedStore;
    readonly clock?: VirtualClock;
  } = {},
): SignedIn {
  const clock = options.clock ?? virtualClock();
  const server = fakeAuthorizationServer({ clock, knobs: { ...options.knobs } });
  const store = options.store ?? observedStore(clock);
  const initial = options.grant?.refreshToken ?? server.issueRefreshToken({ clientId: 'app' });
  const real = refreshToken({ server: server.metadata, clientId: 'app', fetch: server.fetch, refreshToken: initial, ...options.grant });
  const grant: Grant = { ...real, identity: () => digest(initial) };
  return { clock, server, store, grant, ...watched({ grant, store, clock, ...options.manager }) };
}

/** The refresh tokens that were sent, in order. */
export function sentRefreshTokens(server: FakeAuthorizationServer): (string | null)[] {
  return server.requestsTo('token').map((request) => request.params.get('refresh_token'));
}
