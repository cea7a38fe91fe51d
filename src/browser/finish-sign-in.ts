import { isTokenError, TokenError } from '../core/errors.js';
import { readAuthorizationResponse } from '../protocol/authorization/authorization-response.js';
import { type AuthorizationTransaction, maxTransactions } from '../protocol/authorization/authorization-transaction.js';
import { stateOf } from '../protocol/authorization/callback-url.js';
import { noteAnswered } from './answered-challenges.js';
import { appStateOf } from './app-state.js';
import { forgetCallback } from './callback.js';
import { handOver } from './popup.js';
import type { SignInTools } from './sign-in-tools.js';
import { isSignedIn } from './stored-user.js';
import type { Redeemed } from './tab-renewal.js';

interface PageSignIn {
  /** What the code has brought; nothing where it was not for this page to redeem. */
  readonly redeemed: Promise<Redeemed | undefined>;
  readonly stored: Promise<void>;
}

// Of this page, whichever of its session objects asks: a double mount or a hot reload makes a second one for the same callback,
// and a code is redeemed once. (`standards.md` A11)
const underWay = new Map<string, PageSignIn>();
// Taken out of the store, and not used up: the next `start()` goes on with them.
const taken = new Map<string, AuthorizationTransaction>();

/**
 * Finishes the sign-in that a callback answers: once, however often it is asked for. A callback that was answered before is no
 * failure while somebody is signed in, and one of another session is left to that one. With `isHere`, it comes from a popup.
 * @throws {TokenError}
 */
export function finishSignIn(callback: URL, tools: SignInTools, isHere: boolean): Promise<void> {
  const state = stateOf(callback) ?? '';
  const [, tag = tools.tag] = /\.([\w-]{8})$/.exec(state) ?? [];
  if (tag !== tools.tag) return Promise.resolve();
  const before = underWay.get(state);
  const redeemed = before?.redeemed ?? redeem(callback, state, tools, isHere);
  const stored: Promise<void> = store(before, redeemed, tools, () => underWay.get(state)?.stored === stored);
  tools.unfinished.add(stored);
  underWay.set(state, { redeemed, stored });
  for (const oldest of [...underWay.keys()].slice(0, -maxTransactions)) underWay.delete(oldest);
  const settled = (error?: unknown): void => {
    tools.unfinished.delete(stored);
    const isOver = isHere || !isTransient(error);
    (isOver ? taken : underWay).delete(state);
    if (isOver) forgetCallback(state);
  };
  stored.then(() => {
    settled();
    // What is stored is held here no longer. (`standards.md` S22)
    if (underWay.get(state)?.stored === stored) underWay.set(state, { redeemed: Promise.resolve(undefined), stored });
  }, settled);
  return stored;
}

async function store(before: PageSignIn | undefined, redeemed: Promise<Redeemed | undefined>, { kept }: SignInTools, isLast: () => boolean): Promise<void> {
  if (before) {
    const failure: unknown = await before.stored.then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failure === undefined) return kept.recheck();
    // The object that began is gone; what it redeemed is not.
    if (!isTokenError(failure) || failure.code !== 'disposed') throw failure;
  }
  const storeTokens = await redeemed;
  // Another object of this page waits for what a disposed one leaves; else it goes into the store, where the next one finds it.
  await storeTokens?.(kept, isLast());
}

async function redeem(callback: URL, state: string, tools: SignInTools, isHere: boolean): Promise<Redeemed | undefined> {
  const { transactions, setup } = tools;
  if (!isHere && (await isOfPopup(state, tools)) && (await handOver(callback, state, setup.clock))) return undefined;
  const transaction = taken.get(state) ?? (await transactions.take(state));
  if (transaction === undefined) {
    if (isSignedIn(tools.kept.record(), setup.clock)) return undefined;
    throw new TokenError('callback_refused', 'nobody here began this sign-in, or it was finished before', { phase: 'authorization' });
  }
  taken.set(state, transaction);
  const appState = appStateOf(transaction);
  const { returnTo } = appState;
  noteAnswered(appState, tools);
  const leave = (): void => {
    if (!isHere && returnTo !== undefined) history.replaceState(history.state, '', returnTo);
  };
  try {
    const response = readAuthorizationResponse(callback, transaction, setup.clock);
    const redeemed = await tools.redeem(transaction, response, tools.context(), tools.kept.record());
    leave();
    return redeemed;
  } catch (error) {
    if (!isTransient(error)) leave();
    throw error;
  }
}

// Where the browser keeps nothing for both pages, the one that opened this window alone knows its sign-in.
async function isOfPopup(state: string, { transactions, isDegraded }: SignInTools): Promise<boolean> {
  const transaction = taken.get(state) ?? (await transactions.find(state));
  if (transaction) return appStateOf(transaction).via === 'popup';
  return Boolean(globalThis.opener) || (await isDegraded());
}

// What the server sent the user back with is its last word on this sign-in, though another one may work later.
function isTransient(error: unknown): boolean {
  return isTokenError(error) && error.kind === 'transient' && error.phase !== 'authorization';
}
