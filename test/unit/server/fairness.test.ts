import { clientSecretBasic } from 'tokenkeep';
import { createAccounts } from 'tokenkeep/server';
import { fakeAuthorizationServer, type VirtualClock, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { EndpointPace } from '../../../src/server/endpoint-pace.js';
import { tokenEndpointQueue } from '../../../src/server/token-endpoint-queue.js';
import { testAccountStore } from '../../support/account-store.js';
import { hourMs, rejection } from '../manager/support.js';
import { dayMs, redirectUri } from './accounts-support.js';

interface Busy {
  readonly clock: VirtualClock;
  readonly accounts: ReturnType<typeof createAccounts>;
  readonly server: ReturnType<typeof fakeAuthorizationServer>;
  mostAtOnce: number;
  refused: number;
}

/** Imported accounts, all of them due, at a server that takes so many requests a second. */
async function busy(count: number, perSecond = Infinity, latencyMs = 50): Promise<Busy> {
  const clock = virtualClock();
  const server = fakeAuthorizationServer({ clock, knobs: { latencyBeforeMs: latencyMs } });
  const store = testAccountStore(clock);
  let taken: number[] = [];
  let atOnce = 0;
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { method } = new Request(input, init);
    if (method !== 'POST') return server.fetch(input, init);
    const now = clock.monotonicMs();
    taken = taken.filter((at) => now - at < 1_000);
    if (taken.length >= perSecond) {
      scene.refused++;
      return new Response('', { status: 429, headers: { 'retry-after': '1' } });
    }
    taken.push(now);
    scene.mostAtOnce = Math.max(scene.mostAtOnce, ++atOnce);
    try {
      return await server.fetch(input, init);
    } finally {
      atOnce--;
    }
  };
  const accounts = createAccounts({
    server: { ...server.metadata },
    clientId: 'client',
    auth: clientSecretBasic('secret'),
    fetch,
    redirectUri,
    store,
    clock,
    refreshTokenIdleMs: 60 * dayMs,
    maxAccounts: 100,
  });
  const scene: Busy = { clock, accounts, server, mostAtOnce: 0, refused: 0 };
  for (let index = 0; index < count; index++) await accounts.import(`customer-${index}`, { refreshToken: server.issueRefreshToken() });
  await clock.advance(hourMs);
  return scene;
}

async function untilDone<T>({ clock }: Pick<Busy, 'clock'>, task: Promise<T>, stepMs: number): Promise<{ readonly result: T; readonly tookMs: number }> {
  let isDone = false;
  const done = (): void => {
    isDone = true;
  };
  task.then(done, done);
  let tookMs = 0;
  for (; !isDone && tookMs < 24 * hourMs; tookMs += stepMs) await clock.advance(stepMs);
  return { result: await task, tookMs };
}

describe('thousands of accounts at one token endpoint', () => {
  it('are swept a few at a time, each once, and none is lost [rule 8]', { timeout: 120_000 }, async () => {
    const scene = await busy(2_000);
    const { result } = await untilDone(scene, scene.accounts.sweep({ concurrency: 6 }), 5_000);
    expect(result).toMatchObject({ due: 2_000, renewed: 2_000, failed: [], needReconnect: [] });
    expect(scene.server.tokenRequests).toBe(2_000);
    expect(scene.server.stats.reuses).toBe(0);
    expect(scene.mostAtOnce).toBeLessThanOrEqual(6);
  });

  it('are renewed at the pace that the server’s refusals taught, while a caller waits for no more than one request [R22, R23]', {
    timeout: 120_000,
  }, async () => {
    const scene = await busy(300, 20);
    const sweeping = scene.accounts.sweep();
    sweeping.catch(() => undefined);
    await scene.clock.advance(5_000);
    // Somebody comes in the middle of it, from time to time.
    const waits: number[] = [];
    for (let index = 290; index < 300; index++) {
      const asked = scene.clock.monotonicMs();
      const answer = scene.accounts.account(`customer-${index}`).getToken();
      const { tookMs } = await untilDone(scene, answer, 10);
      waits.push(tookMs);
      expect(scene.clock.monotonicMs() - asked).toBeGreaterThan(0);
      await scene.clock.advance(300);
    }
    const { result, tookMs } = await untilDone(scene, sweeping, 500);
    expect(result).toMatchObject({ due: 300, failed: [], needReconnect: [] });
    expect(result.renewed + result.skipped).toBe(300);
    expect(scene.server.stats.reuses).toBe(0);
    // The server's own limit would take 15 s for all.
    expect(tookMs).toBeLessThan(30_000);
    expect(scene.refused).toBeLessThan(60);
    const sorted = waits.toSorted((one, other) => one - other);
    // A request takes 50 ms, and its turn at the pace as long; a refusal costs a second.
    expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThanOrEqual(250);
    expect(sorted.at(-1)).toBeLessThanOrEqual(3_000);
  });
});

describe('the line in front of a token endpoint', () => {
  const slots = 8;

  it('lets one that nobody waits for pass after seven that somebody waits for: nobody starves', async () => {
    const clock = virtualClock();
    const queue = tokenEndpointQueue(clock);
    const order: string[] = [];
    const open: (() => void)[] = [];
    const task = (name: string) => () =>
      new Promise<void>((resolve) => {
        order.push(name);
        open.push(resolve);
      });
    const all = Array.from({ length: slots }, (_, index) => queue.run(task(`first-${index}`), { background: true }));
    all.push(queue.run(task('patient'), { background: true }));
    for (let index = 0; index < 30; index++) all.push(queue.run(task(`caller-${index}`), { background: false }));
    while (open.length > 0) {
      open.shift()?.();
      await clock.advance(0);
    }
    await Promise.all(all);
    expect(order.indexOf('patient')).toBe(slots + 7);
  });

  it('holds everybody back while the endpoint wants to be left alone, and nobody for longer than half a minute [R22, R23]', async () => {
    const clock = virtualClock();
    const pace = new EndpointPace(clock);
    const queue = tokenEndpointQueue(clock, pace);
    const order: string[] = [];
    const run = (name: string) => queue.run(async () => void order.push(name), { background: false });
    pace.limited(5_000);
    const later = run('later');
    await clock.advance(4_999);
    expect(order).toEqual([]);
    await clock.advance(1);
    await later;
    expect(order).toEqual(['later']);
    pace.limited(600_000);
    expect(await rejection(run('never'))).toMatchObject({ code: 'rate_limited', retryAfterMs: 600_000, fromCache: true });
    await clock.advance(600_000);
    await run('at last');
    expect(order).toEqual(['later', 'at last']);
    expect(clock.pending).toBe(clock.pendingIdle);
  });

  it('learns what the endpoint takes from what it took, and forgets it slowly', async () => {
    const clock = virtualClock();
    const pace = new EndpointPace(clock);
    for (let index = 0; index < 20; index++) pace.accepted();
    pace.began();
    expect(pace.waitMs()).toBe(0);
    pace.limited(undefined);
    pace.limited(undefined);
    await clock.advance(1_000);
    expect(pace.waitMs()).toBe(0);
    pace.began();
    // Four fifths of 20 a second.
    expect(pace.waitMs()).toBeCloseTo(62.5, 1);
    await clock.advance(1_000);
    for (let index = 0; index < 400; index++) pace.accepted();
    pace.began();
    expect(pace.waitMs()).toBeCloseTo(50, 1);
  });

  it('keeps no process alive when nobody is in it', async () => {
    const clock = virtualClock();
    const pace = new EndpointPace(clock);
    const queue = tokenEndpointQueue(clock, pace);
    pace.limited(10_000);
    await clock.advance(0);
    expect(clock.pending).toBe(1);
    expect(clock.pendingIdle).toBe(1);
    const waiting = queue.run(async () => 'done', { background: true });
    await clock.advance(0);
    expect(clock.pendingIdle).toBe(0);
    await clock.advance(10_000);
    expect(await waiting).toBe('done');
  });
});
