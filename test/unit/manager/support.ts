import type { Grant, GrantContext, TokenSet } from 'tokenkeep';
import { TokenError } from 'tokenkeep';

export interface ScriptedGrant extends Grant {
  readonly requests: { readonly at: number; readonly current: TokenSet | undefined; readonly context: GrantContext }[];
}

export type Step = Partial<TokenSet> | Error | ((current: TokenSet | undefined, context: GrantContext) => Promise<Partial<TokenSet>>);

/** A grant that answers from a script; its last step repeats. Access tokens are numbered: `at-1`, `at-2`, … */
export function scriptedGrant(renews: Grant['renews'], ...script: readonly Step[]): ScriptedGrant {
  const requests: ScriptedGrant['requests'] = [];
  return {
    id: 'scripted',
    renews,
    requests,
    async request(current, context) {
      const sentAt = context.clock.now();
      requests.push({ at: sentAt, current, context });
      const step = script[Math.min(requests.length, script.length) - 1] ?? {};
      if (step instanceof Error) throw step;
      const answer = typeof step === 'function' ? await step(current, context) : step;
      return { accessToken: `at-${requests.length}`, tokenType: 'Bearer', sentAt, lifetimeMs: 3_600_000, scope: [], ...answer };
    },
  };
}

export function transient(details: { retryAfterMs?: number; code?: 'network_error' | 'server_error' | 'rate_limited' | 'invalid_response' | 'timeout' } = {}): TokenError {
  return new TokenError(details.code ?? 'network_error', 'planned failure', { phase: 'token', retryAfterMs: details.retryAfterMs });
}
