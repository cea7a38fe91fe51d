import { createAccessToken } from '../core/access-token.js';
import type { Stored } from '../core/token-store.js';
import type { TokenSet } from '../core/token-set.js';
import { type EndReason, elapsedMs, type GrantRecord, type HeldToken, holdToken, type Instant, type Windows } from './state.js';
import { isTokenValue } from '../core/token-value.js';

const formatVersion = 1;
const futureToleranceMs = 60_000;

/** A record written by a newer version of this package: to be left alone. */
export class NewerRecordError extends Error {}

/** A record as text. Ages are counted to the moment of writing; a store's own clock adds what comes after. */
export function formatRecord(record: GrantRecord, now: Instant): string {
  const aged = (since: Instant): { at: number; age: number } => ({ at: since.wall, age: elapsedMs(since, now.wall, now.mono) });
  return JSON.stringify({
    v: formatVersion,
    epoch: record.epoch,
    ended: record.ended,
    refreshToken: record.refreshToken,
    idToken: record.idToken,
    raw: record.raw,
    pending: record.pending && { sent: record.pending.sentDigest, ...aged(record.pending) },
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

/**
 * A record from a store; undefined when the text is none.
 * @throws {NewerRecordError} when a newer version of this package wrote it.
 */
export function parseRecord(stored: Stored, now: Instant, windows: Windows): GrantRecord | undefined {
  const json = parseObject(stored.value);
  if (json === undefined || typeof json['v'] !== 'number') return undefined;
  if (json['v'] > formatVersion) throw new NewerRecordError();
  const { epoch, ended, refreshToken, idToken, raw, pending, tokens } = json;
  // Beyond the safe integers a sign-out could not raise it.
  if (typeof epoch !== 'number' || !Number.isSafeInteger(epoch) || !Array.isArray(tokens)) return undefined;
  const since = (entry: Record<string, unknown>): Instant | undefined => instantOf(entry, stored, now);
  const pendingEntry = asObject(pending);
  const pendingSince = pendingEntry && since(pendingEntry);
  const sentDigest = pendingEntry?.['sent'];
  return {
    epoch,
    ended: isEndReason(ended) ? ended : undefined,
    refreshToken: asString(refreshToken),
    idToken: asString(idToken),
    raw: asObject(raw),
    pending: pendingSince && typeof sentDigest === 'string' ? { sentDigest, ...pendingSince } : undefined,
    tokens: tokens.flatMap((entry) => parseToken(asObject(entry), since, windows) ?? []),
  };
}

function parseToken(
  entry: Record<string, unknown> | undefined,
  since: (entry: Record<string, unknown>) => Instant | undefined,
  windows: Windows,
): HeldToken | undefined {
  const sent = entry && since(entry);
  if (entry === undefined || sent === undefined) return undefined;
  const { target, value, type, scope, lifetime } = entry;
  if (typeof target !== 'string' || !isTokenValue(value) || (type !== 'Bearer' && type !== 'DPoP') || !Array.isArray(scope)) return undefined;
  const tokens: TokenSet = {
    accessToken: value,
    tokenType: type,
    sentAt: sent.wall,
    lifetimeMs: typeof lifetime === 'number' ? Math.max(lifetime, 0) : undefined,
    scope: scope.filter((name) => typeof name === 'string'),
  };
  return holdToken(tokens, createAccessToken(tokens, windows.prove), target, sent, windows, false);
}

// Where the store has a clock it alone counts; else wall time does, and an instant in the future means that one of the
// two clocks is wrong: such a token counts as expired. (`standards.md` E8)
function instantOf(entry: Record<string, unknown>, stored: Stored, now: Instant): Instant | undefined {
  const { at, age } = entry;
  if (typeof at !== 'number' || typeof age !== 'number') return undefined;
  if (stored.ageMs !== undefined) {
    // A clock that was set back makes nothing younger.
    const total = Math.max(age, 0) + Math.max(stored.ageMs, 0);
    return { wall: now.wall - total, mono: now.mono - total };
  }
  const total = now.wall - at;
  if (total < -futureToleranceMs) return undefined;
  return { wall: at, mono: now.mono - Math.max(total, 0) };
}

function isEndReason(value: unknown): value is EndReason {
  return value === 'grant_revoked' || value === 'rotation_lost' || value === 'cleared' || value === 'revoked';
}

function asString(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}
