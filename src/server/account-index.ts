import { ageMs } from '../core/instant.js';
import type { Clock } from '../core/clock.js';
import type { StoreIndex } from '../core/token-store.js';
import type { EndReason, GrantRecord } from '../manager/state.js';
import type { Preset } from '../core/preset.js';
import { type RefreshTokenEnd, refreshTokenEnd, toldLifetimeMs } from '../protocol/wire/refresh-token-end.js';
import type { AccountState, ReconnectReason } from './accounts.js';

/** The states that lie in the clear index. */
export type IndexState = 'healthy' | 'renewing' | 'disconnected' | 'connecting' | ReconnectReason;

/** In how an account's record reads to its listing. */
export const indexStates: Readonly<Record<AccountState, readonly IndexState[]>> = {
  healthy: ['healthy'],
  renewing: ['renewing'],
  needs_reconnect: ['grant_revoked', 'rotation_lost', 'key_lost', 'no_refresh_token'],
};

const tombstoneMs = 86_400_000;
// Longer than a renewal may take, shorter than most grace windows.
const interruptedMs = 45_000;
// A refresh token is used again between these parts of its idle life: those that came together do not fall due together.
const firstPart = 0.5;
const furtherPart = 0.25;
const longestHeadStartMs = 3_600_000;

export interface IndexTools {
  readonly clock: Clock;
  readonly random: () => number;
  /** What the application says of idle refresh tokens. */
  readonly refreshTokenIdleMs: number | undefined;
  readonly preset: Preset;
}

/** What lies in clear beside an account's record: never a token, a secret or the subject. */
export function accountIndex(accountId: string, record: GrantRecord, tools: IndexTools): StoreIndex {
  const { clock } = tools;
  const state = indexState(record);
  const dueAt = {
    healthy: () => earliest(idleDueAt(record, tools), sayEndAt(record, tools)),
    renewing: () => interruptedAt(record),
    disconnected: () => clock.now() + tombstoneMs,
  };
  const due = state === 'no_refresh_token' ? expiresAt(record) : state in dueAt ? dueAt[state as keyof typeof dueAt]() : undefined;
  return { accountId, state, ...(due !== undefined && { dueAt: Math.round(due) }) };
}

export function indexState({ ended, pending, refreshToken }: GrantRecord): IndexState {
  if (ended !== undefined) return reconnectReason(ended) ?? 'disconnected';
  if (pending !== undefined) return 'renewing';
  return refreshToken === undefined ? 'no_refresh_token' : 'healthy';
}

/** Why an account that ended so needs a reconnect; undefined where somebody disconnected it. */
export function reconnectReason(ended: EndReason): ReconnectReason | undefined {
  return ended === 'grant_revoked' || ended === 'rotation_lost' || ended === 'key_lost' ? ended : undefined;
}

/** Whether a refresh token has lain unused for as long as it may, or was sent and never answered. */
export function isDue(record: GrantRecord, tools: IndexTools): boolean {
  const { clock } = tools;
  if (record.pending) return ageMs(record.pending, clock) >= interruptedMs;
  const [latest] = latestFirst(record);
  const idleMs = idleLimitMs(record, tools);
  return idleMs !== undefined && (latest === undefined || ageMs(latest, clock) >= idleMs * firstPart);
}

function idleDueAt(record: GrantRecord, tools: IndexTools): number | undefined {
  const idleMs = idleLimitMs(record, tools);
  const [latest] = latestFirst(record);
  if (idleMs === undefined) return undefined;
  // Nobody knows how long an imported one has been lying.
  if (latest === undefined) return tools.clock.now() + tools.random() * Math.min(longestHeadStartMs, idleMs / 10);
  return latest.wall + idleMs * (firstPart + furtherPart * tools.random());
}

function idleLimitMs({ raw }: GrantRecord, { refreshTokenIdleMs, preset }: IndexTools): number | undefined {
  if (refreshTokenIdleMs !== undefined) return refreshTokenIdleMs;
  // Where a refresh does not put the end off, what the server says is no idle limit.
  const told = preset.sliding === false ? undefined : toldLifetimeMs(raw);
  return told === 0 ? undefined : (told ?? preset.idleLifetimeMs);
}

/** When a healthy account's refresh token ends, however often it is used, if its owner was not told yet. (`standards.md` R31) */
export function unsaidEnd(record: GrantRecord, { preset }: Pick<IndexTools, 'preset'>): RefreshTokenEnd | undefined {
  const [latest] = latestFirst(record);
  const end = latest && indexState(record) === 'healthy' ? refreshTokenEnd(record.raw, latest.wall, preset) : undefined;
  return end?.headStartMs ? end : undefined;
}

function sayEndAt(record: GrantRecord, tools: IndexTools): number | undefined {
  const end = unsaidEnd(record, tools);
  return end && end.expiresAt - end.headStartMs;
}

function earliest(...instants: readonly (number | undefined)[]): number | undefined {
  const known = instants.filter((each) => each !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}

function interruptedAt({ pending }: GrantRecord): number | undefined {
  return pending && pending.wall + interruptedMs;
}

function expiresAt({ tokens }: GrantRecord): number | undefined {
  const ends = tokens.flatMap(({ token }) => token.expiresAt ?? []);
  return ends.length > 0 ? Math.max(...ends) : undefined;
}

function latestFirst({ tokens }: GrantRecord): GrantRecord['tokens'] {
  return [...tokens].sort((one, other) => other.mono - one.mono);
}
