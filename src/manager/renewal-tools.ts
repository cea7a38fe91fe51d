import type { Clock } from '../core/clock.js';
import type { TokenEvent } from '../core/events.js';
import type { Grant } from '../core/grant.js';
import type { Instant } from '../core/instant.js';
import type { Lock } from '../core/lock.js';
import type { StoreIndex, TokenStore } from '../core/token-store.js';
import type { AccessToken } from '../core/access-token.js';
import type { Flight } from './flight.js';
import type { RequestQueue } from './request-queue.js';
import type { GrantRecord, Windows } from './state.js';
import type { TargetEntry } from './target-entry.js';

/**
 * Carries out one renewal: its result lies in the record, and in the store, before it resolves.
 * @throws {TokenError}
 */
export type Renew = (entry: TargetEntry, flight: Flight, tools: RenewalTools) => Promise<AccessToken>;

/** What all parts of a manager work with. */
export interface RenewalTools {
  readonly grant: Grant;
  /** The grant has a refresh token: all targets live in one record. */
  readonly oneRecord: boolean;
  readonly clock: Clock;
  readonly store: TokenStore | undefined;
  readonly lock: Lock;
  readonly queue: RequestQueue;
  readonly renew: Renew;
  /** Who clears the store ends the session: what it held is not written anew from memory. (`standards.md` X24) */
  readonly endsWithStore: boolean;
  /** Says that nobody looks now: what is kept fresh may age. (`standards.md` X12) */
  readonly isPaused: (() => boolean) | undefined;
  /** What lies in clear beside a record, in a store that can be listed. */
  readonly indexOf: ((record: GrantRecord) => StoreIndex) | undefined;
  readonly windows: Windows;
  readonly maxTargets: number;
  /** How long the token endpoint asked to be left alone; all targets of a manager share it. (`standards.md` R23) */
  pause: (Instant & { readonly ms: number }) | undefined;
  /** What a target's record and its lock are called. */
  readonly nameOf: (targetKey: string) => Promise<string>;
  readonly random: () => number;
  readonly digest: (text: string) => Promise<string>;
  readonly report: (event: TokenEvent) => void;
  /** Runs a caller's wait for a token, for who watches. */
  readonly wait?: (<T>(entry: TargetEntry, task: () => Promise<T>) => Promise<T>) | undefined;
}
