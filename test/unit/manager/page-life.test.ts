import { virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { buildManager } from '../../../src/manager/kept-tokens.js';
import { renew } from '../../../src/manager/renew.js';
import { hourMs, observedStore, rejection, scriptedGrant, type Step, transient, watch, watched } from './support.js';

const brought = (name: string, sentAt: number, lifetimeMs: number | undefined = hourMs) => ({
  accessToken: `at-${name}`,
  tokenType: 'Bearer' as const,
  sentAt,
  lifetimeMs,
  scope: [],
  refreshToken: `rt-${name}`,
});

describe('a manager whose page is hidden', () => {
  it('lets tokens age, serves who asks all the same, and renews once when the page is shown [X12]', async () => {
    const clock = virtualClock();
    const store = observedStore(clock);
    const grant = scriptedGrant('refreshToken');
    let hidden = true;
    const kept = buildManager({ grant, clock, store, keepFresh: true }, { renew, isPaused: () => hidden });
    await kept.signIn(brought('a', clock.now()));
    await clock.advance(8 * hourMs);
    expect(grant.requests).toHaveLength(0);
    expect((await kept.tokens.getToken()).value).toBe('at-1');
    await clock.advance(8 * hourMs);
    expect(grant.requests).toHaveLength(1);
    hidden = false;
    await kept.recheck();
    await clock.advance(1);
    expect(grant.requests).toHaveLength(2);
    await kept.tokens.dispose();
  });

  it('whose machine slept for eight hours answers all who wait by one renewal [E9]', async () => {
    const clock = virtualClock();
    const { signIn, tokens, recheck } = watched({ grant: scriptedGrant('refreshToken'), clock, store: observedStore(clock) });
    await signIn(brought('a', clock.now()));
    clock.suspend(8 * hourMs);
    const rechecked = recheck();
    const all = await Promise.all(Array.from({ length: 50 }, () => tokens.getToken()));
    await rechecked;
    expect(new Set(all.map(({ value }) => value))).toEqual(new Set(['at-1']));
  });
});

describe('a network that is back', () => {
  async function failed(error: Step) {
    const clock = virtualClock();
    const grant = scriptedGrant('refreshToken', error, error, {});
    const kept = watched({ grant, clock, store: observedStore(clock) });
    await kept.signIn(brought('a', clock.now(), 0));
    await clock.advance(hourMs);
    const waiting = rejection(kept.tokens.getToken());
    await clock.advance(100);
    await waiting;
    return { clock, grant, kept };
  }

  it('ends what its absence forbade: the next call asks at once [R24]', async () => {
    const { grant, kept } = await failed(transient());
    expect(await rejection(kept.tokens.getToken())).toMatchObject({ fromCache: true });
    await kept.recheck();
    expect(await rejection(kept.tokens.getToken())).toMatchObject({ fromCache: true });
    await kept.recheck(true);
    expect((await kept.tokens.getToken()).value).toBe(`at-${grant.requests.length}`);
  });

  it('does not hurry a server that asked to be left alone [R22]', async () => {
    const { kept } = await failed(transient({ code: 'rate_limited', retryAfterMs: 600_000 }));
    await kept.recheck(true);
    expect(await rejection(kept.tokens.getToken())).toMatchObject({ code: 'rate_limited', fromCache: true });
  });
});

describe('signOut()', () => {
  it('is done when the store has it, however long the server takes to revoke [R27]', async () => {
    const clock = virtualClock();
    const store = observedStore(clock);
    const asked: (string | undefined)[] = [];
    const grant = {
      ...scriptedGrant('refreshToken'),
      async revoke({ refreshToken }: { readonly refreshToken?: string | undefined }): Promise<void> {
        asked.push(refreshToken);
        await clock.sleep(3_000);
      },
    };
    const kept = watched({ grant, clock, store });
    await kept.signIn(brought('a', clock.now()));
    const { revoked } = await kept.signOut();
    expect(store.record()).toMatchObject({ ended: 'revoked', tokens: [] });
    const told = watch(revoked);
    await clock.advance(2_999);
    expect([asked, told.settled]).toEqual([['rt-a'], false]);
    await clock.advance(1);
    expect(told.settled).toBe(true);
  });

  it('says that the store could not be written, and revokes and forgets here all the same [R27]', async () => {
    const clock = virtualClock();
    const store = observedStore(clock);
    const asked: (string | undefined)[] = [];
    const grant = {
      ...scriptedGrant('refreshToken'),
      revoke: async ({ refreshToken }: { readonly refreshToken?: string | undefined }) => void asked.push(refreshToken),
    };
    const kept = watched({ grant, clock, store });
    await kept.signIn(brought('a', clock.now()));
    store.beforeSet = () => Promise.reject(new Error('full'));
    expect(await rejection(kept.signOut())).toMatchObject({ code: 'store_unavailable' });
    expect(asked).toEqual(['rt-a']);
    expect(await rejection(kept.tokens.getToken())).toMatchObject({ code: 'login_required' });
  });
});

it('tells subscribers of another user whose tokens look the same from outside [X10, A32]', async () => {
  const clock = virtualClock();
  const kept = watched({ grant: scriptedGrant('refreshToken'), clock, store: observedStore(clock) });
  await kept.signIn({ ...brought('a', clock.now()), lifetimeMs: undefined });
  const seen: number[] = [];
  kept.tokens.subscribe(() => seen.push(kept.record().epoch));
  const { epoch } = kept.record();
  await kept.signIn({ ...brought('b', clock.now()), lifetimeMs: undefined });
  expect(seen).toContain(epoch + 1);
});
