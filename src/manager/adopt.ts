import type { AccessToken } from '../core/access-token.js';
import { decide } from './decide.js';
import type { Flight } from './flight.js';
import type { RenewalTools } from './renewal-tools.js';
import type { HeldToken } from './state.js';
import type { TargetEntry } from './target-entry.js';
import { targetLabel } from './target-of.js';

/** The token that somebody else has renewed meanwhile, if it serves this flight's callers: a fresh one, or any usable one. */
export function adopt(
  entry: TargetEntry,
  flight: Flight,
  tools: RenewalTools,
  anyUsable: boolean,
  source: 'server' | 'store' = 'store',
): AccessToken | undefined {
  const { clock } = tools;
  const held = entry.stored;
  const decision = decide({ ...entry, held, flight: undefined, cooldown: undefined, loaded: true }, flight.want, clock.now(), clock.monotonicMs());
  return held && (decision.do === 'use' || (anyUsable && decision.do === 'useAndRenew')) ? announce(source, held, entry, flight, tools) : undefined;
}

/** Writes into the journal where a token came from. */
export function announce(source: 'server' | 'store', { token }: HeldToken, { target }: TargetEntry, flight: Flight, { report }: RenewalTools): AccessToken {
  const { reason, background } = flight;
  flight.source = source;
  report({ type: 'token', source, reason, background, expiresAt: token.expiresAt, target: targetLabel(target) });
  return token;
}
