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
  /** The resource answered a request that carried the token. */
  answered(value: string, status: number): void;
  /** A token was fetched because of a 401 of this resource. */
  renewed(value: string): void;
  /** The resource refused a token. True: a renewal is in order; false: it is in quarantine. */
  refused(value: string): boolean;
}

/** @param resource - names the resource in events. */
export function createResourceRecord(resource: string, clock: Clock, onEvent: ((event: HttpEvent) => void) | undefined): ResourceRecord {
  let replacement: string | undefined;
  let accepted: string | undefined;
  let lastMs = 0;
  let untilMs = -Infinity;
  let refusals = 0;
  let refusedMs = -Infinity;
  return {
    answered(value, status) {
      // Whoever looked at the request far enough to find fault with it took the token; redirects may lead to a sign-in.
      if (status === 401 || status === 403 || status >= 500 || (status >= 300 && status < 400)) return;
      accepted = value;
      if (value === replacement) replacement = undefined;
      if (status >= 300 || refusals >= lastingRefusals) return;
      lastMs = 0;
      untilMs = -Infinity;
    },
    renewed(value) {
      // A late 401 of an older call brings a token that the resource has long been accepting.
      if (value !== accepted && clock.monotonicMs() >= untilMs) replacement = value;
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
