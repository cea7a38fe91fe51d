import type { TokenEvent } from '../../../src/core/events.js';
import { isTokenError, type TokenError } from '../../../src/core/errors.js';
import type { GrantContext } from '../../../src/core/grant.js';
import type { Clock } from '../../../src/core/clock.js';
import type { TokenTarget } from '../../../src/core/token-source.js';

/** One request as it reached the fake server. */
export interface Recorded {
  readonly url: string;
  readonly init: RequestInit;
  readonly headers: Headers;
  readonly body: URLSearchParams;
}

export interface FakeServer {
  readonly fetch: typeof fetch;
  readonly requests: Recorded[];
}

/** How the fake server answers one request. */
export type Answer = (request: Recorded) => Response | Promise<Response>;

/** A fetch that records what it is given and answers in turn; the last answer repeats. */
export function fakeServer(...answers: Answer[]): FakeServer {
  const requests: Recorded[] = [];
  return {
    requests,
    fetch: async (input, init = {}) => {
      const request = {
        url: String(input),
        init,
        headers: new Headers(init.headers),
        body: new URLSearchParams(typeof init.body === 'string' || init.body instanceof URLSearchParams ? init.body : ''),
      };
      requests.push(request);
      const answer = answers[Math.min(requests.length, answers.length) - 1];
      if (answer === undefined) throw new Error('no answer is planned');
      return answer(request);
    },
  };
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): () => Response {
  return text(JSON.stringify(body), status, { 'content-type': 'application/json', ...headers });
}

export function text(body: string, status = 200, headers: Record<string, string> = {}): () => Response {
  return () => new Response(body, { status, headers: { 'content-type': 'text/html', ...headers } });
}

export const issuer = 'https://as.example';
export const server = { issuer, token_endpoint: 'https://as.example/token', revocation_endpoint: 'https://as.example/revoke' };
export const good = { access_token: 'at-1', token_type: 'Bearer', expires_in: 3600 };

export interface TestClock extends Clock {
  time: number;
  readonly slept: number[];
}

/** Stands still until a test moves it; a sleep never ends unless `wakes`. */
export function standingClock(time = 1_800_000_000_000, wakes = false): TestClock {
  const slept: number[] = [];
  const clock: TestClock = {
    time,
    slept,
    now: () => clock.time,
    monotonicMs: () => clock.time,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        slept.push(ms);
        if (wakes) resolve();
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
  };
  return clock;
}

export interface TestContext extends GrantContext {
  readonly clock: TestClock;
  readonly events: TokenEvent[];
}

export function context(given: { target?: TokenTarget; clock?: TestClock; signal?: AbortSignal } = {}): TestContext {
  const events: TokenEvent[] = [];
  return {
    target: given.target ?? {},
    clock: given.clock ?? standingClock(),
    signal: given.signal ?? new AbortController().signal,
    events,
    report: (event) => events.push(event),
  };
}

/** The TokenError that a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<TokenError> {
  try {
    await promise;
  } catch (error) {
    if (isTokenError(error)) return error;
    throw error;
  }
  throw new Error('expected a TokenError, but it succeeded');
}

/** The TokenError that a call throws. */
export function thrown(call: () => unknown): TokenError {
  try {
    call();
  } catch (error) {
    if (isTokenError(error)) return error;
    throw error;
  }
  throw new Error('expected a TokenError, but nothing was thrown');
}
