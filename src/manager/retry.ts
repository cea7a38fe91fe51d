import type { TokenError } from '../core/errors.js';
import type { Grant } from '../core/grant.js';
import type { Instant } from '../core/instant.js';
import type { Cooldown } from './state.js';

/** Time limits of one renewal, in milliseconds. (`standards.md` R20) */
export const limits = {
  attemptMs: 10_000,
  firstRefreshMs: 20_000,
  flightMs: 30_000,
  leastMs: 1_000,
  callerMs: 35_000,
  // Less than the callers' wait: what the holder stored meanwhile still reaches them.
  lockMs: 34_000,
  disposeMs: 40_000,
  storeMs: 5_000,
  revokeMs: 5_000,
  retryAfterMs: 3_600_000,
} as const;

const longestDelayMs = 30_000;
const backgroundSteps = [5_000, 10_000, 20_000, 40_000, 60_000] as const;
const configurationMs = 60_000;
const invalidResponseMs = 5_000;

/** One failed request and the circumstances that decide whether it is repeated. */
export interface FailedAttempt {
  readonly error: TokenError;
  /** 1 for the first request. */
  readonly attempt: number;
  /** A refresh token was sent. */
  readonly refreshToken: boolean;
  /** Nobody waits. */
  readonly background: boolean;
  /** What is left of the flight's deadline. */
  readonly remainingMs: number;
  /** In [0, 1). */
  readonly random: number;
}

/** How long to wait before the request is repeated; undefined: give up. (`standards.md` R8, R20 to R22) */
export function retryDelayMs({ error, attempt, refreshToken, background, remainingMs, random }: FailedAttempt): number | undefined {
  if (error.kind !== 'transient' || attempt >= attemptsOf(error, refreshToken, background)) return undefined;
  const backOffMs = random * Math.min(longestDelayMs, 500 * 2 ** attempt);
  const delayMs = Math.max(backOffMs, floorMs(error, random));
  return delayMs < remainingMs ? delayMs : undefined;
}

// A refresh token whose answer was lost is sent once more at once, also when nobody waits: grace windows are short.
// Sending it oftener could look like reuse.
function attemptsOf(error: TokenError, refreshToken: boolean, background: boolean): number {
  if (refreshToken) return background && error.code === 'rate_limited' ? 1 : 2;
  return background ? 1 : 3;
}

function floorMs(error: TokenError, random: number): number {
  // A custom grant may have read it from a header that is no number: NaN would forbid nothing.
  const askedMs = Math.min(error.retryAfterMs || 0, limits.retryAfterMs) * (1 + random / 10);
  return Math.max(askedMs, error.code === 'invalid_response' ? invalidResponseMs : 0);
}

/**
 * What a failed flight forbids until when. Behind callers a wrong setting is tried again as soon as any other failure is: a secret that
 * is being replaced is right again before the token has run out. (`standards.md` R21, R24)
 */
export function coolDown(error: TokenError, failures: number, renews: Grant['renews'], now: Instant, random: number, background = false): Cooldown {
  const cooldown = (blockedMs: number, backgroundMs: number): Cooldown => ({
    ...now,
    error: error.with({ fromCache: true }),
    failures,
    blockedMs,
    backgroundMs: backgroundMs,
  });
  if (error.kind === 'interaction' && renews === 'refreshToken') return cooldown(Infinity, Infinity);
  if (error.kind !== 'transient' && !(background && error.kind === 'configuration')) return cooldown(configurationMs, configurationMs);
  const askedMs = floorMs(error, random);
  const backgroundMs = backgroundSteps[Math.min(failures, backgroundSteps.length) - 1] ?? 0;
  return cooldown(Math.max(Math.min(longestDelayMs, 1_000 * 2 ** (failures - 1)), askedMs), Math.max(backgroundMs, askedMs));
}
