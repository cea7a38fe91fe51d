import type { AccessToken } from '../core/access-token.js';
import { checkOptions } from '../core/check-option.js';
import { isTokenError, TokenError } from '../core/errors.js';
import type { GetTokenOptions, TokenSource } from '../core/token-source.js';
import { abortable, withTimeLimit } from '../core/waiting.js';
import { watched } from '../core/watched.js';
import { createHttpClient } from '../http/create-http-client.js';
import { requestOf } from '../manager/decide.js';
import { disposedError } from '../manager/failures.js';
import { isUsable, renewsAt } from '../manager/state.js';
import { targetKey } from '../manager/target-key.js';
import type { TokenSnapshot } from '../manager/token-manager.js';
import type { IdTokenClaims } from '../protocol/authorization/id-token.js';
import { putCallbackBack, takeCallback } from './callback.js';
import { leavePage } from './leave-page.js';
import type { LiveSession } from './live-session.js';
import { ownUrl } from './own-url.js';
import type { RenewalPlace, Session, SessionOptions, SessionSnapshot } from './session.js';
import { setUpSession } from './session-setup.js';
import { StoredSession } from './stored-session.js';
import { isSignedIn, storedUser } from './stored-user.js';

const undecided: RenewalPlace = { renewal: undefined, renewalReason: undefined };
// A file that is missing is not asked for again with every call.
const reloadMs = 5_000;
const loadMs = 30_000;

/**
 * A user's session in a browser, by the authorization code flow with PKCE. Construction touches nothing of the browser, so a
 * server may render with it; `start()` begins.
 *
 * What a page needs to call its APIs with stored tokens is here. The code that renews and signs in is loaded right after the
 * restore, or when it is needed; while it cannot be had, valid tokens are served, and else `code_unavailable` is thrown.
 * @throws {TokenError} `invalid_option`
 */
export function createSession(options: SessionOptions): Session {
  const setup = setUpSession(options);
  const { clock, journal } = setup;
  const stored = new StoredSession(setup, async (request) => (await load()).prove(request));
  const { current, changed, subscribe, end } = watched(describe, journal.report);
  const gone = new AbortController();
  let live: LiveSession | undefined;
  let loading: Promise<LiveSession> | undefined;
  let restoring: Promise<void> | undefined;
  let isRestored = false;
  let starting: Promise<SessionSnapshot> | undefined;
  let disposed: Promise<void> | undefined;
  let claims: { readonly of: string; readonly user: IdTokenClaims | undefined } | undefined;

  async function load(): Promise<LiveSession> {
    gone.signal.throwIfAborted();
    loading ??= open().catch((error: unknown) => {
      const forget = (): void => {
        loading = undefined;
      };
      clock.sleep(reloadMs, gone.signal, { idle: true }).then(forget, forget);
      throw error;
    });
    return loading;
  }

  async function open(): Promise<LiveSession> {
    const missing = (): TokenError => new TokenError('code_unavailable', 'the code that renews could not be loaded', { phase: 'manager' });
    const code = import('./live-session.js').catch(() => Promise.reject(missing()));
    const { openLiveSession } = await withTimeLimit(clock, loadMs, () => code, missing, gone.signal);
    const opened = await openLiveSession(setup, changed);
    live = opened;
    stored.forget();
    if (disposed) await opened.tokens.dispose();
    changed();
    return opened;
  }

  function restore(): Promise<void> {
    restoring ??= stored.read().then(() => {
      isRestored = true;
      changed();
      // An old page after a deploy must not find it gone.
      load().catch(() => undefined);
    });
    return restoring;
  }

  async function begin(): Promise<SessionSnapshot> {
    gone.signal.throwIfAborted();
    const callback = takeCallback(setup.options.redirectUri);
    if (callback === undefined) await restore();
    else {
      // The page goes on where the sign-in began, once it is complete or has failed for good.
      await (await load()).finish(callback);
      isRestored = true;
    }
    changed();
    return current();
  }

  function start(): Promise<SessionSnapshot> {
    starting ??= begin().catch((error: unknown) => {
      isRestored = true;
      // Nothing was lost: the next call goes on.
      if (isTokenError(error) && error.kind === 'transient') starting = undefined;
      if (isTokenError(error) && error.code === 'code_unavailable') putCallbackBack();
      changed();
      throw error;
    });
    return starting;
  }

  function sourceOf(key: string, ofLive: (session: LiveSession) => TokenSource): TokenSource {
    let source: TokenSource | undefined;
    return {
      getToken(wanted) {
        if (source === undefined && live) source = ofLive(live);
        return source ? source.getToken(wanted) : early(key, ofLive, wanted);
      },
    };
  }

  // Served from what was stored, while the code that renews is on its way.
  async function early(key: string, ofLive: (session: LiveSession) => TokenSource, wanted: GetTokenOptions = {}): Promise<AccessToken> {
    const { signal } = wanted;
    signal?.throwIfAborted();
    if (disposed) throw disposedError();
    const ready = (starting ?? restore()).then(
      () => undefined,
      () => undefined,
    );
    await abortable(abortable(ready, gone.signal), signal);
    const held = live ? undefined : stored.held(key);
    const decision = stored.decide(key, requestOf(wanted));
    const renewed = async (): Promise<AccessToken> => ofLive(await load()).getToken(wanted);
    if (!held || !(decision.do === 'use' || decision.do === 'useAndRenew')) return abortable(abortable(renewed(), gone.signal), signal);
    if (decision.do === 'useAndRenew') renewed().catch(() => undefined);
    return held.token;
  }

  function describe(): SessionSnapshot {
    const record = live?.record() ?? stored.record;
    const { idToken = '' } = record;
    if (claims?.of !== idToken) claims = { of: idToken, user: storedUser(record) };
    const isKnown = isRestored || (live !== undefined && starting === undefined);
    const isIn = isSignedIn(record, clock);
    const state = isIn ? 'signed_in' : isKnown ? 'signed_out' : 'restoring';
    return { ...(live?.tokens.snapshot() ?? storedSnapshot()), ...(live?.place() ?? undecided), state, user: isIn ? claims.user : undefined };
  }

  function storedSnapshot(): TokenSnapshot {
    const held = stored.held('');
    const { ended } = stored;
    const status = disposed ? 'disposed' : isUsable(held, clock) ? 'ready' : ended ? 'ended' : 'empty';
    return { status, expiresAt: held?.token.expiresAt, renewAt: renewsAt(held), lastError: ended };
  }

  function dispose(): Promise<void> {
    disposed ??= (async () => {
      gone.abort(disposedError());
      // What is being opened is let go of as soon as it is there.
      await loading?.catch(() => undefined);
      await live?.tokens.dispose();
      changed();
      end();
    })();
    return disposed;
  }

  const own = sourceOf('', (session) => session.tokens);
  const session: Session = {
    start,
    getToken: own.getToken,
    for(target) {
      const key = targetKey(target);
      return key === '' ? own : sourceOf(key, ({ tokens }) => tokens.for(target));
    },
    ready: async (wanted) => void (await own.getToken(wanted)),
    peek() {
      if (live) return live.tokens.peek();
      return !disposed && stored.decide('', undefined).do.startsWith('use') ? stored.held('')?.token : undefined;
    },
    snapshot: current,
    subscribe,
    explain: () => journal.entries,
    get user() {
      return current().user;
    },
    async signIn(wanted) {
      // Browsers open a window at a click, not some turns after it.
      const popup = wanted?.via === 'popup' ? globalThis.open?.('', '_blank', 'popup,width=500,height=700') : undefined;
      try {
        await (await load()).signIn(wanted, popup);
      } catch (error) {
        popup?.close();
        throw error;
      }
      return current();
    },
    async signOut(wanted = {}) {
      checkOptions('signOut', wanted, ['provider', 'returnTo']);
      const returnTo = wanted.returnTo === undefined ? undefined : ownUrl('returnTo', wanted.returnTo);
      let opened: LiveSession;
      try {
        opened = await load();
      } catch (error) {
        if (!isTokenError(error) || error.code !== 'code_unavailable') throw error;
        await stored.remove();
        isRestored = true;
        journal.report({ type: 'session_ended', reason: 'cleared', elsewhere: false });
        changed();
        if (returnTo !== undefined) await leavePage(returnTo);
        return;
      }
      await opened.signOut({ ...wanted, returnTo });
    },
    userInfo: async () => (await load()).userInfo(),
    http(httpOptions) {
      checkOptions('http', httpOptions);
      const { tokens = session, clock: timer = options.clock, ...rest } = httpOptions;
      return createHttpClient({ ...rest, tokens, clock: timer });
    },
    revoke: async () => (await load()).tokens.revoke(),
    clear: async () => (await load()).tokens.clear(),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
  return session;
}
