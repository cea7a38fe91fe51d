import { clientCredentials, clientSecretBasic, isTokenError } from 'tokenkeep';
import { fakeAuthorizationServer, type ServerKnobs, virtualClock } from 'tokenkeep/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rejection, watched } from '../manager/support.js';

const hourMs = 3_600_000;
const skewMs = 60_000;
const minValidMs = 5_000;
const calls = 5;

// The reason that callers get once the token is spent, and how the server brings it about.
const troubles: readonly (readonly [name: string, kind: string, code: string | RegExp, knobs: Partial<ServerKnobs>])[] = [
  ['down', 'transient', 'network_error', { connection: 'dropBeforeCommit' }],
  ['down after it has looked at the request', 'transient', 'network_error', { connection: 'dropAfterCommit' }],
  ['slower than any time limit', 'transient', 'timeout', { latencyBeforeMs: 45_000 }],
  ['silent', 'transient', 'timeout', { connection: 'hangBeforeCommit' }],
  ['answering 500', 'transient', 'server_error', { answer: { status: 500, body: 'oops' } }],
  ['answering 503 with Retry-After', 'transient', 'server_error', { answer: { status: 503 }, retryAfter: 20 }],
  ['answering 429', 'transient', 'rate_limited', { answer: { status: 429 } }],
  ['answering 429 with Retry-After', 'transient', 'rate_limited', { answer: { status: 429 }, retryAfter: 15 }],
  ['answering HTML', 'transient', 'invalid_response', { shape: 'html' }],
  ['answering truncated JSON', 'transient', 'invalid_response', { shape: 'truncated' }],
  ['answering nothing', 'transient', 'invalid_response', { shape: 'empty' }],
  ['answering without end', 'transient', /^(?:invalid_response|timeout)$/, { delivery: 'endless' }],
  ['stalling in the middle of its answer', 'transient', 'timeout', { delivery: 'stalled' }],
  ['answering with a redirect', 'configuration', 'redirect_refused', { redirect: { status: 307 } }],
];

// In the background at 0, 5, 15, 35, 75 s from the first try (60 s of skew hold four of them, each up to 10 s long), then
// three requests of a flight that callers wait for, then what the negative cache lets through.
const mostInSkew = 5;

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
beforeAll(() => void process.on('unhandledRejection', note));
afterAll(() => {
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

describe('a token endpoint that is', () => {
  it.each(troubles)(
    '%s through the whole skew window is noticed by nobody while the token lives; then the reason is told, and one success ends it [E3] [R20] [R21] [R24] [gap 13] [gap 14]',
    async (_name, kind, code, knobs) => {
      const clock = virtualClock();
      const server = fakeAuthorizationServer({ clock, knobs: { expiresIn: 3600 }, clients: { service: 'secret' } });
      const grant = clientCredentials({ server: server.metadata, clientId: 'service', auth: clientSecretBasic('secret'), fetch: server.fetch });
      const { tokens, eventsOf } = watched({ grant, clock }, 0.5);
      const first = await tokens.getToken();
      await clock.advance(hourMs - skewMs * 1.1);
      server.set(knobs);
      const before = server.tokenRequests;

      // Many callers, all the time: none of them waits, and none of them fails.
      for (let elapsed = 0; elapsed < skewMs * 1.1 - minValidMs; elapsed += 500) {
        for (let call = 0; call < calls; call++) expect(tokens.peek()).toBe(await tokens.getToken());
        await clock.advance(500);
      }
      expect(tokens.peek()?.value ?? first.value).toBe(first.value);
      expect(eventsOf('renewal_failed').every(({ background }) => background)).toBe(true);
      const inSkew = server.tokenRequests - before;
      expect(inSkew).toBeGreaterThan(0);
      expect(inSkew).toBeLessThanOrEqual(mostInSkew);

      // The token is spent: everyone hears why, and a second of a thousand callers costs at most one flight.
      await clock.advance(minValidMs + 1);
      const waiting = Array.from({ length: 100 }, () => rejection(tokens.getToken()));
      await clock.advance(40_000);
      for (const error of await Promise.all(waiting)) {
        expect(error).toMatchObject({ kind });
        expect(error.code).toMatch(code);
      }
      const sent = server.tokenRequests;
      const cached = rejection(tokens.getToken());
      await clock.advance(0);
      if (server.tokenRequests === sent) expect((await cached).kind).toBe(kind);
      else cached.catch(() => undefined);
      expect(server.tokenRequests - before).toBeLessThanOrEqual(mostInSkew + 3 + 3 + 1);

      // It is well again: the first success clears everything.
      server.set({ connection: 'normal', delivery: 'whole', answer: undefined, retryAfter: undefined, shape: 'json', latencyBeforeMs: 0, redirect: undefined });
      await clock.advance(120_000);
      const healed = tokens.getToken();
      await clock.advance(1_000);
      expect((await healed).value).not.toBe(first.value);
      expect(tokens.snapshot()).toMatchObject({ status: 'ready', lastError: undefined });
      await tokens.dispose();
      expect(clock.pendingIdle).toBe(0);
    },
  );

  it('down for a thousand callers a second costs at most three requests in the first second [R24] [complaint 9]', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, knobs: { connection: 'dropBeforeCommit' }, clients: { service: 'secret' } });
    const grant = clientCredentials({ server: server.metadata, clientId: 'service', auth: clientSecretBasic('secret'), fetch: server.fetch });
    const { tokens } = watched({ grant, clock }, 0);
    const outcomes: Promise<unknown>[] = [];
    for (let elapsed = 0; elapsed < 1_000; elapsed += 10) {
      for (let call = 0; call < 10; call++) outcomes.push(tokens.getToken().catch((error: unknown) => error));
      await clock.advance(10);
    }
    expect(server.tokenRequests).toBeLessThanOrEqual(3);
    const all = await Promise.all(outcomes);
    expect(all.every((outcome) => isTokenError(outcome) && outcome.code === 'network_error')).toBe(true);
    await tokens.dispose();
  });
});
