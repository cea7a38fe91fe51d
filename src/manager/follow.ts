import type { AccessToken } from '../core/access-token.js';
import type { RenewalReason } from '../core/events.js';
import { ageMs } from '../core/instant.js';
import { decide, type TokenRequest } from './decide.js';
import type { ManagerParts } from './keep-tokens.js';

/** What another manager over the same record, or somebody who looks after it, has decided. */
export interface RenewalOrder {
  readonly reason: RenewalReason;
  readonly background: boolean;
  readonly want: TokenRequest;
}

/**
 * Renews as ordered, unless that happened meanwhile, or failed just now.
 * @throws {TokenError}
 */
export async function follow(
  targetKey: string,
  { reason, background, want }: RenewalOrder,
  { targets, renewals, tools, gone }: ManagerParts,
): Promise<AccessToken> {
  const { clock } = tools;
  const entry = targets.entry(targetKey);
  if (!entry.flight) await renewals.recheck();
  gone.throwIfAborted();
  if (!entry.flight) {
    const { ended, cooldown, held } = entry;
    if (ended) throw ended;
    if (cooldown && ageMs(cooldown, clock) < (background ? cooldown.backgroundMs : cooldown.blockedMs)) throw cooldown.error;
    if (held && decide(entry, want, clock.now(), clock.monotonicMs()).do === 'use') return held.token;
  }
  const flight = renewals.begin(entry, reason, background, want);
  return background ? flight.outcome : flight.join(want, undefined);
}
