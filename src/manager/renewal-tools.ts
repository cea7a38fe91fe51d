import type { Clock } from '../core/clock.js';
import type { TokenEvent } from '../core/events.js';
import type { Grant } from '../core/grant.js';
import type { Lock } from '../core/lock.js';
import type { RequestQueue } from './request-queue.js';
import type { Instant, Windows } from './state.js';

/** What every renewal of a manager works with. */
export interface RenewalTools {
  readonly grant: Grant;
  readonly clock: Clock;
  readonly lock: Lock;
  readonly queue: RequestQueue;
  readonly windows: Windows;
  /** Another process or tab may use the same record. */
  readonly sharedStore: boolean;
  /** How long the token endpoint asked to be left alone; all targets of a manager share it. (`standards.md` R23) */
  pause: (Instant & { readonly ms: number }) | undefined;
  readonly lockNameOf: (targetKey: string) => Promise<string>;
  readonly random: () => number;
  readonly digest: (text: string) => Promise<string>;
  readonly report: (event: TokenEvent) => void;
  readonly now: () => Instant;
  /** Milliseconds since an instant, by the clock that says more. */
  readonly ageMs: (since: Instant) => number;
}
