import { createAccessToken } from '../core/access-token.js';
import type { Instant } from '../core/instant.js';
import { parseObject } from '../core/parse-object.js';
import type { TokenSet } from '../core/token-set.js';
import type { Stored } from '../core/token-store.js';
import { isTokenValue } from '../core/token-value.js';
import { unavailable } from '../core/unavailable.js';
import { type EndReason, type GrantRecord, type HeldToken, holdToken, type Windows } from './state.js';

/** What this version of the package writes. */
export const formatVersion = 1;
const futureToleranceMs = 60_000;
// Deeper than what an answer of the server may be, which is a part of it.
const deepest = 32;
const endReasons: readonly EndReason[] = ['grant_revoked', 'rotation_lost', 'cleared', 'revoked', 'storage_cleared', 'key_lost'];

/**
 * A record from a store; undefined when the text is none.
 * @throws {TokenError} `store_unavailable` when a newer version of this package wrote it: it is to be left alone.
 */
export function parseRecord(stored: Stored, now: Instant, windows: Windows): GrantRecord | undefined {
  const { v, epoch, ended, refreshToken, idToken, raw, pending, tokens } = parseObject(stored.value, deepest) ?? {};
  if (typeof v !== 'number') return undefined;
  if (v > formatVersion) throw unavailable('the record was written by a newer version of tokenkeep');
  // Beyond the safe integers a sign-out could not raise it.
  if (typeof epoch !== 'number' || !Number.isSafeInteger(epoch) || !Array.isArray(tokens)) return undefined;
  const { sent: sentDigest, ...sentWhen } = members(pending);
  const sent = instantOf(sentWhen, stored, now);
  return {
    epoch,
    ended: endReasons.find((reason) => reason === ended),
    refreshToken: asString(refreshToken),
    idToken: asString(idToken),
    raw: raw === undefined || Array.isArray(raw) ? undefined : members(raw),
    pending: sent && typeof sentDigest === 'string' ? { sentDigest, ...sent } : undefined,
    tokens: tokens.flatMap((entry) => parseToken(members(entry), stored, now, windows) ?? []),
  };
}

function parseToken(entry: Members, stored: Stored, now: Instant, windows: Windows): HeldToken | undefined {
  const sent = instantOf(entry, stored, now);
  const { target, value, type, scope, lifetime } = entry;
  if (!sent || typeof target !== 'string' || !isTokenValue(value) || (type !== 'Bearer' && type !== 'DPoP') || !Array.isArray(scope)) return undefined;
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
function instantOf({ at, age }: Members, stored: Stored, now: Instant): Instant | undefined {
  if (typeof at !== 'number' || typeof age !== 'number') return undefined;
  if (stored.ageMs !== undefined) {
    // A clock that was set back makes nothing younger.
    const total = Math.max(age, 0) + Math.max(stored.ageMs, 0);
    return { wall: now.wall - total, mono: now.mono - total };
  }
  const total = now.wall - at;
  return total < -futureToleranceMs ? undefined : { wall: at, mono: now.mono - Math.max(total, 0) };
}

type Members = Readonly<Record<string, unknown>>;

// Of anything, so that what is no object simply has none.
function members(value: unknown): Members {
  return { ...Object(value) };
}

function asString(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
