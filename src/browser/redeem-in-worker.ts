import { TokenError } from '../core/errors.js';
import type { TokenSet } from '../core/token-set.js';
import { withTimeLimit } from '../core/waiting.js';
import type { SessionSetup } from './session-setup.js';
import type { Renewal } from './tab-renewal.js';
import type { WorkerLink } from './worker-link.js';

// The redemption's own limit is 30 s.
const limitMs = 35_000;

/** Redeems codes in the worker, so that no refresh token ever reaches the page; where there is none, in this page. */
export function redeemInWorker(link: WorkerLink, tab: Renewal, { clock, journal }: SessionSetup): Renewal['redeem'] {
  return async (transaction, response, context, before) => {
    const { signal } = context;
    // A code may be sent once. From here on the worker is awake, so it has been, or it is lost.
    if ((await link.ask({ do: 'ping' }, { signal })) === undefined) return tab.redeem(transaction, response, context, before);
    const lost = new TokenError('code_lost', 'the worker ended while it redeemed the code; a new sign-in is needed', { phase: 'token' });
    const order = { do: 'redeem', transaction, code: response.code } as const;
    const ask = (limited: AbortSignal): ReturnType<WorkerLink['ask']> => link.ask(order, { signal: limited, onEvent: journal.report, once: true });
    const answer = await withTimeLimit(clock, limitMs, ask, () => lost, signal).catch((error: unknown) => {
      if (error !== lost) throw error;
      return undefined;
    });
    const { result } = answer ?? {};
    if (result !== undefined) {
      const tokens: TokenSet = Object.freeze({ ...Object(result) });
      return (kept, evenDisposed) => kept.signIn(tokens, { evenDisposed });
    }
    // Not written once more: by now it may be renewed or signed out, and would come back with a refresh token that is spent.
    const told = (): void => journal.report({ type: 'signed_in' });
    if (answer)
      return async (kept) => {
        // Before what it brought is seen.
        told();
        await kept.recheck();
      };
    // It may have stored what it brought, and have had no time to say so.
    return async (kept) => {
      await kept.recheck();
      const { epoch, ended } = kept.record();
      if (ended !== undefined || epoch === before.epoch) throw lost;
      told();
    };
  };
}
