import type { TokenError } from '../core/errors.js';
import type { RenewalReason } from '../core/events.js';
import { type Cooldown, elapsedMs, type HeldToken } from './state.js';

/** What is known about one target when somebody asks for a token. */
export interface TargetState {
  /** The store has been read. */
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
  const { held } = state;
  if (held !== undefined) {
    const age = elapsedMs(held, wall, mono);
    if (age < held.renewAgeMs && request === undefined) return use;
    const refused = request?.invalidToken === held.token.value && age >= held.repeatedUntilAgeMs;
    if (age < held.refuseAgeMs && !refused) return serve(state, held, request, age, wall, mono);
  }
  if (!state.loaded) return load;
  const reason: RenewalReason = held === undefined ? 'missing' : request?.invalidToken === held.token.value ? 'refused' : 'expired';
  if (state.flight !== undefined) return { do: 'join', reason };
  if (state.ended !== undefined) return { do: 'fail', error: state.ended };
  const { cooldown } = state;
  if (cooldown !== undefined && elapsedMs(cooldown, wall, mono) < cooldown.blockedMs) return { do: 'fail', error: cooldown.error };
  return { do: 'renew', reason };
}

// The token is usable: whatever else is wished for is best effort and never an error.
function serve(state: TargetState, held: HeldToken, request: TokenRequest | undefined, age: number, wall: number, mono: number): Decision {
  const { cooldown } = state;
  const mayRenew = state.ended === undefined && !(cooldown !== undefined && elapsedMs(cooldown, wall, mono) < cooldown.backgroundMs);
  if (isShort(held, request?.minValidMs, age)) {
    if (!state.loaded) return load;
    if (state.flight !== undefined) return { do: 'join', reason: 'short' };
    if (mayRenew) return { do: 'renew', reason: 'short' };
    return use;
  }
  return age < held.renewAgeMs || state.flight !== undefined || !mayRenew ? use : useAndRenew;
}

// Capped at half of the lifetime: a wish beyond what the server grants would otherwise renew on every call, as would any
// wish where tokens are dead on arrival.
function isShort(held: HeldToken, minValidMs: number | undefined, age: number): boolean {
  if (minValidMs === undefined || !held.lifetimeMs) return false;
  return held.lifetimeMs - age < Math.min(minValidMs, held.lifetimeMs / 2);
}
