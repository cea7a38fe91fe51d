import type { TokenError } from '../core/errors.js';
import type { RenewalReason } from '../core/events.js';
import { elapsedMs } from '../core/instant.js';
import type { GetTokenOptions } from '../core/token-source.js';
import type { Cooldown, HeldToken } from './state.js';

/** What is known about one target when somebody asks for a token. */
export interface TargetState {
  /** The store has been read, and nothing since says that it must be read again. */
  readonly loaded: boolean;
  /** The grant gives no tokens any more. */
  readonly ended: TokenError | undefined;
  readonly held: HeldToken | undefined;
  /** The renewal in flight, if there is one. */
  readonly flight: object | undefined;
  readonly cooldown: Cooldown | undefined;
}

/** What the asker says. */
export interface TokenRequest {
  /** Value of an access token that a resource server refused. */
  readonly invalidToken?: string | undefined;
  readonly minValidMs?: number | undefined;
}

/** The same, from what a caller says; undefined for nothing. */
export function requestOf({ invalidToken, minValidMs }: GetTokenOptions): TokenRequest | undefined {
  return invalidToken || minValidMs !== undefined ? { invalidToken: invalidToken?.value, minValidMs } : undefined;
}

/** What to do, as data. `use` and `useAndRenew` serve the held token at once. */
export type Decision =
  | { readonly do: 'use' }
  | { readonly do: 'useAndRenew' }
  | { readonly do: 'load' }
  | { readonly do: 'join'; readonly reason: RenewalReason }
  | { readonly do: 'renew'; readonly reason: RenewalReason }
  | { readonly do: 'fail'; readonly error: TokenError };

// Shared, so that the hot path allocates nothing.
const use: Decision = { do: 'use' };
const useAndRenew: Decision = { do: 'useAndRenew' };
const load: Decision = { do: 'load' };

/**
 * Says what to do for one request, from what is known now. Pure: no promise, no clock, no side effect.
 *
 * @param wall epoch milliseconds
 * @param mono monotonic milliseconds
 */
export function decide(state: TargetState, request: TokenRequest | undefined, wall: number, mono: number): Decision {
  const { loaded, ended, held, flight, cooldown } = state;
  const age = !held ? Infinity : elapsedMs(held, wall, mono);
  // What nearly every call comes to.
  if (held && loaded && !request && age < held.renewAgeMs) return use;
  if (!loaded) return load;
  const restedMs = !cooldown ? Infinity : elapsedMs(cooldown, wall, mono);
  let reason: RenewalReason = 'missing';
  if (held) {
    const refused = request?.invalidToken === held.token.value;
    reason = refused ? 'refused' : 'expired';
    if (age < held.refuseAgeMs && !(refused && age >= held.repeatedUntilAgeMs)) {
      // The token is usable: whatever else is wished for is best effort and never an error.
      const mayRenew = !ended && restedMs >= (cooldown?.backgroundMs ?? 0);
      const short = isShort(held, request?.minValidMs, age);
      if (!short) return age < held.renewAgeMs || flight || !mayRenew ? use : useAndRenew;
      if (!flight && !mayRenew) return use;
      reason = 'short';
    }
  }
  if (flight) return { do: 'join', reason };
  if (reason !== 'short') {
    if (ended) return { do: 'fail', error: ended };
    if (cooldown && restedMs < cooldown.blockedMs) return { do: 'fail', error: cooldown.error };
  }
  return { do: 'renew', reason };
}

// Capped at half of the lifetime: a wish beyond what the server grants would otherwise renew on every call, as would any
// wish where tokens are dead on arrival.
function isShort(held: HeldToken, minValidMs: number | undefined, age: number): boolean {
  if (minValidMs === undefined || !held.lifetimeMs) return false;
  return held.lifetimeMs - age < Math.min(minValidMs, held.lifetimeMs / 2);
}
