import type { Clock } from '../core/clock.js';
import type { TokenEvent } from '../core/events.js';
import type { Grant } from '../core/grant.js';
import type { Lock } from '../core/lock.js';
import type { TokenTarget } from '../core/token-source.js';
import type { RecordKeeper } from './record-keeper.js';
import type { RequestQueue } from './request-queue.js';
import type { HeldToken, Instant, Windows } from './state.js';

/** What every renewal of a manager works with. */
export interface RenewalTools {
  readonly grant: Grant;
  readonly clock: Clock;
  readonly lock: Lock;
  readonly queue: RequestQueue;
  readonly windows: Windows;
  /** Another process or tab may use the same record. */
  readonly sharedStore: boolean;
  readonly endpoint: EndpointPause;
  readonly random: () => number;
  readonly digest: (text: string) => Promise<string>;
  readonly report: (event: TokenEvent) => void;
}

/** What is renewed. */
export interface RenewalSubject {
  readonly targetKey: string;
  readonly target: TokenTarget;
  readonly label: string;
  readonly keeper: RecordKeeper;
  readonly lockName: () => Promise<string>;
}

/** How long the token endpoint asked to be left alone; all targets of a manager share it. (`standards.md` R23) */
export interface EndpointPause {
  until: (Instant & { readonly ms: number }) | undefined;
}

/** The token that the record holds for the subject. */
export function heldOf({ keeper, targetKey }: RenewalSubject): HeldToken | undefined {
  return keeper.record.tokens.find((held) => held.targetKey === targetKey);
}
