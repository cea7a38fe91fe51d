import { checkOptions, checkBoolean } from '../core/check-option.js';
import { TokenError } from '../core/errors.js';
import { withTimeLimit } from '../core/waiting.js';
import { endSessionUrl } from '../protocol/authorization/end-session.js';
import { ownUrl } from './app-state.js';
import { leavePage } from './leave-page.js';
import type { SignOutOptions } from './session.js';
import type { SignInTools } from './sign-in-tools.js';

const revocationMs = 2_000;
const limitMs = 10_000;

/**
 * Forgets here and in all tabs first; the server is told as far as that is possible in two seconds. (`standards.md` R27, A29)
 * @throws {TokenError}
 */
export async function signOut(options: SignOutOptions, { kept, server, setup, context }: SignInTools): Promise<void> {
  checkOptions('signOut', options, ['provider', 'returnTo']);
  const provider = checkBoolean('provider', options.provider, false);
  const returnTo = options.returnTo === undefined ? undefined : ownUrl('returnTo', options.returnTo);
  const { clock } = setup;
  const { idToken: idTokenHint } = kept.record();
  const timeout = (what: string) => (): TokenError => new TokenError('timeout', `${what} took too long`, { phase: 'revocation' });
  await withTimeLimit(clock, revocationMs, () => kept.tokens.revoke(), timeout('the revocation')).catch((error: unknown) => {
    // It is forgotten here in any case; what the store could not take is said.
    if (error instanceof TokenError && error.code === 'store_unavailable') throw error;
  });
  const away = (signal: AbortSignal): Promise<string | undefined> =>
    endSessionUrl(server, { idTokenHint, postLogoutRedirectUri: returnTo }, { ...context(signal) });
  const url = provider ? await withTimeLimit(clock, limitMs, away, timeout('discovery')) : undefined;
  if (url !== undefined || returnTo !== undefined) await leavePage(url ?? returnTo ?? '');
}
