import { TokenError } from '../../core/errors.js';
import type { Grant, GrantContext } from '../../core/grant.js';
import type { TokenParameters } from '../../core/token-parameters.js';
import type { TokenSet } from '../../core/token-set.js';
import { withTimeLimit } from '../../core/waiting.js';
import type { AuthorizationServer } from '../issuer/authorization-server.js';
import { validateRefreshedIdToken } from './id-token.js';
import { refresher } from '../grants/refresher.js';
import { revokeQuietly, revokeTokens } from '../revocation.js';
import { signingKeys } from './signing-keys.js';
import { bindingOf } from '../dpop/token-binding.js';
import { canonicalParameters } from '../wire/token-parameters.js';

// The new refresh token must be stored before the time for this request is over.
const limitMs = 2_000;

/**
 * The grant of somebody who signed in: renews with the refresh token of the current token set, and holds none itself. An
 * ID token that comes along is validated; one that does not hold is dropped with a warning, since the new refresh token
 * must not be lost with it, and one about another user ends the grant. (`standards.md` A25)
 * `first` gives the token set to begin with; left out, it is written into the record from outside.
 */
export function signedInGrant(server: AuthorizationServer, defaults: TokenParameters, first?: (context: GrantContext) => Promise<TokenSet>): Grant {
  const refresh = refresher(server, defaults);
  const keys = server.preset.idTokenSignature === 'tls' ? undefined : signingKeys(server);
  let bringsIdToken = true;
  return {
    id: JSON.stringify(['authorization_code', server.issuer, server.clientId, canonicalParameters(defaults)]),
    renews: 'refreshToken',
    keepsRefreshToken: server.preset.rotation === 'none',
    ...bindingOf(server),
    request: async (current, context) => {
      if (current?.refreshToken === undefined) {
        if (first && current === undefined) return first(context);
        const why = current ? 'the server gave no refresh token; a new sign-in is needed' : 'nobody is signed in';
        throw new TokenError('login_required', why, { phase: 'token' });
      }
      // The keys for what comes along, so that the new tokens are stored without waiting for them.
      if (current.idToken !== undefined && bringsIdToken) keys?.get(context).catch(() => undefined);
      const tokens = await refresh(current.refreshToken, current, context);
      bringsIdToken = tokens.idToken !== undefined;
      return tokens.idToken === undefined ? tokens : withCheckedIdToken(server, tokens, current.idToken, context);
    },
    revoke: (tokens, context) => revokeTokens(server, tokens, context),
  };
}

async function withCheckedIdToken(server: AuthorizationServer, tokens: TokenSet, before: string | undefined, context: GrantContext): Promise<TokenSet> {
  try {
    const timeout = (): TokenError => new TokenError('timeout', 'the keys took too long', { phase: 'id_token' });
    await withTimeLimit(context.clock, limitMs, (signal) => validateRefreshedIdToken(server, tokens, before, { ...context, signal }), timeout);
    return tokens;
  } catch (error) {
    if (error instanceof TokenError && error.code === 'grant_revoked') {
      await revokeQuietly(server, tokens, context);
      throw error;
    }
    const why = error instanceof TokenError ? error.code : 'unknown';
    context.report({ type: 'warning', code: 'id_token_dropped', message: `the ID token of a refresh was dropped (${why}); the one before it stays` });
    const { idToken: _, ...rest } = tokens;
    return Object.freeze(rest);
  }
}
