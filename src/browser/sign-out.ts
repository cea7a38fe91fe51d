import { checkBoolean } from '../core/check-option.js';
import { TokenError } from '../core/errors.js';
import { withTimeLimit } from '../core/waiting.js';
import { endSessionUrl } from '../protocol/authorization/end-session.js';
import { leavePage } from './leave-page.js';
import type { SignOutOptions } from './session.js';
import type { SignInTools } from './sign-in-tools.js';

const revocationMs = 2_000;
const limitMs = 10_000;

/**
 * Forgets here and in all tabs first, however long the store takes; the server is told as far as that is possible in two seconds.
 * (`standards.md` R27, A29)
 * @throws {TokenError}
 */
export async function signOut(options: SignOutOptions, { kept, server, setup, context }: SignInTools): Promise<void> {
  const provider = checkBoolean('provider', options.provider, false);
  const { returnTo } = options;
  const { clock } = setup;
  const { idToken: idTokenHint } = kept.record();
  const timeout = (what: string) => (): TokenError => new TokenError('timeout', `${what} took too long`, { phase: 'revocation' });
  const { revoked } = await kept.signOut();
  // It is forgotten here in any case; the request outlives the page.
  await withTimeLimit(clock, revocationMs, () => revoked, timeout('the revocation')).catch(() => undefined);
  const away = (signal: AbortSignal): Promise<string | undefined> =>
    endSessionUrl(server, { idTokenHint, postLogoutRedirectUri: returnTo }, { ...context(signal) });
  const url = provider ? await withTimeLimit(clock, limitMs, away, timeout('discovery')) : undefined;
  if (url !== undefined || returnTo !== undefined) await leavePage(url ?? returnTo ?? '');
}
