import type { AccessToken } from '../core/access-token.js';
import { isTokenError, TokenError } from '../core/errors.js';
import { decide } from './decide.js';
import type { Flight } from './flight.js';
import { renewUnderLock } from './renew-under-lock.js';
import type { RenewalTools } from './renewal-tools.js';
import { limits } from './retry.js';
import { heldFor, type TargetEntry } from './target-entry.js';
import { targetLabel } from './target-key.js';

/**
 * One renewal from the queue to the stored result: a slot at the token endpoint, then the lock, then a second look at
 * the store, and only then a request.
 * @throws {TokenError}
 */
export function renewToken(entry: TargetEntry, flight: Flight, tools: RenewalTools): Promise<AccessToken> {
  const { signal } = flight.cancel;
  return tools.queue.run(async () => {
    const name = await tools.lockNameOf(entry.key);
    for (;;) {
      signal.throwIfAborted();
      // Nobody waits in the background: whoever holds the lock is renewing already.
      const waitMs = flight.background ? 0 : limits.lockMs;
      let running: Promise<AccessToken> | undefined;
      const task = (held: AbortSignal): Promise<AccessToken> => {
        running = renewUnderLock(entry, flight, tools, held);
        return running;
      };
      try {
        return await tools.lock.run(name, task, { waitMs, signal });
      } catch (error) {
        // A lock that fails afterwards takes nothing back.
        if (running !== undefined) return await running;
        if (signal.aborted) throw error;
        if (!isTokenError(error)) {
          // The lock itself failed. Without a refresh token nothing can be spent twice.
          if (tools.grant.renews !== 'refreshToken' || tools.grant.keepsRefreshToken) return task(new AbortController().signal);
          throw new TokenError('lock_timeout', 'the lock failed', { phase: 'lock' });
        }
        if (!flight.background && waitMs === 0) continue;
        flight.gaveWay = waitMs === 0;
        return await adoptInstead(entry, flight, tools, error);
      }
    }
  }, flight);
}

// The holder may have stored its result by now. Who waits takes any usable token, who does not only a fresh one.
async function adoptInstead(entry: TargetEntry, flight: Flight, { now, report }: RenewalTools, error: TokenError): Promise<AccessToken> {
  await entry.keeper.read();
  const { reason, background, want } = flight;
  const held = heldFor(entry);
  const { wall, mono } = now();
  const decision = decide({ ...entry, held, flight: undefined, cooldown: undefined, loaded: true }, want, wall, mono);
  if (held === undefined || (decision.do !== 'use' && (background || decision.do !== 'useAndRenew'))) throw error;
  report({ type: 'token', source: 'store', reason, background, expiresAt: held.token.expiresAt, target: targetLabel(entry.target) });
  return held.token;
}
