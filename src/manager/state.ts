import type { AccessToken, Prove } from '../core/access-token.js';
import type { Clock } from '../core/clock.js';
import type { TokenError } from '../core/errors.js';
import { ageMs, type Instant } from '../core/instant.js';
import type { TokenSet } from '../core/token-set.js';

/** An access token in use, with the ages at which its treatment changes. */
export interface HeldToken extends Instant {
  readonly targetKey: string;
  readonly token: AccessToken;
  readonly lifetimeMs: number | undefined;
  /** From this age a renewal runs behind the callers. */
  readonly renewAgeMs: number;
  /** From this age it is not handed out any more. */
  readonly refuseAgeMs: number;
  /** The server gave the same token again: up to this age a refusal of it causes no further request. */
  readonly repeatedUntilAgeMs: number;
}

/** Everything that is known of one grant: what a store holds, and what compare-and-swap protects. */
export interface GrantRecord {
  /** Identity: raised by sign-in and sign-out alone. */
  readonly epoch: number;
  /** Why the grant gives no tokens any more; undefined while it lives. */
  readonly ended: EndReason | undefined;
  readonly refreshToken: string | undefined;
  readonly idToken: string | undefined;
  readonly raw: Readonly<Record<string, unknown>> | undefined;
  /** A refresh token was sent and its answer is not stored yet. */
  readonly pending: PendingRotation | undefined;
  readonly tokens: readonly HeldToken[];
}

/** `storage_cleared`: the store lost a record that nobody had ended. `key_lost`: what opens or proves its tokens is gone. */
export type EndReason = 'grant_revoked' | 'rotation_lost' | 'cleared' | 'revoked' | 'storage_cleared' | 'key_lost';

export interface PendingRotation extends Instant {
  /** SHA-256 of the refresh token that was sent. */
  readonly sentDigest: string;
}

/** A grace window for a refresh token that was sent, and never answered, may be open for this long. */
export const graceMs = 60_000;

export const emptyRecord: GrantRecord = {
  epoch: 0,
  ended: undefined,
  refreshToken: undefined,
  idToken: undefined,
  raw: undefined,
  pending: undefined,
  tokens: [],
};

/** What the last failure forbids, and until when. */
export interface Cooldown extends Instant {
  readonly error: TokenError;
  /** How many flights failed in a row. */
  readonly failures: number;
  /** For this long callers without a usable token get the error at once. */
  readonly blockedMs: number;
  /** For this long no renewal is started behind callers. */
  readonly backgroundMs: number;
}

/** How every token of a manager is treated: how long before expiry that changes, and how it is presented. */
export interface Windows {
  readonly skewMs: number;
  readonly minValidMs: number;
  /** In [0, 1): how much of the tenth of the skew by which renewal starts earlier, so that fleets do not renew together. */
  readonly spread: number;
  /** Makes the proofs of tokens that are bound to a key. */
  readonly prove?: Prove | undefined;
}

const zeroLifetimeReuseMs = 5_000;
const unknownLifetimeGuardMs = 30_000;

/**
 * A token set as the manager holds it. Both windows shrink for short-lived tokens; a token that is dead on arrival is
 * reused for 5 s, so that it does not cause a request per call. (`standards.md` E1 to E4, E6, E7)
 */
export function holdToken(tokens: TokenSet, token: AccessToken, targetKey: string, { wall, mono }: Instant, windows: Windows, repeated: boolean): HeldToken {
  // A grant of somebody else's may say anything; what is no duration says nothing.
  const lifetimeMs = Number(tokens.lifetimeMs) >= 0 ? tokens.lifetimeMs : undefined;
  const endMs = lifetimeMs ?? Infinity;
  const refuseAgeMs = endMs === 0 ? zeroLifetimeReuseMs : endMs - Math.min(windows.minValidMs, endMs / 4);
  const skewMs = Math.min(windows.skewMs, endMs / 2) * (1 + windows.spread / 10);
  return {
    targetKey,
    token,
    lifetimeMs,
    wall,
    mono,
    renewAgeMs: endMs === 0 ? refuseAgeMs : Math.min(endMs - skewMs, refuseAgeMs),
    refuseAgeMs,
    repeatedUntilAgeMs: repeated ? (lifetimeMs === undefined ? unknownLifetimeGuardMs : lifetimeMs / 3) : 0,
  };
}

/** Whether it may still be handed out. */
export function isUsable(held: HeldToken | undefined, clock: Clock): held is HeldToken {
  return held !== undefined && ageMs(held, clock) < held.refuseAgeMs;
}

/** From when it is renewed behind the callers, in epoch milliseconds; undefined when it never is. */
export function renewsAt(held: HeldToken | undefined): number | undefined {
  return !held || held.renewAgeMs === Infinity ? undefined : Math.round(held.wall + held.renewAgeMs);
}
