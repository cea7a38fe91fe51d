import { isTokenError, TokenError } from 'tokenkeep';
import { virtualClock } from 'tokenkeep/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { workerLink } from '../../../src/browser/worker-link.js';
import { eventData, eventOf, failureData } from '../../../src/browser/worker-messages.js';
import { FakeWorker } from './fake-worker.js';

const frees = new Map<string, () => void>();
const ping = { do: 'ping' } as const;
const signal = new AbortController().signal;

beforeEach(() => {
  FakeWorker.all.length = 0;
  vi.stubGlobal('SharedWorker', FakeWorker);
  vi.stubGlobal('navigator', { locks: { request: (name: string, _options: object, freed: () => void) => new Promise<void>(() => frees.set(name, freed)) } });
});

afterEach(() => vi.unstubAllGlobals());

function open() {
  const clock = virtualClock();
  const changed = vi.fn();
  const link = workerLink({ make: () => new SharedWorker('/worker.js'), session: '{}', clock, changed });
  return { clock, changed, link, worker: (index: number) => FakeWorker.all[index] ?? new FakeWorker() };
}

describe('the link to the shared worker [X14]', () => {
  it('says nothing until it is decided, and then the worker', async () => {
    const { link, worker, clock } = open();
    expect(link.place()).toEqual({ renewal: undefined, renewalReason: undefined });
    worker(0).hello();
    await clock.advance(0);
    expect(link.place()).toEqual({ renewal: 'worker', renewalReason: undefined });
  });

  it('gives up a worker that is silent for 3 s, and tries again after 30 s', async () => {
    const { link, worker, clock } = open();
    worker(0).hello();
    const asked = link.ask(ping, { signal });
    await clock.advance(2_999);
    expect(link.place().renewal).toBe('worker');
    await clock.advance(1);
    expect(await asked).toBeUndefined();
    expect(link.place()).toEqual({ renewal: 'tab', renewalReason: 'silent' });
    expect(await link.ask(ping, { signal })).toBeUndefined();
    expect(FakeWorker.all).toHaveLength(1);
    await clock.advance(30_001);
    const again = link.ask(ping, { signal });
    worker(1).hello();
    await clock.advance(0);
    const [order] = worker(1).orders('ping');
    worker(1).say({ type: 'done', id: order?.id ?? 0, result: 'here' });
    expect(await again).toEqual({ result: 'here' });
    expect(link.place().renewal).toBe('worker');
  });

  it('waits for a worker that is heard every 3 s', async () => {
    const { link, worker, clock } = open();
    worker(0).hello();
    const asked = link.ask(ping, { signal });
    await clock.advance(0);
    const { id } = worker(0).orders('ping')[0] ?? { id: 0 };
    for (let beat = 0; beat < 10; beat++) {
      worker(0).say({ type: 'heard', id });
      await clock.advance(3_000);
    }
    expect(worker(0).orders('beat')).toHaveLength(10);
    worker(0).say({ type: 'done', id, result: 1 });
    expect(await asked).toEqual({ result: 1 });
  });

  it('starts another worker when it dies, and asks that one; after a second death the tab renews', async () => {
    const { link, worker, clock } = open();
    worker(0).hello();
    const asked = link.ask(ping, { signal });
    await clock.advance(0);
    frees.get('alive:1')?.();
    await clock.advance(0);
    worker(1).hello();
    await clock.advance(0);
    expect(worker(1).orders('ping')).toHaveLength(1);
    frees.get('alive:2')?.();
    await clock.advance(0);
    expect(await asked).toBeUndefined();
    expect(link.place()).toEqual({ renewal: 'tab', renewalReason: 'dead' });
    expect(FakeWorker.all).toHaveLength(2);
  });

  it('does not send again what may be sent once only', async () => {
    const { link, worker, clock } = open();
    worker(0).hello();
    const asked = link.ask(ping, { signal, once: true });
    await clock.advance(0);
    frees.get('alive:1')?.();
    await clock.advance(0);
    worker(1).hello();
    expect(await asked).toBeUndefined();
    expect(worker(1).orders('ping')).toEqual([]);
  });

  it('throws what the worker failed with, as an error of ours', async () => {
    const { link, worker, clock } = open();
    worker(0).hello();
    const asked = link.ask(ping, { signal });
    await clock.advance(0);
    const failure = new TokenError('rate_limited', 'later', { phase: 'token', status: 429, retryAfterMs: 5_000, oauthError: 'slow_down' });
    worker(0).say({ type: 'failed', id: worker(0).orders('ping')[0]?.id ?? 0, error: structuredClone(failureData(failure)) });
    const error = await asked.catch((caught: unknown) => caught);
    expect(isTokenError(error) && error.toJSON()).toEqual(failure.toJSON());
  });

  it('carries events over with their errors', () => {
    const error = new TokenError('network_error', 'down', { phase: 'token', attempts: 1 });
    const event = { type: 'attempt_failed', error, attempt: 1, retryInMs: 10, target: 'default' } as const;
    const carried = eventOf(structuredClone(eventData(event)));
    expect(carried).toEqual(event);
    expect('error' in carried && isTokenError(carried.error)).toBe(true);
  });
});
