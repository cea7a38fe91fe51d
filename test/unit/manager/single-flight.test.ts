import { localLock, memoryStore, type TokenTarget } from 'tokenkeep';
import { createAuthFetch } from 'tokenkeep/http';
import { virtualClock } from 'tokenkeep/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { after, hourMs, rejection, scriptedGrant, signedIn, transient, watch, watched } from './support.js';

const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);

beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', onUnhandled);
});

afterEach(() => {
  process.off('unhandledRejection', onUnhandled);
});

async function unhandledRejections(): Promise<readonly unknown[]> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  return unhandled;
}

describe('one renewal for all who ask', () => {
  it('gives a thousand callers one request and one token [R2]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', after(1_000));
    const { tokens } = watched({ grant, clock });
    const answers = Promise.all(Array.from({ length: 1_000 }, () => tokens.getToken()));
    await clock.advance(1_000);
    expect(new Set(await answers).size).toBe(1);
    expect(grant.requests).toHaveLength(1);
  });

  it('gives a thousand callers one and the same error object [R2]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', transient());
    const { tokens } = watched({ grant, clock });
    const errors = await Promise.all(Array.from({ length: 1_000 }, () => rejection(tokens.getToken())));
    expect(new Set(errors).size).toBe(1);
    expect(grant.requests).toHaveLength(3);
  });

  it('is for callers that come a while after it began, too [R2]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', after(9_000));
    const { tokens } = watched({ grant, clock });
    const waits = [];
    for (let second = 0; second < 9; second++) {
      waits.push(tokens.getToken());
      await clock.advance(1_000);
    }
    expect(new Set(await Promise.all(waits)).size).toBe(1);
    expect(grant.requests).toHaveLength(1);
  });

  it('is not forgotten by what else happens meanwhile: a store that is read again, a page that comes back, a timer [R2, peer P12]', async () => {
    const { clock, server, tokens, recheck } = signedIn({ knobs: { latencyAfterMs: 5_000 }, manager: { keepFresh: true } });
    const first = tokens.getToken();
    await clock.advance(5_000);
    const invalidToken = await first;
    const answers = [tokens.getToken({ invalidToken }), tokens.getToken({ invalidToken })];
    await clock.advance(1_000);
    await recheck();
    answers.push(tokens.getToken({ invalidToken }));
    await recheck(true);
    await clock.advance(1_000);
    answers.push(tokens.getToken({ invalidToken }));
    await clock.advance(3_000);
    expect(new Set((await Promise.all(answers)).map(({ value }) => value)).size).toBe(1);
    expect(server.tokenRequests).toBe(2);
  });

  it('answers fifty late 401s for one token with one renewal [R4, gap 1, peer P6, peer P7]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', {}, after(15));
    const { tokens } = watched({ grant, clock });
    const invalidToken = await tokens.getToken();
    const answers = [];
    for (let call = 0; call < 50; call++) {
      answers.push(tokens.getToken({ invalidToken }));
      await clock.advance(10);
    }
    expect(new Set((await Promise.all(answers)).map((token) => token.value))).toEqual(new Set(['at-2']));
    expect(grant.requests).toHaveLength(2);
  });

  it('brings fifty API calls with a revoked token, refused over half a second, to 50 × 200 by one renewal [gap 1, R29, complaint 6, peer P8]', async () => {
    const { clock, server, tokens } = signedIn({ knobs: { apiLatencyMs: [0, 500], refreshEndsAccessTokens: true, latencyAfterMs: 15 } });
    const first = tokens.getToken();
    await clock.advance(15);
    const { value } = await first;
    const api = createAuthFetch(tokens, { allow: ['https://api.test'], fetch: server.fetch, clock });
    const refused = Array.from({ length: 50 }, () => api('https://api.test/things'));
    server.revokeAccessToken(value);
    await clock.advance(2_000);
    expect((await Promise.all(refused)).map((response) => response.status)).toEqual(Array.from({ length: 50 }, () => 200));
    expect(server.tokenRequests).toBe(2);
    expect(server.requestsTo('api')).toHaveLength(100);
  });

  it('does not ask again when the refused token was replaced already [R4, R29]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock });
    const old = await tokens.getToken();
    await tokens.getToken({ invalidToken: old });
    for (let call = 0; call < 20; call++) expect((await tokens.getToken({ invalidToken: old })).value).toBe('at-2');
    expect(grant.requests).toHaveLength(2);
  });

  it('renews the token that everybody shares when a joined caller was refused it while a background renewal ran [peer P2, R4]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', {}, after(1_000));
    const { tokens } = watched({ grant, clock });
    const invalidToken = await tokens.getToken();
    await clock.advance(hourMs - 30_000);
    await tokens.getToken();
    const refused = tokens.getToken({ invalidToken });
    await clock.advance(1_000);
    expect((await refused).value).toBe('at-2');
    expect(grant.requests).toHaveLength(2);
  });

  it("ends one caller's wait by its signal, with the signal's own reason, and no other's [R25, gap 2, peer P1]", async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', after(1_000));
    const { tokens } = watched({ grant, clock });
    const controller = new AbortController();
    const reason = new Error('navigated away');
    const aborted = tokens.getToken({ signal: controller.signal });
    const others = Promise.all(Array.from({ length: 9 }, () => tokens.getToken({ signal: new AbortController().signal })));
    await clock.advance(500);
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    expect(watch(others).settled).toBe(false);
    await clock.advance(500);
    expect(new Set((await others).map((token) => token.value))).toEqual(new Set(['at-1']));
    expect(grant.requests).toHaveLength(1);
    expect(grant.requests[0]?.context.signal.aborted).toBe(false);
  });

  it('goes on when every caller has left, and stores what came of it [R25, gap 2]', async () => {
    const { clock, server, store, tokens } = signedIn({ knobs: { latencyAfterMs: 1_000 } });
    const controller = new AbortController();
    const waits = Array.from({ length: 10 }, () => tokens.getToken({ signal: controller.signal }));
    const outcomes = Promise.allSettled(waits);
    await clock.advance(500);
    expect(server.tokenRequests).toBe(1);
    controller.abort(new Error('gone'));
    expect((await outcomes).map((outcome) => outcome.status)).toEqual(Array.from({ length: 10 }, () => 'rejected'));
    await clock.advance(500);
    expect(server.isLiveRefreshToken(String(store.record()['refreshToken']))).toBe(true);
    expect(tokens.peek()).toBeDefined();
    expect(server.tokenRequests).toBe(1);
  });

  it("keeps no caller's signal: an abort long after the answer hurts no later renewal [complaint 12]", async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock });
    const controller = new AbortController();
    await tokens.getToken({ signal: controller.signal });
    controller.abort();
    await clock.advance(hourMs);
    expect((await tokens.getToken()).value).toBe('at-2');
  });

  it('rejects a call whose signal is aborted already, and starts nothing [R25]', async () => {
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock: virtualClock() });
    const reason = new Error('too late');
    await expect(tokens.getToken({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(grant.requests).toHaveLength(0);
  });

  it.each([
    ['slow', after(15_000)],
    ['unreachable', transient()],
  ])('behind the callers is awaited by nobody: a %s server adds no latency to a valid token [peer P18, gap 15, E2]', async (_how, step) => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', { lifetimeMs: 2 * hourMs }, step);
    const { tokens } = watched({ grant, clock, skewMs: hourMs });
    await tokens.getToken();
    await clock.advance(hourMs + 1);
    const before = clock.now();
    expect((await tokens.getToken()).value).toBe('at-1');
    expect((await tokens.getToken()).value).toBe('at-1');
    expect(clock.now()).toBe(before);
    await clock.advance(0);
    expect(grant.requests).toHaveLength(2);
    await clock.advance(60_000);
    expect(await unhandledRejections()).toEqual([]);
  });

  it('behind the callers may fail until the token expires, and nobody hears an unhandled rejection [peer P3, gap 15]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', {}, transient());
    const { tokens } = watched({ grant, clock });
    await tokens.getToken();
    await clock.advance(hourMs - 60_000);
    for (let second = 0; second < 55; second++) {
      await tokens.getToken();
      await clock.advance(1_000);
    }
    await clock.advance(hourMs);
    expect(grant.requests.length).toBeGreaterThan(2);
    expect(await unhandledRejections()).toEqual([]);
  });

  it('leaves no unhandled rejection when all callers left and it fails afterwards [R25, peer P3]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', async (_current, context) => {
      await context.clock.sleep(100);
      throw transient();
    });
    const { tokens } = watched({ grant, clock });
    const controller = new AbortController();
    const left = tokens.getToken({ signal: controller.signal }).catch(() => undefined);
    await clock.advance(50);
    controller.abort();
    await left;
    await clock.advance(60_000);
    expect(await unhandledRejections()).toEqual([]);
  });

  it('serves the token at once while a renewal behind the callers runs, and the new one after it [E2]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', {}, after(3_000));
    const { tokens } = watched({ grant, clock });
    await tokens.getToken();
    await clock.advance(hourMs - 60_000);
    expect((await Promise.all(Array.from({ length: 500 }, () => tokens.getToken()))).every((token) => token.value === 'at-1')).toBe(true);
    await clock.advance(3_000);
    expect((await tokens.getToken()).value).toBe('at-2');
    expect(grant.requests).toHaveLength(2);
  });

  it('is shared by ten managers with the same configuration and store, cold and warm [gap 15, R5, X19]', async () => {
    const clock = virtualClock();
    const store = memoryStore({ clock });
    const grants = Array.from({ length: 10 }, () => scriptedGrant('regrant', after(200)));
    const managers = grants.map((grant) => watched({ grant, clock, store }).tokens);
    const requests = (): number => grants.reduce((sum, grant) => sum + grant.requests.length, 0);
    const round = async (): Promise<Set<string>> => {
      const answers = Promise.all(Array.from({ length: 1_000 }, (_, call) => managers[call % 10]?.getToken()));
      await clock.advance(10_000);
      return new Set((await answers).map((token) => token?.value ?? ''));
    };
    expect((await round()).size).toBe(1);
    expect(requests()).toBe(1);
    await clock.advance(hourMs);
    expect((await round()).size).toBe(1);
    expect(requests()).toBe(2);
  });

  it('is each manager’s own where there is no shared store [X19, X27]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    const managers = Array.from({ length: 10 }, () => watched({ grant, clock }).tokens);
    await Promise.all(managers.map((tokens) => tokens.getToken()));
    expect(grant.requests).toHaveLength(10);
  });

  it('of two users in parallel managers on one store never mixes them [X27, X2]', async () => {
    const clock = virtualClock();
    const first = signedIn({ clock });
    const second = signedIn({ clock, store: first.store });
    const [a, b] = await Promise.all([first.tokens.getToken(), second.tokens.getToken()]);
    expect(a.value).not.toBe(b.value);
    expect(first.store.contents.size).toBe(2);
    await clock.advance(hourMs);
    const [nextA, nextB] = await Promise.all([first.tokens.getToken(), second.tokens.getToken()]);
    expect(new Set([a.value, b.value, nextA.value, nextB.value]).size).toBe(4);
    expect([first.server.tokenRequests, second.server.tokenRequests]).toEqual([2, 2]);
  });
});

describe('a target', () => {
  it('is the same however its scopes are ordered or repeated [R1]', async () => {
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock: virtualClock() });
    const values = new Set<string>();
    for (const scope of ['a b', 'b a', ['a', 'b'], ['b', 'a', 'b']]) values.add((await tokens.for({ scope }).getToken()).value);
    expect(values.size).toBe(1);
    expect(grant.requests).toHaveLength(1);
  });

  it.each<[string, TokenTarget, TokenTarget]>([
    ['resource', { resource: 'https://a.test' }, { resource: 'https://b.test' }],
    ['audience', { audience: 'a' }, { audience: 'b' }],
    ['scope', { scope: 'a' }, { scope: 'a b' }],
    ['params', { params: { tenant: 'a' } }, { params: { tenant: 'b' } }],
    ['the word for it', { scope: 'a' }, { audience: 'a' }],
  ])('with another %s has a token of its own [R1, gap 3]', async (_what, one, other) => {
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock: virtualClock() });
    const [a, b, again] = [await tokens.for(one).getToken(), await tokens.for(other).getToken(), await tokens.for(one).getToken()];
    expect([a.value, b.value, again.value]).toEqual(['at-1', 'at-2', 'at-1']);
    expect(grant.requests.map((request) => request.context.target)).toEqual([expect.objectContaining(normal(one)), expect.objectContaining(normal(other))]);
  });

  it('with claims never joins a renewal that does not carry them [gap 3, peer P2]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', {}, after(1_000));
    const { tokens } = watched({ grant, clock });
    await tokens.getToken();
    await clock.advance(hourMs - 30_000);
    await tokens.getToken();
    const challenged = tokens.for({ params: { claims: '{"acrs":"c1"}' } }).getToken();
    await clock.advance(2_000);
    await challenged;
    expect(grant.requests.map((request) => request.context.target.params?.['claims'])).toEqual([undefined, undefined, '{"acrs":"c1"}']);
  });

  it('without anything in it is the manager’s own [R1]', async () => {
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock: virtualClock() });
    expect(await tokens.for({}).getToken()).toBe(await tokens.getToken());
  });

  it('beyond the bound pushes the least recently used one out [R1]', async () => {
    const grant = scriptedGrant('regrant');
    const { tokens } = watched({ grant, clock: virtualClock(), maxTargets: 2 });
    const ask = async (scope: string): Promise<string> => (await tokens.for({ scope }).getToken()).value;
    await ask('a');
    await ask('b');
    await ask('a');
    await ask('c');
    expect(grant.requests).toHaveLength(3);
    expect(await ask('a')).toBe('at-1');
    expect(grant.requests).toHaveLength(3);
    expect(await ask('b')).toBe('at-4');
  });

  it('in flight stays beyond the bound [R1]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', after(1_000));
    const { tokens } = watched({ grant, clock, maxTargets: 1 });
    const first = tokens.for({ scope: 'a' }).getToken();
    const others = [tokens.for({ scope: 'b' }).getToken(), tokens.for({ scope: 'c' }).getToken()];
    const again = tokens.for({ scope: 'a' }).getToken();
    await clock.advance(1_000);
    expect(await again).toBe(await first);
    await Promise.all(others);
    expect(grant.requests).toHaveLength(3);
  });

  it('that cools down stays beyond the bound [R1, R24]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', transient(), transient(), transient(), {});
    const { tokens } = watched({ grant, clock, maxTargets: 1 });
    await rejection(tokens.for({ scope: 'a' }).getToken());
    await tokens.for({ scope: 'b' }).getToken();
    expect(await rejection(tokens.for({ scope: 'a' }).getToken())).toMatchObject({ code: 'network_error', fromCache: true });
    expect(grant.requests).toHaveLength(4);
  });

  it('of a grant without refresh token is renewed beside the others [R3]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', after(1_000));
    const { tokens } = watched({ grant, clock });
    const both = Promise.all([tokens.for({ scope: 'a' }).getToken(), tokens.for({ scope: 'b' }).getToken()]);
    await clock.advance(1_000);
    await both;
    expect(grant.requests.map((request) => request.at)).toEqual([clock.now() - 1_000, clock.now() - 1_000]);
  });

  it('of one refresh token waits for the other: two requests in a row, the second with the rotated one [R3]', async () => {
    const { clock, server, store, tokens } = signedIn({ knobs: { latencyAfterMs: 1_000 } });
    const both = Promise.all([tokens.for({ resource: 'https://a.test' }).getToken(), tokens.for({ resource: 'https://b.test' }).getToken()]);
    await clock.advance(2_000);
    const [a, b] = await both;
    expect(a.value).not.toBe(b.value);
    const sent = server.requestsTo('token');
    expect(sent.map((request) => request.params.get('resource'))).toEqual(['https://a.test', 'https://b.test']);
    expect(new Set(sent.map((request) => request.params.get('refresh_token'))).size).toBe(2);
    expect(server.stats).toMatchObject({ parallelRefreshes: 1, reuses: 0 });
    expect(store.contents.size).toBe(1);
  });

  it('of two managers with the same id and lock but different grants stays apart [X2, R30]', async () => {
    const clock = virtualClock();
    const store = memoryStore({ clock });
    const lock = localLock({ clock });
    const one = watched({ grant: { ...scriptedGrant('regrant', { accessToken: 'of-one' }), id: 'one' }, clock, store, lock });
    const other = watched({ grant: { ...scriptedGrant('regrant', { accessToken: 'of-other' }), id: 'other' }, clock, store, lock });
    expect((await one.tokens.getToken()).value).toBe('of-one');
    expect((await other.tokens.getToken()).value).toBe('of-other');
  });
});

// Lists are handed to grants as lists.
function normal(target: TokenTarget): object {
  const { resource, scope, ...rest } = target;
  return { ...rest, ...(resource !== undefined && { resource: [resource] }), ...(scope !== undefined && { scope: String(scope).split(' ') }) };
}
