import { onTestFinished, vi } from 'vitest';
import { createSession } from '../../../src/browser/create-session.js';
import type { Session, SessionOptions, SessionSignInOptions } from '../../../src/browser/session.js';
import { isTokenError } from '../../../src/core/errors.js';
import type { TokenStore } from '../../../src/core/token-store.js';
import { memoryStore } from '../../../src/storage/memory.js';
import { type FakeAuthorizationServer, fakeAuthorizationServer, type ServerKnobs, type VirtualClock, virtualClock } from '../../../src/testing/index.js';

export const origin = 'https://app.test';
export const redirectUri = `${origin}/callback`;

/** An app's page, a server, and what the browser keeps between two visits. */
export interface SignInSite {
  readonly as: FakeAuthorizationServer;
  readonly clock: VirtualClock;
  readonly store: TokenStore;
  /** The address bar. */
  readonly url: string;
  /** What the address bar showed at each request. */
  readonly seen: string[];
  /** The page is loaded at this address. */
  load(url: string): void;
  session(options?: Partial<SessionOptions>): Session;
  /** Begins a sign-in, and gives the URL that the page goes to. */
  leave(session: Session, options?: SessionSignInOptions): Promise<URL>;
  /** Begins a sign-in, goes to the server and gives the callback. */
  callback(session: Session, options?: SessionSignInOptions): Promise<string>;
  /** What a task comes to that waits for a second at times. */
  settled<T>(task: Promise<T>): Promise<T>;
  /** Signs somebody in, through a page load. */
  signIn(options?: SessionSignInOptions, of?: Partial<SessionOptions>): Promise<Session>;
}

/** `fine`, or the code of the failure. */
export const outcome = (task: Promise<unknown>): Promise<string> =>
  task.then(
    () => 'fine',
    (error: unknown) => (isTokenError(error) ? error.code : String(error)),
  );

export function signInSite(knobs: Partial<ServerKnobs> = {}): SignInSite {
  const clock = virtualClock();
  const as = fakeAuthorizationServer({ clock, knobs });
  const store = memoryStore({ clock });
  const seen: string[] = [];
  const kept = new Map<string, string>();
  let left = Promise.withResolvers<URL>();
  let url = `${origin}/`;

  vi.stubGlobal('location', {
    get href() {
      return url;
    },
    origin,
    assign: (to: string) => left.resolve(new URL(to)),
  });
  vi.stubGlobal('history', {
    state: null,
    replaceState(_state: unknown, _title: string, to: string) {
      url = new URL(to, url).href;
    },
  });
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
  onTestFinished(() => void vi.unstubAllGlobals());

  const site: SignInSite = {
    as,
    clock,
    store,
    seen,
    get url() {
      return url;
    },
    load(to) {
      url = to;
    },
    session(options = {}) {
      const { server: _, ...rest } = options;
      const session = createSession({
        issuer: as.issuer,
        clientId: 'app',
        redirectUri,
        scope: 'openid api:read',
        clock,
        store,
        fetch(input, init) {
          seen.push(url);
          return as.fetch(input, init);
        },
        ...rest,
      });
      onTestFinished(() => session.dispose());
      return session;
    },
    async leave(session, options) {
      left = Promise.withResolvers<URL>();
      return Promise.race([left.promise, session.signIn(options).then(() => Promise.reject(new Error('it came back')))]);
    },
    async callback(session, options) {
      const callback = await as.visit((await site.leave(session, options)).href);
      if (callback === undefined) throw new Error('the server shows a page');
      return callback;
    },
    async settled(task) {
      let isOver = false;
      const over = (): void => {
        isOver = true;
      };
      task.then(over, over);
      for (let seconds = 0; !isOver && seconds < 30; seconds++) await clock.advance(1_000);
      return task;
    },
    async signIn(options, of) {
      site.load(await site.callback(site.session(of), options));
      const session = site.session(of);
      await session.start();
      return session;
    },
  };
  return site;
}
