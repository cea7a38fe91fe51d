import type { Clock } from '../core/clock.js';
import type { HttpEvent } from '../core/events.js';
import { isolated } from '../core/isolated.js';

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
  renewed(value: string): void;
  /** The resource refused a token. True: a renewal is in order; false: it is in quarantine. */
  refused(value: string): boolean;
}

/** @param resource - names the resource in events. */
export function createResourceRecord(resource: string, clock: Clock, onEvent: ((event: HttpEvent) => void) | undefined): ResourceRecord {
  let replacement: string | undefined;
  let lastMs = 0;
  let untilMs = -Infinity;
  let refusals = 0;
  let refusedMs = -Infinity;
  return {
    accepted(value) {
      if (value === replacement) replacement = undefined;
      if (refusals >= lastingRefusals) return;
      lastMs = 0;
      untilMs = -Infinity;
    },
    renewed(value) {
      if (clock.monotonicMs() >= untilMs) replacement = value;
    },
    refused(value) {
      const now = clock.monotonicMs();
      if (value !== replacement) return now >= untilMs;
      // From now on its refusal is old news: after the quarantine this token is refused like any other, and renewed.
      replacement = undefined;
      refusals = now - refusedMs > forgottenMs ? 1 : refusals + 1;
      refusedMs = now;
      lastMs = Math.min(lastMs * 2 || firstQuarantineMs, longestQuarantineMs);
      untilMs = now + lastMs;
      isolated(onEvent, { type: 'quarantined', resource, until: clock.now() + lastMs });
      return false;
    },
  };
}
