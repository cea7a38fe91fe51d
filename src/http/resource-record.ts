import type { Clock } from '../core/clock.js';

const firstQuarantineMs = 30_000;
const longestQuarantineMs = 300_000;
// Some calls here are always refused while others are not: then a 2xx proves nothing about those.
const lastingRefusals = 3;
const forgottenMs = 600_000;

/**
 * What one resource did with fresh tokens. A resource that refuses even the token that was fetched because of its own 401
 * would cost a renewal per request; its 401s cause none for 30 s, then 60 s, up to 300 s, until it accepts a token. From
 * the third time on within 10 minutes a 2xx does not end that early: one endpoint refuses what its neighbours accept.
 */
export interface ResourceRecord {
  /** The resource accepted a token. */
  accepted(value: string): void;
  /** A token was fetched because of a 401 of this resource. */
  renewed(value: string, clock: Clock): void;
  /** The resource refused a token. Returns for how long its 401s cause no renewal, when that begins now. */
  refused(value: string, clock: Clock): number | undefined;
  isQuarantined(clock: Clock): boolean;
  /** The entry, as events name it. */
  readonly resource: string;
}

export function createResourceRecord(resource: string): ResourceRecord {
  let replacement: string | undefined;
  let lastMs = 0;
  let untilMs = -Infinity;
  let refusals = 0;
  let refusedMs = -Infinity;
  const isQuarantined = (clock: Clock): boolean => clock.monotonicMs() < untilMs;
  return {
    resource,
    isQuarantined,
    accepted(value) {
      if (value === replacement) replacement = undefined;
      if (refusals >= lastingRefusals) return;
      lastMs = 0;
      untilMs = -Infinity;
    },
    renewed(value, clock) {
      if (!isQuarantined(clock)) replacement = value;
    },
    refused(value, clock) {
      if (value !== replacement) return undefined;
      // From now on its refusal is old news: after the quarantine this token is refused like any other, and renewed.
      replacement = undefined;
      const now = clock.monotonicMs();
      refusals = now - refusedMs > forgottenMs ? 1 : refusals + 1;
      refusedMs = now;
      lastMs = Math.min(lastMs * 2 || firstQuarantineMs, longestQuarantineMs);
      untilMs = now + lastMs;
      return lastMs;
    },
  };
}
