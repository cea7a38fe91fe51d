import type { AccessToken } from '../core/access-token.js';
import { isTokenError, TokenError } from '../core/errors.js';
import { decide } from './decide.js';
import type { Flight } from './flight.js';
import { Renewal } from './renewal.js';
import { heldOf, type RenewalSubject, type RenewalTools } from './renewal-tools.js';
import { limits } from './retry.js';

/**
 * One renewal from the queue to the stored result: a slot at the token endpoint, then the lock, then a second look at
 * the store, and only then a request.
 * @throws {TokenError}
 */
export function renewToken(subject: RenewalSubject, flight: Flight, tools: RenewalTools): Promise<AccessToken> {
  return tools.queue.run(async () => {
    flight.cancel.signal.throwIfAborted();
    return withLock(subject, flight, tools, (held) => new Renewal(subject, flight, tools, held).run());
  }, flight);
}

async function withLock(subject: RenewalSubject, flight: Flight, tools: RenewalTools, task: (held: AbortSignal) => Promise<AccessToken>): Promise<AccessToken> {
  const name = await subject.lockName();
  for (;;) {
    // Nobody waits in the background: whoever holds the lock is renewing already.
    const waitMs = flight.background ? 0 : limits.lockMs;
    let entered = false;
    const enter = (held: AbortSignal): Promise<AccessToken> => {
      entered = true;
      return task(held);
    };
    try {
      return await tools.lock.run(name, enter, { waitMs, signal: flight.cancel.signal });
    } catch (error) {
      if (entered || flight.cancel.signal.aborted) throw error;
      const busy = isTokenError(error) && error.code === 'lock_timeout';
      if (busy && waitMs === 0 && !flight.background) continue;
      if (busy) return await adoptInstead(subject, flight, tools, error);
      // The lock itself failed. Without a refresh token nothing can be spent twice.
      if (tools.grant.renews !== 'refreshToken') return task(new AbortController().signal);
      throw new TokenError('lock_timeout', 'the lock failed', { phase: 'lock' });
    }
  }
}

// The holder may have stored its result by now.
async function adoptInstead(subject: RenewalSubject, flight: Flight, tools: RenewalTools, error: TokenError): Promise<AccessToken> {
  if (flight.background) throw error;
  await subject.keeper.read();
  const held = heldOf(subject);
  const { clock } = tools;
  const decision = decide({ loaded: true, ended: undefined, held, flight: undefined, cooldown: undefined }, flight.want, clock.now(), clock.monotonicMs());
  if (held !== undefined && decision.do === 'use') return held.token;
  throw error;
}
