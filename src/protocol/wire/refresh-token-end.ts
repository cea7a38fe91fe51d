import type { GrantContext } from '../../core/grant.js';
import type { Preset } from '../../core/preset.js';
import type { TokenSet } from '../../core/token-set.js';
import { parseExpiresIn } from './to-token-set.js';

/** When a refresh token ends, however often it is used. */
export interface RefreshTokenEnd {
  /** Epoch milliseconds. */
  readonly expiresAt: number;
  /** So long before, its user is to be asked to sign in again, in milliseconds; 0: they were. */
  readonly headStartMs: number;
}

type Members = Readonly<Record<string, unknown>>;

/** How servers say how long a refresh token lives: Keycloak; Google, Microsoft Entra, GitHub; Intuit. */
export const endMembers = ['refresh_expires_in', 'refresh_token_expires_in', 'x_refresh_token_expires_in'] as const;

// Among the members of the server's answers, under a name that no server uses: so it is kept with the refresh token.
const keptName = 'tokenkeep:refresh_token_end';
const dayMs = 86_400_000;

/** Where the end is fixed, it has to be read. */
export function withEndMembers(preset: Preset): Preset {
  return preset.sliding === false ? { ...preset, rawMembers: [...(preset.rawMembers ?? []), ...endMembers] } : preset;
}

/** The first of them that says something, in milliseconds; 0 for a token that does not end (Keycloak). (`standards.md` E14) */
export function toldLifetimeMs(raw: Members | undefined): number | undefined {
  return endMembers.map((name) => parseExpiresIn(raw?.[name])).find((ms) => ms !== undefined);
}

/** When the refresh token ends that `raw` came with, at `sentAt`; undefined where a refresh puts that off, or nobody says. */
export function refreshTokenEnd(raw: Members | undefined, sentAt: number, { sliding, absoluteLifetimeMs }: Preset): RefreshTokenEnd | undefined {
  const kept = Object(raw?.[keptName]);
  if (kept.expiresAt > 0) return kept;
  const lifetimeMs = (sliding === false ? toldLifetimeMs(raw) : undefined) ?? absoluteLifetimeMs;
  return lifetimeMs ? { expiresAt: sentAt + lifetimeMs, headStartMs: Math.min(lifetimeMs / 10, dayMs) } : undefined;
}

/** The same, as it is kept: beside the members of the server's answers. */
export function withEnd(raw: Members | undefined, end: RefreshTokenEnd): Members {
  return { ...raw, [keptName]: end };
}

/**
 * Keeps with a renewed token set when its refresh token ends, and says once that this is soon: at 10 % of its life left, at
 * most 24 h before. (`standards.md` R31)
 */
export function watchEnd(tokens: TokenSet, current: TokenSet | undefined, preset: Preset, { report }: GrantContext): TokenSet {
  const { raw, sentAt } = tokens;
  const told = refreshTokenEnd(raw, sentAt, { sliding: preset.sliding });
  const known = refreshTokenEnd(current?.raw, current?.sentAt || sentAt, preset) ?? told;
  if (!known) return tokens;
  // The server's last word goes before what it said first; what "soon" is follows from the whole life.
  const { expiresAt } = told ?? known;
  let { headStartMs } = known;
  if (headStartMs && sentAt >= expiresAt - headStartMs) {
    headStartMs = 0;
    report({ type: 'reauth_soon', expiresAt });
  }
  return Object.freeze({ ...tokens, raw: withEnd(raw, { expiresAt, headStartMs }) });
}
