import { elapsedMs, type Instant } from '../core/instant.js';
import { formatVersion } from './parse-record.js';
import type { GrantRecord } from './state.js';

/** A record as text. Ages are counted to the moment of writing; a store's own clock adds what comes after. */
export function formatRecord(record: GrantRecord, now: Instant): string {
  const aged = (since: Instant): { at: number; age: number } => ({ at: since.wall, age: elapsedMs(since, now.wall, now.mono) });
  const { pending } = record;
  return JSON.stringify({
    ...record,
    v: formatVersion,
    pending: pending && { sent: pending.sentDigest, ...aged(pending) },
    tokens: record.tokens.map((held) => ({
      target: held.targetKey,
      value: held.token.value,
      type: held.token.type,
      scope: held.token.scope,
      lifetime: held.lifetimeMs,
      ...aged(held),
    })),
  });
}
