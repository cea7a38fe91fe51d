import type { AccessToken } from '../core/access-token.js';
import { checkCount, checkDuration, checkPort, checkString, invalidOption } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import { digest } from '../core/random.js';
import { systemClock } from '../core/system-clock.js';
import { abortable, withTimeLimit } from '../core/waiting.js';
import { askEndpoint } from './wire/ask-endpoint.js';
import { type AuthorizationServer, type AuthorizationServerOptions, checkAuthorizationServer } from './issuer/authorization-server.js';
import { pickMembers } from './wire/response-members.js';

export interface IntrospectorOptions extends AuthorizationServerOptions {
  /**
   * How long an answer may be used again, in milliseconds, 0 to 60_000; never beyond the token's own end. A token that was
   * revoked meanwhile still looks active for that long (RFC 7662 §4).
   * @default 10_000
   */
  readonly cacheMs?: number | undefined;
  /** How many answers are remembered; the oldest goes first. @default 1_000 */
  readonly maxEntries?: number | undefined;
  /** @default the machine's clock */
  readonly clock?: Clock | undefined;
}

/** What the authorization server says of a token (RFC 7662 §2.2). */
export interface Introspection {
  /** False for a token that is expired, revoked, unknown, or not for the asker: the server does not say which. */
  readonly active: boolean;
  readonly scope: readonly string[];
  /** Epoch milliseconds by the local clock; undefined when the server does not say. */
  readonly expiresAt: number | undefined;
  /** All members of the answer, as they came. */
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface IntrospectOptions {
  /** What kind of token it is, to help the server find it. */
  readonly hint?: 'access_token' | 'refresh_token' | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Introspector {
  /**
   * Asks the server about a token. That it is not active is an answer, not a failure.
   * @throws {TokenError} when the server gives no answer; the signal's reason when the wait is aborted.
   */
  introspect(token: string | AccessToken, options?: IntrospectOptions): Promise<Introspection>;
}

const longestCacheMs = 60_000;
const attemptMs = 10_000;

interface Entry {
  readonly answer: Promise<Introspection>;
  /** When it is not used any more, by the monotonic clock; undefined while the server is asked. */
  until: number | undefined;
}

/**
 * Looks behind tokens that say nothing themselves (RFC 7662): for resource servers, and for opaque tokens whose lifetime
 * nobody names. Nothing in this package calls it on the way of a request.
 * @throws {TokenError} `invalid_option`, also for a public client (`none()`).
 */
export function createIntrospector(options: IntrospectorOptions): Introspector {
  const server = checkAuthorizationServer('createIntrospector', options, ['cacheMs', 'maxEntries', 'clock']);
  if (server.auth.method === 'none') throw invalidOption('auth', 'client authentication: servers tell strangers nothing', undefined);
  checkPort('clock', options.clock, ['now', 'monotonicMs', 'sleep']);
  const { clock = systemClock } = options;
  const cacheMs = checkDuration('cacheMs', options.cacheMs, 10_000);
  const maxEntries = checkCount('maxEntries', options.maxEntries, 1_000);
  if (cacheMs > longestCacheMs) throw invalidOption('cacheMs', 'milliseconds from 0 to 60 000', cacheMs);
  const entries = new Map<string, Entry>();

  async function introspect(given: string | AccessToken, { hint = 'access_token', signal }: IntrospectOptions = {}): Promise<Introspection> {
    signal?.throwIfAborted();
    if (hint !== 'access_token' && hint !== 'refresh_token') throw invalidOption('hint', '"access_token" or "refresh_token"', hint);
    const token = checkString('token', typeof given === 'object' && given !== null ? given.value : given);
    const key = await digest(token);
    const known = entries.get(key);
    const isKnown = known !== undefined && (known.until === undefined || clock.monotonicMs() < known.until);
    return abortable((isKnown ? known : ask(key, token, hint)).answer, signal);
  }

  function ask(key: string, token: string, hint: string): Entry {
    const limit = (): TokenError => new TokenError('timeout', `no answer within ${attemptMs} ms`, { phase: 'introspection' });
    const answer = withTimeLimit(clock, attemptMs, (signal) => askServer(server, token, hint, clock, signal), limit);
    const entry: Entry = { answer, until: undefined };
    entries.delete(key);
    for (const oldest of entries.keys()) {
      if (entries.size < maxEntries) break;
      entries.delete(oldest);
    }
    entries.set(key, entry);
    answer.then(
      ({ active, expiresAt = Infinity }) => {
        entry.until = clock.monotonicMs() + Math.min(cacheMs, active ? Math.max(0, expiresAt - clock.now()) : cacheMs);
      },
      // A failure is nobody's answer: the next one asks again.
      () => void (entries.get(key) === entry && entries.delete(key)),
    );
    return entry;
  }

  return { introspect };
}

async function askServer(server: AuthorizationServer, token: string, hint: string, clock: Clock, signal: AbortSignal): Promise<Introspection> {
  const body = new URLSearchParams({ token, token_type_hint: hint });
  const context = { target: {}, clock, signal, report: () => undefined };
  const { object } = await askEndpoint(server, { endpoint: 'introspection_endpoint', phase: 'introspection', body, secrets: [token] }, context);
  const claims = Object.freeze(pickMembers(object, Object.keys(object)));
  const { active, scope, exp } = claims;
  if (typeof active !== 'boolean')
    throw new TokenError('unacceptable_response', 'the introspection response does not say whether the token is active', { phase: 'introspection' });
  return Object.freeze({
    active,
    scope: Object.freeze(typeof scope === 'string' ? scope.split(' ').filter(Boolean) : []),
    expiresAt: typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 - (server.time.now(clock) - clock.now()) : undefined,
    claims,
  });
}
