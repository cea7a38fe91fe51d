import { isTokenError, memoryStore, type Grant, type Lock, TokenError, type TokenSet, type TokenStore } from 'tokenkeep';
import { type VirtualClock, virtualClock } from 'tokenkeep/testing';
import { buildManager, type KeptTokens } from '../../../src/manager/kept-tokens.js';
import { renew } from '../../../src/manager/renew.js';
import { Random } from '../world/random.js';

/** How a browser, its server and its users are in one schedule. */
export interface TabPlan {
  readonly tabs: number;
  /** Tabs are closed at random instants. */
  readonly closes: boolean;
  /** Users sign out, and others sign in. */
  readonly switches: boolean;
  /** News between tabs get lost. */
  readonly losesNews: boolean;
  /** The server takes a refresh token again for as long. */
  readonly graceMs: number;
  readonly lifetimeMs: number;
}

export function drawTabPlan(random: Random): TabPlan {
  return {
    tabs: random.int(1, 6),
    closes: random.chance(0.6),
    switches: random.chance(0.5),
    losesNews: random.chance(0.3),
    graceMs: random.pick(0, 0, 60_000),
    lifetimeMs: random.pick(4_000, 20_000, 300_000),
  };
}

interface Session {
  readonly user: string;
  /** Generations of its refresh token: the last one is the current one. */
  generation: number;
  rotatedAt: number;
  alive: boolean;
  /** Somebody here signed out, or another user in. */
  over: boolean;
}

export interface SimulatedTab {
  readonly kept: KeptTokens;
  open: boolean;
  readonly closed: Promise<void>;
  close(): void;
}

/** Tabs of one browser over one store, one lock and news between them, at a server that rotates refresh tokens. */
export class TabWorld {
  readonly clock: VirtualClock = virtualClock();
  readonly random: Random;
  readonly plan: TabPlan;
  readonly tabs: SimulatedTab[] = [];
  readonly violations: string[] = [];
  readonly lines: string[] = [];
  /** What the server saw that a user pays for: a refresh token that was used twice. */
  reuses = 0;
  /** Renewals that were cut off by the end of their tab, after they were sent. */
  cutOff = 0;
  renewals = 0;
  losses = 0;
  session: Session | undefined;
  readonly #sessions: Session[] = [];
  readonly #store: TokenStore;
  readonly #listeners = new Set<() => void>();
  readonly #inFlight = new Map<string, SimulatedTab>();
  #lockQueue: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(seed: number, schedule: number) {
    this.random = new Random(seed, schedule);
    this.plan = drawTabPlan(this.random);
    this.#store = memoryStore({ clock: this.clock });
    for (let index = 0; index < this.plan.tabs; index++) this.openTab();
  }

  trace(line: string): void {
    this.lines.push(`${this.clock.now()} ${line}`);
  }

  openTab(): SimulatedTab {
    const index = this.tabs.length;
    const ending = Promise.withResolvers<void>();
    const never = new Promise<never>(() => undefined);
    // Nothing that a page waits for comes to it once it is closed.
    const seen = async <T>(call: () => Promise<T>): Promise<T> => {
      if (!tab.open) return never;
      const settled = await call().then(
        (value) => () => value,
        (error: unknown) => (): T => {
          throw error;
        },
      );
      return tab.open ? settled() : never;
    };
    const inner = this.#store;
    const lag = (): Promise<void> => this.clock.sleep(this.random.between(0, 5));
    const store: TokenStore = {
      shared: true,
      lock: this.#lockOf(() => tab, seen),
      get: (key) => seen(() => lag().then(() => inner.get(key))),
      set: (key, value, write) =>
        seen(async () => {
          await lag();
          const written = await inner.set(key, value, write);
          if (written) this.#news(tab);
          return written;
        }),
      delete: (key, expected) => seen(() => lag().then(() => inner.delete(key, expected))),
      subscribe: (_key, listener) => {
        const each = (): void => {
          if (tab.open) listener();
        };
        this.#listeners.add(each);
        return () => this.#listeners.delete(each);
      },
    };
    const kept = buildManager(
      {
        grant: this.#grantOf(() => tab, seen),
        clock: this.clock,
        store,
        onEvent: (event) => {
          // Nobody sees what the code of a closed tab would still do.
          if (!tab.open) return;
          this.trace(
            `tab ${index} ${event.type} ${'reason' in event ? event.reason : ''}${'error' in event && isTokenError(event.error) ? event.error.code : ''}`,
          );
          if (event.type === 'session_ended' && !event.elsewhere && (event.reason === 'rotation_lost' || event.reason === 'grant_revoked')) this.losses++;
        },
      },
      { renew, endsWithStore: true, random: () => this.random.next(), digest: (text) => Promise.resolve(`digest of ${text}`) },
    );
    const tab: SimulatedTab = { kept, open: true, closed: ending.promise, close: ending.resolve };
    this.tabs.push(tab);
    return tab;
  }

  closeTab(tab: SimulatedTab): void {
    this.trace(`tab ${this.tabs.indexOf(tab)} is closed`);
    tab.open = false;
    tab.close();
  }

  /** A user signs in at the server, and one tab gets the tokens. */
  async signIn(tab: SimulatedTab, user: string): Promise<void> {
    const before = this.session;
    const session: Session = { user, generation: 0, rotatedAt: 0, alive: true, over: false };
    this.#sessions.push(session);
    this.trace(`tab ${this.tabs.indexOf(tab)} signs ${user} in`);
    await tab.kept.signIn(this.#tokens(session, this.clock.now())).then(
      () => {
        if (before) before.over = true;
        this.session = session;
      },
      (error: unknown) => {
        if (!isTokenError(error) || error.code !== 'session_changed') this.violation(`a sign-in failed with ${String(error)}`);
      },
    );
  }

  async signOut(tab: SimulatedTab): Promise<void> {
    this.trace(`tab ${this.tabs.indexOf(tab)} signs out`);
    const { session } = this;
    if (session) session.over = true;
    await tab.kept.tokens.revoke().catch((error: unknown) => {
      if (!isTokenError(error)) this.violation(`a sign-out failed with ${String(error)}`);
    });
    if (this.session === session) this.session = undefined;
  }

  violation(what: string): void {
    this.trace(`VIOLATION ${what}`);
    this.violations.push(what);
  }

  #news(from: SimulatedTab): void {
    for (const listener of this.#listeners) {
      if (this.plan.losesNews && this.random.chance(0.3)) continue;
      void this.clock.sleep(this.random.between(0, 10)).then(() => {
        if (from.open || this.random.chance(0.5)) listener();
      });
    }
  }

  // As Web Locks: in the order of asking, and free at once when the tab that holds or awaits it is gone.
  #lockOf(tabOf: () => SimulatedTab, seen: <T>(call: () => Promise<T>) => Promise<T>): Lock {
    return {
      shared: true,
      run: (_name, task, { waitMs, signal }) =>
        seen(async () => {
          await this.clock.sleep(this.random.between(0, 1));
          if (this.#waiting > 0 && waitMs === 0) throw new TokenError('lock_timeout', 'busy', { phase: 'lock' });
          const before = this.#lockQueue;
          const done = Promise.withResolvers<void>();
          this.#waiting++;
          void done.promise.then(() => this.#waiting--);
          this.#lockQueue = Promise.all([before, done.promise]);
          const { closed } = tabOf();
          void closed.then(done.resolve);
          await before;
          try {
            signal?.throwIfAborted();
            return await task(new AbortController().signal);
          } finally {
            done.resolve();
          }
        }),
    };
  }

  #grantOf(tabOf: () => SimulatedTab, seen: <T>(call: () => Promise<T>) => Promise<T>): Grant {
    return {
      id: 'tabs',
      renews: 'refreshToken',
      request: (current) =>
        seen(async () => {
          const { refreshToken } = current ?? {};
          if (refreshToken === undefined) throw new TokenError('login_required', 'nobody is signed in', { phase: 'token' });
          // What a closed tab has sent may still be on its way.
          if (this.#inFlight.get(refreshToken)?.open) this.violation(`${refreshToken} is sent twice at once`);
          this.#inFlight.set(refreshToken, tabOf());
          const sentAt = this.clock.now();
          await this.clock.sleep(this.random.between(1, 100));
          const tokens = this.#rotate(refreshToken, sentAt);
          if (this.#inFlight.get(refreshToken) === tabOf()) this.#inFlight.delete(refreshToken);
          await this.clock.sleep(this.random.between(1, 100));
          if (!tabOf().open) this.cutOff++;
          if (tokens === undefined) throw new TokenError('grant_revoked', 'refused', { phase: 'token', oauthError: 'invalid_grant' });
          return tokens;
        }),
      revoke: (tokens) =>
        seen(async () => {
          await this.clock.sleep(this.random.between(1, 50));
          const found = this.#find(tokens.refreshToken ?? '');
          if (found) found.session.alive = false;
        }),
    };
  }

  #rotate(refreshToken: string, sentAt: number): TokenSet | undefined {
    const found = this.#find(refreshToken);
    if (!found?.session.alive) return undefined;
    const { session, generation } = found;
    const now = this.clock.now();
    if (generation !== session.generation) {
      if (generation === session.generation - 1 && now - session.rotatedAt < this.plan.graceMs) return this.#tokens(session, sentAt);
      this.reuses++;
      this.trace(`the server sees ${refreshToken} again: the session of ${session.user} ends`);
      session.alive = false;
      return undefined;
    }
    session.generation++;
    session.rotatedAt = now;
    this.renewals++;
    return this.#tokens(session, sentAt);
  }

  #tokens(session: Session, sentAt: number): TokenSet {
    const id = `${this.#sessions.indexOf(session)}.${session.generation}`;
    return {
      accessToken: `at ${session.user} ${id} ${this.random.int(0, 1e9)}`.replaceAll(' ', '-'),
      tokenType: 'Bearer',
      sentAt,
      lifetimeMs: this.plan.lifetimeMs,
      scope: [],
      refreshToken: `rt-${id}`,
    };
  }

  #find(refreshToken: string): { readonly session: Session; readonly generation: number } | undefined {
    const [, number, generation] = /^rt-(\d+)\.(\d+)$/.exec(refreshToken) ?? [];
    const session = this.#sessions[Number(number)];
    return session && { session, generation: Number(generation) };
  }
}
