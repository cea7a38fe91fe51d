import { hasControlCharacter } from '../../core/check-option.js';
import { TokenError } from '../../core/errors.js';
import type { GrantContext } from '../../core/grant.js';
import { askEndpoint } from '../wire/ask-endpoint.js';
import type { AuthorizationServer } from '../issuer/authorization-server.js';
import { pickMembers } from '../wire/response-members.js';
import { parseExpiresIn } from '../wire/to-token-set.js';

/** What the user needs to see (RFC 8628 §3.2). */
export interface DevicePrompt {
  /** What the user types in. */
  readonly userCode: string;
  /** Where the user types it in, on any device. */
  readonly verificationUri: string;
  /** The same with the code in it: for a QR code. Not every server has one. */
  readonly verificationUriComplete: string | undefined;
  /** Until when the code is good: epoch milliseconds by the local clock. */
  readonly expiresAt: number;
  /** How often the server may be asked. */
  readonly intervalMs: number;
}

/** An answer of the device authorization endpoint. */
export interface DeviceAuthorization {
  readonly deviceCode: string;
  readonly expiresInMs: number;
  readonly prompt: DevicePrompt;
}

const defaultIntervalMs = 5_000;
const leastIntervalMs = 1_000;
// `verification_url` is how Google spells it.
const known = ['device_code', 'user_code', 'verification_uri', 'verification_url', 'verification_uri_complete', 'expires_in', 'interval'];

/**
 * Asks for a code that a user enters elsewhere (RFC 8628 §3.1).
 * @throws {TokenError} `unacceptable_response`, and the failures of a token request.
 */
export async function authorizeDevice(server: AuthorizationServer, body: URLSearchParams, context: GrantContext): Promise<DeviceAuthorization> {
  const { object, sentAt } = await askEndpoint(server, { endpoint: 'device_authorization_endpoint', phase: 'device', body, secrets: [] }, context);
  const members = pickMembers(object, known);
  const expiresInMs = parseExpiresIn(members['expires_in']);
  if (!expiresInMs) throw unacceptable('expires_in');
  const complete = members['verification_uri_complete'];
  return {
    deviceCode: text(members, 'device_code'),
    expiresInMs,
    prompt: Object.freeze({
      userCode: text(members, 'user_code'),
      verificationUri: webPage(members['verification_uri'] ?? members['verification_url']),
      verificationUriComplete: (complete ?? '') === '' ? undefined : webPage(complete),
      expiresAt: sentAt + expiresInMs,
      intervalMs: Math.max(leastIntervalMs, parseExpiresIn(members['interval']) ?? defaultIntervalMs),
    }),
  };
}

// It is shown on terminals.
function text(members: Readonly<Record<string, unknown>>, name: string): string {
  const value = members[name];
  if (typeof value !== 'string' || value === '' || value.length > 4096 || hasControlCharacter(value)) throw unacceptable(name);
  return value;
}

// It is opened by people, and by programs for them.
function webPage(value: unknown): string {
  const isPage = typeof value === 'string' && !/[\s\p{Cc}]/u.test(value) && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol);
  if (!isPage) throw unacceptable('verification_uri');
  return value;
}

function unacceptable(name: string): TokenError {
  return new TokenError('unacceptable_response', `the device authorization response has no ${name}, or one that cannot be used`, { phase: 'device' });
}
