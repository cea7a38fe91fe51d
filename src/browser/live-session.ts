import type { ProofRequest } from '../core/grant.js';
import { checkTokenParameters } from '../core/token-parameters.js';
import { buildManager } from '../manager/kept-tokens.js';
import { disposedError } from '../manager/failures.js';
import { recordName } from '../manager/record-name.js';
import type { GrantRecord } from '../manager/state.js';
import type { TokenManager } from '../manager/token-manager.js';
import { loadJose } from '../protocol/load-jose.js';
import { requestUserInfo, type UserInfo } from '../protocol/authorization/user-info.js';
import { storedUser } from './stored-user.js';
import { TokenError } from '../core/errors.js';
import { browserStorage } from './browser-storage.js';
import { isHidden, watchPage } from './page-life.js';
import { chooseRenewal } from './worker-renewal.js';
import type { RenewalPlace, SessionSignInOptions, SignOutOptions } from './session.js';
import type { SessionSetup } from './session-setup.js';
import { finishSignIn } from './finish-sign-in.js';
import { signIn } from './sign-in.js';
import type { SignInTools } from './sign-in-tools.js';
import { signOut } from './sign-out.js';
import { transactionStore } from './transaction-store.js';
import { transactionsIn } from './transactions.js';

/** A session with all of its code: loaded on demand, then in charge. */
export interface LiveSession {
  readonly tokens: TokenManager;
  record(): GrantRecord;
  /** Where renewals run. */
  place(): RenewalPlace;
  prove(request: ProofRequest): Promise<string>;
  /** Finishes the sign-in that a callback answers. */
  finish(callback: URL): Promise<void>;
  /** With the popup that was opened for it; none where the browser refused. */
  signIn(options: SessionSignInOptions | undefined, popup: Window | null | undefined): Promise<void>;
  signOut(options: SignOutOptions): Promise<void>;
  userInfo(): Promise<UserInfo>;
}

/**
 * Opens it, and reads the store. `changed` is called after each change of what there is to see.
 * @throws {TokenError} `invalid_option` for what only this code can check.
 */
export async function openLiveSession(setup: SessionSetup, changed: () => void): Promise<LiveSession> {
  const { options, clock, journal } = setup;
  const storage = browserStorage(clock, journal.report, setup.keyStore);
  const store = options.store ?? storage.store;
  const { lock, keepFresh, maxTargets, skewMs, minValidMs } = options;
  const name = await recordName({ id: setup.grantId });
  // An old page after a deploy must not find it gone, with a code that is already spent.
  loadJose().catch(() => undefined);
  const renewal = await chooseRenewal(setup, storage, name, changed);
  const { grant, server } = renewal;
  const kept = buildManager(
    { grant, store, lock, clock, keepFresh, maxTargets, skewMs, minValidMs },
    { renew: renewal.renew, endsWithStore: store.shared === true, isPaused: isHidden, journal },
  );
  const { tokens } = kept;
  tokens.subscribe(changed);
  const gone = new AbortController();
  const stopWatching = watchPage((isOnline) => void kept.recheck(isOnline));
  await kept.recheck();

  const tools: SignInTools = {
    setup,
    server,
    defaults: checkTokenParameters(options),
    transactions: transactionsIn(transactionStore(storage), `${name}:transactions`, clock),
    kept,
    isDegraded: storage.isDegraded,
    tag: name.slice(-8),
    gone: gone.signal,
    redeem: renewal.redeem,
    unfinished: new Set(),
    context: (signal = new AbortController().signal) => ({ target: {}, clock, signal, report: journal.report }),
  };

  async function dispose(): Promise<void> {
    stopWatching();
    gone.abort(disposedError());
    await tokens.dispose();
    // A code is spent once: what it brings is somebody's still.
    await Promise.allSettled(tools.unfinished);
    renewal.end();
  }

  return {
    tokens: { ...tokens, dispose, [Symbol.asyncDispose]: dispose },
    record: kept.record,
    place: renewal.place,
    async prove(request) {
      if (grant.prove === undefined) throw new TokenError('key_lost', 'this session has no key to prove', { phase: 'token' });
      return grant.prove(request, clock);
    },
    finish: (callback) => finishSignIn(callback, tools, false),
    signIn: (wanted = {}, popup) => signIn(wanted, popup, tools),
    signOut: (wanted) => signOut(wanted, tools),
    async userInfo() {
      const token = await tokens.getToken();
      const user = storedUser(kept.record());
      if (user === undefined) throw new TokenError('login_required', 'nobody is signed in with the scope "openid"', { phase: 'user_info' });
      return requestUserInfo(server, token, user.sub, tools.context());
    },
  };
}
