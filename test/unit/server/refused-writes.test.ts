import { describe, expect, it } from 'vitest';
import { hourMs } from '../manager/support.js';
import { dayMs, type Firm, firm } from './accounts-support.js';

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
    await app.clock.advance(3_200);
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
    await app.clock.advance(3_100);
    const { value } = await asked;
    expect(app.events.filter(({ type }) => type === 'storage_error')).toHaveLength(1);
    await app.clock.advance(60_000);
    const { refused } = app.seen;
    // Bounded: about six attempts in three seconds, and then one in ten seconds.
    expect(refused).toBeLessThanOrEqual(20);
    expect(app.store.indexOf('acme')).toMatchObject({ state: 'renewing' });
    app.store.before = undefined;
    await app.clock.advance(10_000);
    expect(app.store.indexOf('acme')).toMatchObject({ state: 'healthy' });
    expect((await app.another().account('acme').getToken()).value).toBe(value);
    expect([app.server.tokenRequests, app.server.stats.reuses]).toEqual([1, 0]);
    await app.accounts.dispose();
    expect(app.clock.pending).toBe(0);
  });

  it('stays in memory when a sweep got it [R6]', async () => {
    const app = firm({ refreshTokenIdleMs: dayMs });
    await app.connect('acme');
    await app.clock.advance(dayMs);
    refuseResults(app, 10);
    const sweep = app.accounts.sweep();
    await app.clock.advance(4_000);
    expect(await sweep).toMatchObject({ due: 1, renewed: 1 });
    await app.clock.advance(30_000);
    await app.clock.advance(hourMs);
    expect((await app.another().account('acme').getToken()).value).toMatch(/./);
    expect(app.server.stats.reuses).toBe(0);
  });

  it('does not come back over a sign-out that the store did take [R26]', async () => {
    const app = await due(Infinity);
    const asked = app.accounts.account('acme').getToken();
    await app.clock.advance(3_100);
    await asked;
    app.store.before = undefined;
    await app.another().disconnect('acme');
    await app.clock.advance(60_000);
    expect(app.store.indexOf('acme')).toMatchObject({ state: 'disconnected' });
    await expect(app.accounts.account('acme').getToken()).rejects.toMatchObject({ code: 'login_required' });
  });
});
