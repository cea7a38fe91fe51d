import { checkOptions, invalidOption } from '../core/check-option.js';
import { TokenError } from '../core/errors.js';
import { authorizationRequest } from '../protocol/authorization/authorization-request.js';
import { signInOptionNames } from '../protocol/authorization/sign-in-options.js';
import { unavailable } from '../core/unavailable.js';
import { followedChallenges } from './answered-challenges.js';
import type { AppState } from './app-state.js';
import { askedFor } from './asked-for.js';
import { finishSignIn } from './finish-sign-in.js';
import { leavePage } from './leave-page.js';
import { ownUrl } from './own-url.js';
import { callbackOf } from './popup.js';
import type { SessionSignInOptions } from './session.js';
import type { SignInTools } from './sign-in-tools.js';

/**
 * Begins a sign-in: what belongs to it is kept before the user goes to the server. One in a popup, which is open already, is
 * finished here too; one by redirect on the page that the user comes back to.
 * @throws {TokenError}
 */
export async function signIn(options: SessionSignInOptions, popup: Window | null | undefined, tools: SignInTools): Promise<void> {
  checkOptions('signIn', options, [...signInOptionNames, 'via', 'returnTo', 'challenge']);
  const { via = 'redirect', returnTo, challenge, ...wanted } = options;
  if (via !== 'redirect' && via !== 'popup') throw invalidOption('via', '"redirect" or "popup"', via);
  const back = ownUrl('returnTo', returnTo ?? location.href);
  if (via === 'popup' && !popup)
    throw new TokenError('popup_blocked', 'the browser opened no popup: it does so at a click only, and where the user allows it', { phase: 'authorization' });
  const { setup, server, defaults, transactions, kept, isDegraded, gone, tag } = tools;
  if (setup.options.dpop && via === 'redirect' && (await isDegraded()))
    throw unavailable('this browser keeps no key, so a redirect would lose it: sign in by popup');
  const request = challenge === undefined ? wanted : { ...askedFor(challenge, defaults), ...wanted };
  const challenges = challenge === undefined ? [] : followedChallenges(challenge, tools);
  const appState: AppState = { via, returnTo: back, challenges };
  const given = { redirectUri: setup.options.redirectUri, defaults, appState: JSON.stringify(appState), tag };
  const { transaction, url } = await authorizationRequest(server, request, given, tools.context(gone));
  const target = await url(tools.context(gone));
  await transactions.add(transaction);
  gone.throwIfAborted();
  if (!popup) {
    await leavePage(target);
    // Somebody may have signed in while this page was away.
    return kept.recheck();
  }
  const answered = callbackOf(popup, transaction.state, setup.clock, gone);
  popup.location.replace(target);
  await finishSignIn(await answered, tools, true);
}
