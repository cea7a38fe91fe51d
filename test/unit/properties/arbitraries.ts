import fc, { type Arbitrary } from 'fast-check';
import { TokenError, type TokenErrorCode, type TokenSet } from 'tokenkeep';
import { createAccessToken } from '../../../src/core/access-token.js';
import { elapsedMs, type Instant } from '../../../src/core/instant.js';
import { type HeldToken, holdToken, type Windows } from '../../../src/manager/state.js';

export const hourMs = 3_600_000;
export const sent: Instant = { wall: 1_800_000_000_000, mono: 7_000_000 };
export const defaults: Windows = { skewMs: 60_000, minValidMs: 5_000, spread: 0 };

const decadeMs = 315_360_000_000;

/** Lifetimes in whole milliseconds, dead on arrival and short ones included. */
export const knownLifetime: Arbitrary<number> = fc.oneof(
  fc.constant(hourMs),
  fc.integer({ min: 1, max: 20_000 }),
  fc.integer({ min: 20_001, max: 24 * hourMs }),
  fc.integer({ min: 24 * hourMs, max: decadeMs }),
);
export const lifetime: Arbitrary<number | undefined> = fc.oneof(
  { arbitrary: knownLifetime, weight: 6 },
  { arbitrary: fc.constantFrom(0, undefined), weight: 1 },
);

/** In [0, 1), in the steps of the package's own source of chance. */
export const fraction: Arbitrary<number> = fc.integer({ min: 0, max: 2 ** 32 - 1 }).map((drawn) => drawn / 2 ** 32);

export const windows: Arbitrary<Windows> = fc.record({
  skewMs: fc.oneof(fc.constant(60_000), fc.integer({ min: 0, max: 2 * hourMs })),
  minValidMs: fc.oneof(fc.constant(5_000), fc.integer({ min: 0, max: 2 * hourMs })),
  spread: fraction,
});

const codesByKind = {
  transient: [
    'network_error',
    'timeout',
    'server_error',
    'rate_limited',
    'invalid_response',
    'wait_timeout',
    'lock_timeout',
    'lock_lost',
    'store_unavailable',
    'grant_failed',
  ],
  interaction: ['grant_revoked', 'rotation_lost', 'session_changed', 'login_required', 'interaction_required'],
  configuration: [
    'invalid_option',
    'client_rejected',
    'request_rejected',
    'grant_rejected',
    'redirect_refused',
    'unacceptable_response',
    'unexpected_status',
    'unknown_error',
    'discovery_failed',
    'issuer_mismatch',
    'endpoint_refused',
    'url_refused',
  ],
  terminal: ['disposed', 'static_token_expired'],
} as const satisfies Record<TokenError['kind'], readonly TokenErrorCode[]>;

export function failure(code: TokenErrorCode, retryAfterMs?: number): TokenError {
  return new TokenError(code, 'planned', { phase: 'token', retryAfterMs });
}

/** What a server may ask for, and what a grant of somebody else may make of it. */
const retryAfter: Arbitrary<number | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.integer({ min: 0, max: 40_000 }),
  fc.integer({ min: 0, max: 100 * hourMs }),
);

export function failureOf(...kinds: readonly TokenError['kind'][]): Arbitrary<TokenError> {
  return fc.tuple(fc.constantFrom(...kinds.flatMap((kind) => [...codesByKind[kind]])), retryAfter).map(([code, ms]) => failure(code, ms));
}

export const anyFailure: Arbitrary<TokenError> = failureOf('transient', 'interaction', 'configuration', 'terminal');

export function tokenSet(accessToken: string, lifetimeMs: number | undefined, more: Partial<TokenSet> = {}): TokenSet {
  return { accessToken, tokenType: 'Bearer', sentAt: sent.wall, lifetimeMs, scope: [], ...more };
}

export function hold(tokens: TokenSet, targetKey = '', at: Instant = sent, within: Windows = defaults, repeated = false): HeldToken {
  return holdToken(tokens, createAccessToken(tokens), targetKey, at, within, repeated);
}

/** Tokens as the manager makes them, sent at {@link sent}. */
export const held: Arbitrary<HeldToken> = fc
  .tuple(fc.constantFrom('at-1', 'at-2'), lifetime, windows, fc.boolean())
  .map(([value, lifetimeMs, within, repeated]) => hold(tokenSet(value, lifetimeMs), '', sent, within, repeated));

/** Both clocks `ageMs` after {@link sent}. */
export function at(ageMs: number): Instant {
  return { wall: sent.wall + ageMs, mono: sent.mono + ageMs };
}

export function ageOf(since: Instant, now: Instant): number {
  return elapsedMs(since, now.wall, now.mono);
}
