import { randomId } from '../core/random.js';
import { authenticateClient } from './client-authentication.js';
import { serverPaths } from './discovery-endpoint.js';
import type { FakeGrant } from './fake-grant.js';
import type { RecordedRequest } from './recorded-request.js';
import { type Exchange, respondJson, respondRaw } from './server-context.js';
import { respondFault } from './token-endpoint.js';

interface DeviceCode {
  readonly clientId: string;
  readonly scope: readonly string[];
  /** By the server's clock. */
  readonly expiresAt: number;
  intervalMs: number;
  lastPollAt: number | undefined;
  polls: number;
  used: boolean;
}

const slowDownMs = 5_000;
const inexactMs = 10;

/** The codes that devices were given (RFC 8628): the endpoint that gives them out, and the grant that takes them back. */
export class DeviceCodes {
  readonly #codes = new Map<string, DeviceCode>();

  async endpoint(request: RecordedRequest, exchange: Exchange): Promise<Response> {
    const { knobs, context } = exchange;
    if (knobs.deviceAnswer !== undefined) return respondRaw(exchange, knobs.deviceAnswer);
    const client = await authenticateClient(request, exchange);
    if ('error' in client) return respondFault(exchange, client, request);
    const code = `dc-${randomId()}`;
    const userCode = randomId()
      .replace(/[^A-Z]/g, '')
      .padEnd(8, 'X')
      .replace(/^(.{4})(.{4}).*$/, '$1-$2');
    const verificationUri = `${serverPaths(context.issuer).token.replace(/token$/, '')}device`;
    this.#codes.set(code, {
      clientId: client.clientId,
      scope: request.params.get('scope')?.split(' ') ?? [],
      expiresAt: context.now() + seconds(knobs.deviceExpiresIn, 600),
      intervalMs: seconds(knobs.deviceInterval, 5),
      lastPollAt: context.now(),
      polls: 0,
      used: false,
    });
    return respondJson(exchange, 200, {
      device_code: code,
      user_code: userCode,
      verification_uri: verificationUri,
      verification_uri_complete: `${verificationUri}?user_code=${userCode}`,
      expires_in: knobs.deviceExpiresIn,
      interval: knobs.deviceInterval,
      ...knobs.deviceMembers,
    });
  }

  /** The grant (RFC 8628 §3.4, §3.5). */
  readonly grant: FakeGrant = ({ params, clientId, knobs, now, newRefreshToken }) => {
    const code = this.#codes.get(params.get('device_code') ?? '');
    if (code === undefined || code.used || code.clientId !== clientId) return { error: 'invalid_grant', description: 'unknown device_code' };
    if (now >= code.expiresAt) return { error: knobs.deviceExpiredError };
    const isEarly = code.lastPollAt !== undefined && now - code.lastPollAt < code.intervalMs - inexactMs;
    code.lastPollAt = now;
    code.polls++;
    if (isEarly || code.polls <= knobs.deviceSlowDowns) {
      code.intervalMs += slowDownMs;
      return { error: 'slow_down', ...(knobs.slowDownNamesInterval && { members: { interval: code.intervalMs / 1000 } }) };
    }
    if (code.polls <= knobs.deviceSlowDowns + knobs.devicePending) return { error: 'authorization_pending' };
    if (knobs.deviceDecision === 'denied') return { error: 'access_denied' };
    code.used = true;
    return { scope: code.scope, ...newRefreshToken(code.scope) };
  };
}

function seconds(value: unknown, fallback: number): number {
  return (typeof value === 'number' && value >= 0 ? value : fallback) * 1000;
}
