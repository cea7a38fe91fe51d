import type { Clock } from '../core/clock.js';
import { type DeliveryCounts, deliveredBody } from './delivered-body.js';
import type { DpopNonces } from './dpop-nonces.js';
import type { ClientRegistry } from './fake-client.js';
import type { FakeGrant } from './fake-grant.js';
import type { Latency, RawAnswer, ServerKnobs } from './server-knobs.js';
import type { TokenRegistry } from './token-registry.js';

/** What the endpoints of one fake server share. */
export interface ServerContext {
  readonly issuer: string;
  readonly trapOrigin: string;
  readonly clock: Clock;
  /** Epoch milliseconds by the server's own clock, without the offset of the knobs. */
  readonly now: () => number;
  readonly random: () => number;
  readonly registry: TokenRegistry;
  readonly clients: ClientRegistry;
  readonly grants: Readonly<Record<string, FakeGrant>>;
  readonly tokenNonces: DpopNonces;
  readonly apiNonces: DpopNonces;
  /** The `jti` of every DPoP proof that was taken. */
  readonly proofs: Set<string>;
  /** Every client assertion that was taken, by client and `jti`. */
  readonly assertions: Set<string>;
  readonly deliveries: DeliveryCounts;
  /** Requests that waited a {@link Latency} so far. */
  waits: number;
}

/** One request's way through the server: its settings, fixed at the start, and the client's abort signal. */
export interface Exchange {
  readonly context: ServerContext;
  readonly knobs: ServerKnobs;
  readonly signal: AbortSignal | undefined;
}

export async function wait({ context }: Exchange, latency: Latency): Promise<void> {
  const ms = typeof latency === 'number' ? latency : spread(latency, context.waits++);
  // Not bound to the client's signal: a server works on when the client has gone.
  if (ms > 0) await context.clock.sleep(ms);
}

// The golden ratio spreads any number of points evenly.
function spread([min, max]: readonly [number, number], index: number): number {
  return Math.round(min + (max - min) * ((index * 0.618_033_988_75) % 1));
}

/** What `fetch` does when the connection fails. */
export function connectionLost(): TypeError {
  return new TypeError('fetch failed');
}

export interface Answer {
  readonly status: number;
  readonly text?: string | undefined;
  readonly contentType?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** The response, dated by the server's clock and delivered as the knobs say. */
export function respond({ context, knobs, signal }: Exchange, answer: Answer): Response {
  const headers = new Headers({ 'cache-control': 'no-store', ...answer.headers });
  if (knobs.sendDate) headers.set('date', new Date(serverNow(context, knobs)).toUTCString());
  // As bytes, so that no content type is made up for a text.
  const text = answer.text ?? '';
  const body = noBodyStatuses.includes(answer.status) ? null : deliveredBody(text, knobs, context.clock, signal, context.deliveries);
  if (answer.contentType !== undefined) headers.set('content-type', answer.contentType);
  return new Response(typeof body === 'string' ? new TextEncoder().encode(body) : body, { status: answer.status, headers });
}

const noBodyStatuses: readonly number[] = [204, 205, 304];

export function respondJson(exchange: Exchange, status: number, body: unknown, headers?: Readonly<Record<string, string>>): Response {
  return respond(exchange, { status, text: JSON.stringify(body), contentType: 'application/json', headers });
}

export function respondRaw(exchange: Exchange, answer: RawAnswer): Response {
  const headers = { ...retryAfterHeader(exchange), ...answer.headers };
  return respond(exchange, { status: answer.status, text: answer.body, contentType: answer.contentType, headers });
}

/** The instant that the server believes it is. */
export function serverNow(context: ServerContext, knobs: ServerKnobs): number {
  return context.now() + knobs.clockOffsetMs;
}

export function retryAfterHeader({ context, knobs }: Exchange): Readonly<Record<string, string>> {
  const { retryAfter } = knobs;
  if (retryAfter === undefined) return {};
  if (typeof retryAfter !== 'object') return { 'retry-after': String(retryAfter) };
  return { 'retry-after': new Date(serverNow(context, knobs) + retryAfter.dateInMs).toUTCString() };
}
