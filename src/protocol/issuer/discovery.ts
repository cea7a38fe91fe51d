import type { Clock } from '../../core/clock.js';
import { isTokenError, TokenError, type TokenErrorCode } from '../../core/errors.js';
import type { GrantContext } from '../../core/grant.js';
import { ageMs, type Instant, instant } from '../../core/instant.js';
import { parseObject } from '../../core/parse-object.js';
import { abortable, withTimeLimit } from '../../core/waiting.js';
import { type EndpointTrust, endpointRefusal } from '../wire/endpoint-refusal.js';
import { type Answer, exchange } from '../wire/exchange.js';
import { pickMembers } from '../wire/response-members.js';
import { readMetadata, type ServerMetadata } from './server-metadata.js';
import { toTokenError } from '../wire/to-token-error.js';

const freshMs = 24 * 3_600_000;
const staleMs = 7 * freshMs;
const staleRecheckMs = 300_000;
const limitMs = 10_000;
// With a stale document at hand nobody should wait long, and the attempt has to fit in its own limit.
const staleLimitMs = 3000;

const needed = /(^|\.)(token|revocation|introspection|device_authorization)_endpoint$/;

interface Discovery extends EndpointTrust {
  readonly fetch: typeof fetch | undefined;
}

interface Cached extends Instant {
  readonly metadata: ServerMetadata;
}

/** Finds a server's metadata by its issuer: asked once for all who wait, kept for a day, used for a week when it cannot be had again. (`standards.md` A27) */
export function discoverMetadata(discovery: Discovery): (context: GrantContext) => Promise<ServerMetadata> {
  let cached: Cached | undefined;
  let flight: Promise<ServerMetadata> | undefined;
  let quietUntil = 0;

  // Has a time limit of its own: it must not end with the attempt that happened to start it.
  const fly = async (clock: Clock, flightMs: number): Promise<ServerMetadata> => {
    try {
      const timeout = () => new TokenError('timeout', `the discovery of ${discovery.issuer} took longer than ${flightMs} ms`, { phase: 'discovery' });
      const metadata = await withTimeLimit(clock, flightMs, (signal) => requestMetadata(discovery, clock, signal), timeout);
      cached = { metadata, ...instant(clock) };
      return metadata;
    } finally {
      flight = undefined;
    }
  };

  return async ({ clock, signal, report }) => {
    const age = cached ? ageMs(cached, clock) : Infinity;
    const usable = age < staleMs ? cached : undefined;
    if (usable && (age < freshMs || clock.monotonicMs() < quietUntil)) return usable.metadata;
    flight ??= fly(clock, usable ? staleLimitMs : limitMs);
    try {
      return await abortable(flight, signal);
    } catch (error) {
      if (signal.aborted || !usable) throw error;
      quietUntil = clock.monotonicMs() + staleRecheckMs;
      report({
        type: 'warning',
        code: 'stale_metadata',
        message: `${discovery.issuer} gave no new metadata (${isTokenError(error) ? error.code : 'unknown'}); that of ${Math.round(age / 3_600_000)} hours ago is used`,
      });
      return usable.metadata;
    }
  };
}

async function requestMetadata(discovery: Discovery, clock: Clock, signal: AbortSignal): Promise<ServerMetadata> {
  const { origin, pathname } = new URL(discovery.issuer);
  const path = pathname.replace(/\/$/, '');
  // RFC 8414 §3 puts it before the issuer's path, OpenID Connect Discovery §4 behind.
  const places = [`/.well-known/oauth-authorization-server${path}`, `${path}/.well-known/openid-configuration`];
  const ask = (place: string | undefined) => exchange('discovery', discovery.fetch, signal, (send) => send(`${origin}${place}`));
  if (discovery.preset.discovery === 'oidc') places.reverse();
  const answer = await ask(places[0]);
  return readDocument(answer.status === 404 ? await ask(places[1]) : answer, discovery, clock);
}

function readDocument(answer: Answer, discovery: Discovery, clock: Clock): ServerMetadata {
  const { issuer, preset } = discovery;
  const document = answer.status === 200 ? parseObject(answer.text) : undefined;
  if (document === undefined) throw toTokenError(answer, undefined, { preset, secrets: [], clock });
  const fail = (code: TokenErrorCode, what: string): TokenError => new TokenError(code, `the metadata of ${issuer} ${what}`, { phase: 'discovery' });
  if (pickMembers(document, ['issuer'])['issuer'] !== issuer) throw fail('issuer_mismatch', 'names another issuer, if only by one character');
  return readMetadata(document, issuer, (name, endpoint) => {
    const refusal = typeof endpoint === 'string' ? endpointRefusal(endpoint, discovery) : undefined;
    if (typeof endpoint === 'string' && refusal === undefined) return endpoint;
    // What the flow at hand may never need must not fail it: it counts as missing.
    if (!needed.test(name)) return undefined;
    throw refusal === undefined ? fail('discovery_failed', `names no ${name}`) : fail('endpoint_refused', `names a ${name} that ${refusal}`);
  });
}
