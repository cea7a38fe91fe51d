import { TokenError } from '../../core/errors.js';
import type { TokenEvent, WarningCode } from '../../core/events.js';
import { readClaims } from '../../core/read-claims.js';
import type { Preset } from '../../core/preset.js';
import type { TokenSet, TokenType } from '../../core/token-set.js';
import { pickMembers, type ResponseMembers } from './response-members.js';

/** The members of a successful answer that are read. */
export const tokenMembers: readonly string[] = ['access_token', 'token_type', 'expires_in', 'scope', 'refresh_token', 'id_token'];

const longestLifetimeMs = 315_360_000_000;
const longestHintMs = 86_400_000;
const largeToken = 7 * 1024;
const largestToken = 64 * 1024;

/** What the reading of a token response depends on beside the response itself. */
export interface TokenSetContext {
  readonly preset: Preset;
  /** Epoch milliseconds at which the request went out. */
  readonly sentAt: number;
  /** The scope that was asked for, or that is known to be granted; undefined when none was named. */
  readonly requested: readonly string[] | undefined;
  /** False: a refresh token and an ID token in the answer are ignored (RFC 6749 §4.4.3). */
  readonly isRenewable: boolean;
  readonly report: (event: TokenEvent) => void;
}

/**
 * Reads a token response by the rules of `standards.md` P16 to P21 and P24. `lifetimeMs`: what it says of its lifetime.
 * @throws {TokenError} `unacceptable_response`.
 */
export function toTokenSet(members: ResponseMembers, lifetimeMs: number | undefined, context: TokenSetContext): TokenSet {
  const { preset, sentAt, requested, report } = context;
  const accessToken = readAccessToken(members['access_token']);
  if (accessToken.length > largeToken)
    report(warning('large_token', `the access token has ${accessToken.length} characters; many servers refuse headers over 8 KiB`));
  const lifetime = readLifetime(accessToken, lifetimeMs, preset, sentAt);
  if (lifetime === undefined) report(warning('lifetime_unknown', 'no lifetime is known; the access token is used until it is refused'));
  const scope = readScope(members['scope'], requested, preset);
  if (requested?.some((token) => !scope.includes(token))) report({ type: 'scope_narrowed', requested, granted: scope });
  const { refresh_token: refreshToken, id_token: idToken } = context.isRenewable ? members : {};
  return Object.freeze({
    accessToken,
    tokenType: readType(members['token_type'], preset),
    sentAt,
    lifetimeMs: lifetime,
    scope: Object.freeze(scope),
    ...(isText(refreshToken) && { refreshToken }),
    ...(isText(idToken) && { idToken }),
    ...(preset.rawMembers && { raw: Object.freeze(pickMembers(members, preset.rawMembers)) }),
  });
}

/** `expires_in` in milliseconds; undefined for whatever is no number of seconds. (`standards.md` P19) */
export function parseExpiresIn(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : value;
  return typeof seconds === 'number' ? checkLifetime(Math.floor(seconds) * 1000) : undefined;
}

/** A lifetime of 0 or more milliseconds, at most ten years; undefined for any other number. */
export function checkLifetime(lifetimeMs: number): number | undefined {
  return lifetimeMs >= 0 ? Math.min(lifetimeMs, longestLifetimeMs) : undefined;
}

function readAccessToken(value: unknown): string {
  // Anything else would not survive as a header value, or would end it.
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) throw unacceptable('no access_token, or one with forbidden characters');
  if (value.length > largestToken) throw unacceptable('an access_token over 64 KiB');
  return value;
}

function readType(value: unknown, { tokenTypeDefault, tokenTypeMap }: Preset): TokenType {
  const types = new Map<string, TokenType>(Object.entries({ bearer: 'Bearer', dpop: 'DPoP', ...tokenTypeMap }));
  const type = (value ?? '') === '' ? tokenTypeDefault : typeof value === 'string' ? types.get(value.toLowerCase()) : undefined;
  if (type === undefined) throw unacceptable('no token_type, or one that is neither Bearer nor DPoP');
  return type;
}

function readLifetime(accessToken: string, lifetimeMs: number | undefined, { expiresIn = {}, expHint }: Preset, sentAt: number): number | undefined {
  const told = lifetimeMs === 0 && expiresIn.zeroMeans === 'unknown' ? undefined : lifetimeMs;
  if (told !== undefined && !expHint) return told;
  const hint = lifetimeByExp(accessToken, sentAt);
  if (hint === undefined) return told ?? expiresIn.unknownLifetimeMs;
  return Math.min(hint, told ?? longestHintMs);
}

/**
 * What is left of a JWT by its own `exp`, in milliseconds; undefined where there is none to read. A token is not its
 * client's to read (RFC 9068 §6); this is the one exception, for where nobody else says. (`standards.md` E12)
 */
export function lifetimeByExp(accessToken: string, sentAt: number): number | undefined {
  const exp: unknown = readClaims(accessToken)?.exp;
  return typeof exp === 'number' && Number.isFinite(exp) ? Math.max(0, Math.floor(exp * 1000 - sentAt)) : undefined;
}

function readScope(value: unknown, requested: readonly string[] | undefined, { scopeSeparator }: Preset): readonly string[] {
  const text = Array.isArray(value) ? value.filter((entry) => typeof entry === 'string').join(' ') : value;
  if (typeof text !== 'string') return [...(requested ?? [])];
  const granted = text.split(scopeSeparator === 'comma' ? /[ ,]+/ : ' ').filter((token) => /^[\x21-\x7e]+$/.test(token));
  return [...new Set(granted)];
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function warning(code: WarningCode, message: string): TokenEvent {
  return { type: 'warning', code, message };
}

function unacceptable(what: string): TokenError {
  return new TokenError('unacceptable_response', `the token response has ${what}`, { phase: 'token' });
}
