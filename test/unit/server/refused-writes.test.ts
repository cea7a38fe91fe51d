import { describe, expect, it } from 'vitest';
import { hourMs } from '../manager/support.js';
import { dayMs, type Firm, firm, untilDone } from './accounts-support.js';

/** The store takes intents and refuses results, so many times. */
function refuseResults({ store }: Firm, times: number): { refused: number } {
  const seen = { refused: 0 };
  store.before = async (call, _key, value) => {
    if (call !== 'set' || value?.includes('"pending"') === true || seen.refused >= times) return;
    seen.refused++;
    throw new Error('the text of a driver');
  };
  return seen;
}

async function due(times: number): Promise<Firm & { readonly seen: { refused: number } }> {
  const app = firm();
  await app.connect('acme');
  await app.clock.advance(hourMs);
  app.server.clearRequests();
  return { ...app, seen: refuseResults(app, times) };
}

describe('a rotated refresh token that the store refuses', () => {
  it.each([1, 3, 5])('is offered again under the lock, %i times, and nobody else spends the old one [R6, complaint 23]', async (times) => {
    const app = await due(times);
    const other = app.another();
    const asked = [app.accounts.account('acme').getToken(), other.account('acme').getToken()];
    expect(await untilDone(app, Promise.all(asked))).toBeLessThanOrEqual(3_500);
    const [own, adopted] = await Promise.all(asked);
    expect(app.seen.refused).toBe(times);
    expect(adopted?.value).toBe(own?.value);
    expect([app.server.tokenRequests, app.server.stats.reuses]).toEqual([1, 0]);
    expect(app.store.indexOf('acme')).toMatchObject({ state: 'healthy' });
    expect(app.events.filter(({ type }) => type === 'storage_error')).toEqual([]);
  });

  it('is served from memory after three seconds, and stored without a further call as soon as the store takes it [R6]', async () => {
    const app = await due(Infinity);
    const asked = app.accounts.account('acme').getToken();
    expect(await untilDone(app, asked)).toBeLessThanOrEqual(3_500);
    const { value } = await asked;
    expect(app.events.filter(({ type }) => type === 'storage_error')).toHaveLength(1);
    await app.clock.advance(60_000);
    const { refused } = app.seen;
    // Bounded: 13 attempts in three seconds, and then one a second.
    expect(refused).toBeLessThanOrEqual(80);
    expect(app.store.indexOf('acme')).toMatchObject({ state: 'renewing' });
    app.store.before = undefined;
    await app.clock.advance(2_000);
    expect(app.store.indexOf('acme')).toMatchObject({ state: 'healthy' });
    expect((await app.another().account('acme').getToken()).value).toBe(value);
    expect([app.server.tokenRequests, app.server.stats.reuses]).toEqual([1, 0]);
    await app.accounts.dispose();
    expect(app.clock.pending).toBe(0);
  });

  it('is stored before somebody else sends the one that it replaced, though the lock is free: who takes it looks twice [R14, X15]', async () => {
    const app = await due(8);
    // Its lease ran out: everybody has the lock.
    const noLock = { shared: true, run: <T>(_name: string, task: (held: AbortSignal) => Promise<T>) => task(new AbortController().signal) } as const;
    const asked = app.another({ lock: noLock }).account('acme').getToken();
    await app.clock.advance(500);
    const other = app.another({ lock: noLock }).account('acme').getToken();
    await untilDone(app, Promise.all([asked, other]));
    expect((await other).value).toBe((await asked).value);
    expect([app.server.tokenRequests, app.server.stats.reuses]).toEqual([1, 0]);
  });

  it('is offered once more before its process ends [R6]', async () => {
    const app = await due(Infinity);
    const asked = app.accounts.account('acme').getToken();
    expect(await untilDone(app, asked)).toBeLessThanOrEqual(3_500);
    const { value } = await asked;
    app.store.before = undefined;
    await untilDone(app, app.accounts.dispose());
    expect(app.store.indexOf('acme')).toMatchObject({ state: 'healthy' });
    expect((await app.another().account('acme').getToken()).value).toBe(value);
  });

  it('is served after the time of one call to a store that says nothing at all [R6]', async () => {
    const app = await due(0);
    let hung = 0;
    app.store.before = async (call, _key, value) => {
      if (call !== 'set' || value?.includes('"pending"') === true) return;
      hung++;
      await new Promise(() => undefined);
    };
    expect(await untilDone(app, app.accounts.account('acme').getToken())).toBeLessThanOrEqual(5_500);
    expect(hung).toBe(1);
  });

  it('stays in memory when a sweep got it [R6]', async () => {
    const app = firm({ refreshTokenIdleMs: dayMs });
    await app.connect('acme');
    await app.clock.advance(dayMs);
    refuseResults(app, 10);
    const sweep = app.accounts.sweep();
    await untilDone(app, sweep);
    expect(await sweep).toMatchObject({ due: 1, renewed: 1 });
    await app.clock.advance(30_000);
    await app.clock.advance(hourMs);
    expect((await app.another().account('acme').getToken()).value).toMatch(/./);
    expect(app.server.stats.reuses).toBe(0);
  });

  it('does not come back over a sign-out that the store did take [R26]', async () => {
    const app = await due(Infinity);
    const asked = app.accounts.account('acme').getToken();
    await untilDone(app, asked);
    app.store.before = undefined;
    await app.another().disconnect('acme');
    await app.clock.advance(60_000);
    expect(app.store.indexOf('acme')).toMatchObject({ state: 'disconnected' });
    await expect(app.accounts.account('acme').getToken()).rejects.toMatchObject({ code: 'login_required' });
  });

  it('holds up no caller and is told of once, while the store says nothing or fails [rule 2]', async () => {
    const app = await due(Infinity);
    await untilDone(app, app.accounts.account('acme').getToken());
    app.store.before = () => Promise.reject(new Error('the text of a driver'));
    await app.clock.advance(20_000);
    expect(app.events.filter(({ type }) => type === 'storage_error')).toHaveLength(1);
    app.store.before = () => new Promise(() => undefined);
    for (let call = 0; call < 5; call++) {
      await app.clock.advance(700);
      expect(await untilDone(app, app.accounts.account('acme').getToken())).toBe(250);
    }
  });

  it('is stored also when a caller has come for an account whose sweep got it [R6]', async () => {
    const app = firm({ refreshTokenIdleMs: dayMs });
    await app.connect('acme');
    const process = app.another();
    await app.clock.advance(dayMs);
    refuseResults(app, Infinity);
    const sweep = process.sweep();
    await app.clock.advance(300);
    const asked = process.account('acme').getToken();
    asked.catch(() => undefined);
    await app.clock.advance(2_500);
    app.store.before = () => Promise.reject(new Error('the text of a driver'));
    await untilDone(app, sweep);
    await untilDone(app, asked);
    await app.clock.advance(10_000);
    app.store.before = undefined;
    await app.clock.advance(2 * hourMs);
    const later = process.account('acme').getToken();
    await untilDone(app, later);
    expect((await later).value).toMatch(/./);
    expect(app.server.stats.reuses).toBe(0);
    await process.dispose();
    expect(app.clock.pending).toBe(0);
  });

  it('is looked for twice only where another process may have it: not after a failure here, nor a minute later [R14]', async () => {
    const app = await due(0);
    app.server.set({ answer: { status: 502, body: '' } });
    await untilDone(
      app,
      app.accounts
        .account('acme')
        .getToken()
        .catch(() => undefined),
    );
    app.server.set({ answer: undefined });
    await app.clock.advance(5_000);
    expect(await untilDone(app, app.accounts.account('acme').getToken())).toBeLessThan(1_000);
  });
});
