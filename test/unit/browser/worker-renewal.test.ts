import { TokenError, type TokenSet } from 'tokenkeep';
import { virtualClock } from 'tokenkeep/testing';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { setUpSession } from '../../../src/browser/session-setup.js';
import { failureData } from '../../../src/browser/worker-messages.js';
import { chooseRenewal } from '../../../src/browser/worker-renewal.js';
import { buildManager } from '../../../src/manager/kept-tokens.js';
import { observedStore, rejection } from '../manager/support.js';
import { testKeyStore } from '../protocol/proofs.js';
import { FakeWorker } from './fake-worker.js';

const lifetimeMs = 100_000;

beforeEach(() => {
  FakeWorker.all.length = 0;
  vi.stubGlobal('SharedWorker', FakeWorker);
  vi.stubGlobal('navigator', { locks: { request: () => new Promise(() => undefined) } });
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('offline')));
  return () => vi.unstubAllGlobals();
});

/** A page whose worker has answered, with a store that it can be kept from. */
async function setUp() {
  const clock = virtualClock();
  const store = observedStore(clock, { shared: true });
  const setup = setUpSession({
    issuer: 'https://as.test',
    clientId: 'app',
    redirectUri: 'https://app.test/callback',
    worker: () => new SharedWorker('/worker.js'),
  });
  const choosing = chooseRenewal({ ...setup, clock, keyStore: testKeyStore() }, { store, isDegraded: async () => false }, 'name', () => undefined);
  const renewal = await choosing;
  const [worker = new FakeWorker()] = FakeWorker.all;
  worker.hello();
  await clock.advance(0);
  const kept = buildManager({ grant: renewal.grant, store, clock }, { renew: renewal.renew, endsWithStore: true, digest: async (text) => text, spread: 0 });
  onTestFinished(async () => {
    renewal.end();
    await kept.tokens.dispose();
  });
  const brought: TokenSet = { accessToken: 'at-1', tokenType: 'Bearer', sentAt: clock.now(), lifetimeMs, scope: [], refreshToken: 'sealed' };
  return { clock, store, worker, kept, brought };
}

describe('a page that renews in the worker [X14]', () => {
  it('renews itself what lies in its memory alone: the worker would spend what the store still holds [R3, R6]', async () => {
    const { clock, store, worker, kept, brought } = await setUp();
    store.beforeSet = () => Promise.reject(new TokenError('store_unavailable', 'full', { phase: 'store' }));
    await kept.signIn(brought);
    const asked = rejection(kept.tokens.getToken({ invalidToken: await kept.tokens.getToken() }));
    await clock.advance(60_000);
    expect((await asked).kind).toBe('transient');
    expect(worker.orders('renew')).toEqual([]);
  });

  it('waits for the lock with whoever came while a renewal behind them found it taken [E3]', async () => {
    const { clock, store, worker, kept, brought } = await setUp();
    await kept.signIn(brought);
    await clock.advance(60_000);
    const invalidToken = await kept.tokens.getToken();
    await clock.advance(0);
    const read = Promise.withResolvers<void>();
    store.beforeGet = () => read.promise;
    const busy = new TokenError('lock_timeout', 'busy', { phase: 'lock' });
    worker.say({ type: 'failed', id: worker.orders('renew')[0]?.id ?? 0, error: failureData(busy) });
    await clock.advance(0);
    const asked = kept.tokens.getToken({ invalidToken }).catch((error: unknown) => error);
    await clock.advance(0);
    store.beforeGet = undefined;
    read.resolve();
    await clock.advance(0);
    const renewed = { accessToken: 'at-2', tokenType: 'Bearer', sentAt: clock.now(), lifetimeMs, scope: [] } as const;
    for (const { id, order } of worker.orders('renew').slice(1)) {
      expect(order).toMatchObject({ background: false, want: { invalidToken: 'at-1' } });
      worker.say({ type: 'done', id, result: renewed });
    }
    await clock.advance(0);
    expect(await asked).toMatchObject({ value: 'at-2' });
  });
});
