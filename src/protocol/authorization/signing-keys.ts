import type { JWTVerifyGetKey } from 'jose';
import { TokenError } from '../../core/errors.js';
import type { GrantContext } from '../../core/grant.js';
import { ageMs, instant } from '../../core/instant.js';
import { parseObject } from '../../core/parse-object.js';
import { abortable, withTimeLimit } from '../../core/waiting.js';
import type { Clock } from '../../core/clock.js';
import type { AuthorizationServer } from '../issuer/authorization-server.js';
import { exchange } from '../wire/exchange.js';
import { loadJose } from '../load-jose.js';
import { requireEndpoint } from '../issuer/require-endpoint.js';
import { toTokenError } from '../wire/to-token-error.js';

const freshMs = 600_000;
const refetchMs = 30_000;
const limitMs = 10_000;

/** The keys that a server signs with (RFC 7517), from its metadata alone. */
export interface SigningKeys {
  /** The keys, at most ten minutes old. With `anew` fetched again, unless that was done within the last 30 s. */
  get(context: GrantContext, anew?: boolean): Promise<JWTVerifyGetKey>;
}

const known = new WeakMap<AuthorizationServer, SigningKeys>();

/** One cache for all who use the same server. (`standards.md` A24) */
export function signingKeys(server: AuthorizationServer): SigningKeys {
  const keys = known.get(server) ?? keysOf(server);
  known.set(server, keys);
  return keys;
}

function keysOf(server: AuthorizationServer): SigningKeys {
  let cached: { readonly keys: JWTVerifyGetKey; readonly wall: number; readonly mono: number } | undefined;
  let flight: Promise<JWTVerifyGetKey> | undefined;

  // Has a time limit of its own: it must not end with the sign-in that happened to start it.
  const fly = async (url: string, clock: Clock): Promise<JWTVerifyGetKey> => {
    try {
      const timeout = () => new TokenError('timeout', `the keys of ${server.issuer} took longer than ${limitMs} ms`, { phase: 'id_token' });
      const keys = await withTimeLimit(clock, limitMs, (signal) => fetchKeys(server, url, clock, signal), timeout);
      cached = { keys, ...instant(clock) };
      return keys;
    } finally {
      flight = undefined;
    }
  };

  return {
    async get(context, anew = false) {
      const { clock, signal } = context;
      const age = cached ? ageMs(cached, clock) : Infinity;
      if (cached && age < (anew ? refetchMs : freshMs)) return cached.keys;
      const url = requireEndpoint(await server.metadata(context), 'jwks_uri', 'id_token');
      flight ??= fly(url, clock);
      return abortable(flight, signal);
    },
  };
}

async function fetchKeys(server: AuthorizationServer, url: string, clock: Clock, signal: AbortSignal): Promise<JWTVerifyGetKey> {
  const sentAt = clock.now();
  const answer = await exchange('discovery', server.fetch, signal, (send) => send(url));
  server.time.learn(answer.headers, sentAt, clock);
  const { keys } = (answer.status === 200 ? parseObject(answer.text) : undefined) ?? {};
  if (!Array.isArray(keys)) throw toTokenError(answer, undefined, { preset: server.preset, secrets: [], clock });
  const { createLocalJWKSet } = await loadJose();
  return createLocalJWKSet({ keys: keys.filter((key) => typeof Object(key).kty === 'string') });
}
