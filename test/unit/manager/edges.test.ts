import { type Lock, localLock, TokenError, type TokenSet } from 'tokenkeep';
import { virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { buildManager } from '../../../src/manager/kept-tokens.js';
import { renew } from '../../../src/manager/renew.js';
import { tokenEndpointQueue } from '../../../src/server/token-endpoint-queue.js';
import { after, hourMs, observedStore, rejection, scriptedGrant, transient, watched } from './support.js';

const never = (): Promise<Partial<TokenSet>> => new Promise(() => undefined);

describe('revoke()', () => {
  it('names the refresh token that only the store knows [R27]', async () => {
    const clock = virtualClock();
    const store = observedStore(clock);
    await watched({ grant: scriptedGrant('refreshToken', { refreshToken: 'rt-2' }), clock, store }).tokens.getToken();
    const revoked: TokenSet[] = [];
    const grant = { ...scriptedGrant('refreshToken'), revoke: async (tokens: TokenSet) => void revoked.push(tokens) };
    await watched({ grant, clock, store }).tokens.revoke();
    expect(revoked).toMatchObject([{ refreshToken: 'rt-2', accessToken: 'at-1' }]);
  });

  it('asks the grant also when no token was ever fetched: it may hold one itself', async () => {
    const revoked: TokenSet[] = [];
    const grant = { ...scriptedGrant('refreshToken'), revoke: async (tokens: TokenSet) => void revoked.push(tokens) };
    const { tokens } = watched({ grant, clock: virtualClock() });
    await tokens.revoke();
    await tokens.revoke();
    expect(revoked).toHaveLength(1);
  });
});

describe('dispose()', () => {
  it('in the turn of construction lets keepFresh send nothing', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    await watched({ grant, clock, keepFresh: true }).tokens.dispose();
    await clock.advance(hourMs);
    expect(grant.requests).toHaveLength(0);
    expect(clock.pending).toBe(0);
  });

  it('while the store is read ends the wait at once, and no interrupted rotation is taken up after it', async () => {
    const clock = virtualClock();
    const store = observedStore(clock);
    const dying = watched({ grant: scriptedGrant('refreshToken', never), clock, store }).tokens;
    dying.getToken().catch(() => undefined);
    await clock.advance(1_000);
    expect(store.record()['pending']).toBeDefined();
    const grant = scriptedGrant('refreshToken');
    const { tokens } = watched({ grant, clock, store });
    store.beforeGet = () => clock.sleep(2_000);
    const waiting = rejection(tokens.getToken());
    await tokens.dispose();
    expect(await waiting).toMatchObject({ code: 'disposed' });
    await clock.advance(10_000);
    expect(grant.requests).toHaveLength(0);
  });
});

describe('keepFresh', () => {
  it('looks again when the store was down at boot', async () => {
    const clock = virtualClock();
    const store = observedStore(clock);
    store.beforeGet = () => Promise.reject(new Error('down'));
    const grant = scriptedGrant('refreshToken');
    const { tokens } = watched({ grant, clock, store, keepFresh: true });
    await clock.advance(60_000);
    expect(grant.requests).toHaveLength(0);
    store.beforeGet = undefined;
    await clock.advance(6_000);
    expect(tokens.peek()?.value).toBe('at-1');
    await tokens.dispose();
  });

  it('asks once a second at most for tokens that are dead on arrival', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', after(10, { lifetimeMs: 5 }));
    const { tokens } = watched({ grant, clock, keepFresh: true });
    await clock.advance(10_000);
    expect(grant.requests.length).toBeLessThanOrEqual(11);
    await tokens.dispose();
  });
});

describe('the bound on targets', () => {
  it('holds again after a burst, and a refusal that lasts keeps no target [R1]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('refreshToken', transient(), new TokenError('interaction_required', 'planned', { phase: 'token' }));
    const { tokens } = watched({ grant, clock, maxTargets: 2 });
    const burst = Array.from({ length: 50 }, (_, index) => tokens.for({ scope: `s${index}` }).getToken());
    await Promise.all([Promise.allSettled(burst), clock.advance(20 * 60_000)]);
    const sent = grant.requests.length;
    // Forgotten targets know of no refusal and ask again; the last two are remembered.
    await Promise.all([rejection(tokens.for({ scope: 's49' }).getToken()), clock.advance(1)]);
    expect(grant.requests).toHaveLength(sent);
    await Promise.all([rejection(tokens.for({ scope: 'one more' }).getToken()), clock.advance(1)]);
    expect(grant.requests).toHaveLength(sent + 1);
    await Promise.all([rejection(tokens.for({ scope: 's1' }).getToken()), clock.advance(1)]);
    expect(grant.requests).toHaveLength(sent + 2);
  });
});

describe('a pause that the token endpoint asked for', () => {
  it('is not ended by the success of a request that was sent before it [R22] [R23]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', after(500), transient({ code: 'rate_limited', retryAfterMs: 120_000 }), {});
    const { tokens } = watched({ grant, clock });
    const early = tokens.for({ scope: 'a' }).getToken();
    await clock.advance(100);
    await rejection(tokens.for({ scope: 'b' }).getToken());
    await clock.advance(1_000);
    await early;
    expect(await rejection(tokens.for({ scope: 'c' }).getToken())).toMatchObject({ code: 'rate_limited', fromCache: true });
    expect(grant.requests).toHaveLength(2);
  });
});

describe('snapshot()', () => {
  it('says that the token has expired, though nothing happened, and tells listeners only of what differs', async () => {
    const clock = virtualClock();
    const { tokens } = watched({ grant: scriptedGrant('regrant'), clock });
    await tokens.getToken();
    expect(tokens.snapshot().status).toBe('ready');
    let calls = 0;
    tokens.subscribe(() => {
      calls++;
    });
    const before = tokens.snapshot();
    await tokens.for({ scope: 'other' }).getToken();
    expect([tokens.snapshot() === before, calls]).toEqual([true, 0]);
    await clock.advance(hourMs);
    expect(tokens.snapshot().status).toBe('empty');
  });
});

describe('a renewal that waits in line behind the callers', () => {
  it('moves up when a caller joins it', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', { lifetimeMs: 10_000 }, never);
    const { tokens: manager } = buildManager({ grant, clock }, { renew, queue: tokenEndpointQueue(), random: () => 0 });
    await manager.getToken();
    // Eight requests that never end within this test take all places.
    for (let index = 0; index < 8; index++)
      manager
        .for({ scope: `busy${index}` })
        .getToken()
        .catch(() => undefined);
    await clock.advance(6_000);
    await manager.getToken();
    await clock.advance(3_000);
    const joined = manager.getToken().catch(() => undefined);
    const later = Array.from({ length: 12 }, (_, index) =>
      manager
        .for({ scope: `later${index}` })
        .getToken()
        .catch(() => undefined),
    );
    await clock.advance(40_000);
    const order = grant.requests.map(({ context }) => context.target.scope?.[0] ?? 'own').slice(1);
    expect(order.find((scope) => !scope.startsWith('busy'))).toBe('own');
    await Promise.all([...later, joined, manager.dispose()]);
  });
});

describe('a lock that fails when it is let go', () => {
  it('takes nothing back: callers get the token', async () => {
    const clock = virtualClock();
    const inner = localLock({ clock });
    const lock: Lock = {
      async run(name, task, options) {
        await inner.run(name, task, options);
        throw new Error('release failed');
      },
    };
    const { tokens } = watched({ grant: scriptedGrant('regrant'), clock, lock });
    expect((await tokens.getToken()).value).toBe('at-1');
  });
});

describe('clear() while a request without answer is in flight', () => {
  it('ends the wait of its callers, and the next caller waits for nobody [R26]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', never, {});
    const { tokens } = watched({ grant, clock });
    const waiting = rejection(tokens.getToken());
    await clock.advance(10);
    await tokens.clear();
    expect(await waiting).toMatchObject({ code: 'session_changed' });
    expect((await tokens.getToken()).value).toBe('at-2');
  });
});

describe('a grant of somebody else', () => {
  it.each([undefined, '', 'two words', 'line\nbreak'])('that gives %j for an access token fails, and shows nothing of it [P16] [S9]', async (accessToken) => {
    const grant = { ...scriptedGrant('regrant'), request: async () => JSON.parse(JSON.stringify({ accessToken, tokenType: 'Bearer', sentAt: 0, scope: [] })) };
    const error = await rejection(watched({ grant, clock: virtualClock() }).tokens.getToken());
    expect(error).toMatchObject({ code: 'unacceptable_response', kind: 'configuration' });
    expect(error.message).not.toContain('line');
  });

  it.each([Number.NaN, -5, undefined])('that gives %s for a lifetime is asked once; its scope cannot be changed later [E6] [S7]', async (lifetimeMs) => {
    const clock = virtualClock();
    const scope = ['a'];
    const grant = scriptedGrant('regrant', { lifetimeMs, scope });
    const { tokens } = watched({ grant, clock, keepFresh: true });
    await clock.advance(hourMs);
    scope.push('b');
    expect((await tokens.getToken()).scope).toEqual(['a']);
    expect(grant.requests).toHaveLength(1);
    await tokens.dispose();
  });

  it('cannot silence the token endpoint for more than an hour [R22]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', transient({ code: 'rate_limited', retryAfterMs: 36_000_000 }), {});
    const { tokens } = watched({ grant, clock });
    await rejection(tokens.getToken());
    await clock.advance(1.2 * hourMs);
    expect((await tokens.getToken()).value).toBe('at-2');
  });
});
