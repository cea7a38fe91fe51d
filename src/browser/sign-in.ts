import { checkOptions, invalidOption } from '../core/check-option.js';
import { TokenError } from '../core/errors.js';
import type { GrantContext } from '../core/grant.js';
import { parseObject } from '../core/parse-object.js';
import type { TokenParameters } from '../core/token-parameters.js';
import type { TokenSet } from '../core/token-set.js';
import type { KeptTokens } from '../manager/kept-tokens.js';
import { authorizationRequest } from '../protocol/authorization/authorization-request.js';
import { readAuthorizationResponse } from '../protocol/authorization/authorization-response.js';
import type { AuthorizationTransaction } from '../protocol/authorization/authorization-transaction.js';
import { stateOf } from '../protocol/authorization/callback-url.js';
import { redeemCode } from '../protocol/authorization/redeem-code.js';
import { signInOptionNames } from '../protocol/authorization/sign-in-options.js';
import type { AuthorizationServer } from '../protocol/issuer/authorization-server.js';
import { askedFor } from './asked-for.js';
import { leavePage } from './leave-page.js';
import { ownUrl } from './own-url.js';
import type { SessionSignInOptions } from './session.js';
import type { SessionSetup } from './session-setup.js';
import type { Transactions } from './transactions.js';

/** What sign-in and sign-out work with. */
export interface SignInTools {
  readonly setup: SessionSetup;
  readonly server: AuthorizationServer;
  readonly defaults: TokenParameters;
  readonly transactions: Transactions;
  readonly kept: KeptTokens;
  seal(tokens: TokenSet): Promise<TokenSet>;
  context(signal?: AbortSignal): GrantContext;
}

/**
 * Begins a sign-in: what belongs to it is kept before the page goes to the server.
 * @throws {TokenError}
 */
export async function signIn(options: SessionSignInOptions, tools: SignInTools): Promise<void> {
  checkOptions('signIn', options, [...signInOptionNames, 'via', 'returnTo', 'challenge']);
  const { via = 'redirect', returnTo, challenge, ...wanted } = options;
  const request = challenge === undefined ? wanted : { ...askedFor(challenge, tools.defaults), ...wanted };
  if (via !== 'redirect' && via !== 'popup') throw invalidOption('via', '"redirect" or "popup"', via);
  const appState = JSON.stringify({ returnTo: ownUrl('returnTo', returnTo ?? location.href) });
  const given = { redirectUri: tools.setup.options.redirectUri, defaults: tools.defaults, appState };
  const { transaction, url } = await authorizationRequest(tools.server, request, given, tools.context());
  const target = await url(tools.context());
  await tools.transactions.add(transaction);
  await leavePage(target);
}

/**
 * Finishes the sign-in that a callback answers: once, however often it is asked for. A callback that was answered before is no
 * failure while somebody is signed in.
 * @throws {TokenError}
 */
export function finishSignIn(callback: URL, tools: SignInTools, finished: Map<string, Promise<void>>): Promise<void> {
  const state = stateOf(callback) ?? '';
  const known = finished.get(state);
  if (known) return known;
  const finishing = finish(callback, state, tools);
  finished.set(state, finishing);
  return finishing;
}

async function finish(callback: URL, state: string, tools: SignInTools): Promise<void> {
  const { kept, server, transactions, setup } = tools;
  const transaction = await transactions.take(state);
  if (transaction === undefined) {
    const { ended, refreshToken, tokens } = kept.record();
    if (ended === undefined && (refreshToken !== undefined || tokens.length > 0)) return;
    throw new TokenError('callback_refused', 'nobody here began this sign-in, or it was finished before', { phase: 'authorization' });
  }
  const response = readAuthorizationResponse(callback, transaction, setup.clock);
  // The session's own token, whatever other APIs the user has agreed to as well.
  const own = { ...tools.context(), target: { resource: tools.defaults.resource } };
  const { tokens } = await redeemCode(server, transaction, response, own);
  await kept.signIn(await tools.seal(tokens));
  const to = returnToOf(transaction);
  if (to !== undefined) history.replaceState(history.state, '', to);
}

function returnToOf({ appState }: AuthorizationTransaction): string | undefined {
  const { returnTo } = parseObject(appState) ?? {};
  return typeof returnTo === 'string' ? ownUrl('returnTo', returnTo) : undefined;
}
