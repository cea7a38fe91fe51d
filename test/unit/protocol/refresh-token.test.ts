import { inspect } from 'node:util';
import { createTokenManager } from 'tokenkeep';
import { virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import type { Preset } from '../../../src/core/preset.js';
import type { TokenSet } from '../../../src/core/token-set.js';
import { clientSecretPost } from '../../../src/protocol/client-auth/client-auth.js';
import { type RefreshTokenOptions, refreshToken } from '../../../src/protocol/grants/refresh-token.js';
import { type Answer, context, failure, fakeServer, good, json, server, thrown } from './wire.js';

function grantOf(options: Partial<RefreshTokenOptions> = {}, ...answers: Answer[]) {
  const fake = fakeServer(...(answers.length > 0 ? answers : [json(good)]));
  return { fake, grant: refreshToken({ server, clientId: 'app', refreshToken: 'rt-0', fetch: fake.fetch, ...options }) };
}

const current = (rest: Partial<TokenSet> = {}): TokenSet => ({ accessToken: 'at-0', tokenType: 'Bearer', sentAt: 0, lifetimeMs: 1, scope: [], ...rest });

describe('the refresh token grant', () => {
  it('sends the initial refresh token first and the current one afterwards [P21]', async () => {
    const { fake, grant } = grantOf();
    await grant.request(undefined, context());
    await grant.request(current(), context());
    await grant.request(current({ refreshToken: 'rt-1' }), context());
    expect(fake.requests.map(({ body }) => body.get('refresh_token'))).toEqual(['rt-0', 'rt-0', 'rt-1']);
    expect(fake.requests[0]?.body.get('grant_type')).toBe('refresh_token');
    expect(fake.requests[0]?.body.get('client_id')).toBe('app');
  });

  it('answers with a new refresh token, with an equal one, and with none where the server names none [P21]', async () => {
    const { grant } = grantOf(
      {},
      json({ ...good, refresh_token: 'rt-1' }),
      json({ ...good, refresh_token: 'rt-0' }),
      json(good),
      json({ ...good, refresh_token: null }),
      json({ ...good, refresh_token: '' }),
    );
    const answers = [];
    for (let turn = 0; turn < 5; turn++) answers.push(await grant.request(undefined, context()));
    expect(answers.map((tokens) => tokens.refreshToken)).toEqual(['rt-1', 'rt-0', undefined, undefined, undefined]);
    expect(answers[2]).not.toHaveProperty('refreshToken');
  });

  it('hands an ID token on, and takes null and an empty one as absent [P21]', async () => {
    const { grant } = grantOf({}, json({ ...good, id_token: 'a.b.c' }), json({ ...good, id_token: '' }), json({ ...good, id_token: null }));
    expect((await grant.request(undefined, context())).idToken).toBe('a.b.c');
    expect(await grant.request(undefined, context())).not.toHaveProperty('idToken');
    expect(await grant.request(undefined, context())).not.toHaveProperty('idToken');
  });

  it('omits the scope on a plain refresh, sends it where the preset requires it, and what a target asks for [R7]', async () => {
    const plain = grantOf({ scope: 'a b' });
    await plain.grant.request(undefined, context());
    await plain.grant.request(undefined, context({ target: { scope: 'b', resource: 'https://r.example/' } }));
    expect(plain.fake.requests.map(({ body }) => [body.get('scope'), body.get('resource')])).toEqual([
      [null, null],
      ['b', 'https://r.example/'],
    ]);
    const required = grantOf({ scope: 'a b', preset: { scopeOnRefresh: 'required' } });
    await required.grant.request(undefined, context());
    expect(required.fake.requests[0]?.body.get('scope')).toBe('a b');
  });

  it('keeps the scope it has when the answer names none [P20]', async () => {
    expect((await grantOf({ scope: 'a' }).grant.request(undefined, context())).scope).toEqual(['a']);
    expect((await grantOf().grant.request(current({ scope: ['x', 'y'] }), context())).scope).toEqual(['x', 'y']);
    expect((await grantOf().grant.request(undefined, context({ target: { scope: 'z' } }))).scope).toEqual(['z']);
  });

  it('calls a refused refresh token a revoked grant [R10]', async () => {
    expect(await failure(grantOf({}, json({ error: 'invalid_grant' }, 400)).grant.request(undefined, context()))).toMatchObject({
      code: 'grant_revoked',
      kind: 'interaction',
    });
  });

  it.each([
    { refresh_token_expires_in: 60 },
    { refresh_expires_in: 60 },
    { refresh_expires_in: 0 },
    { x_refresh_token_expires_in: 60 },
    { refresh_token_expires_in: 'soon' },
    { refresh_token_expires_in: -1 },
  ])('is sent a year later too, whatever end of the refresh token the server named: %j [E14]', async (named) => {
    const clock = virtualClock();
    const { fake, grant } = grantOf({}, json({ ...good, ...named, refresh_token: 'rt-1' }), json({ ...good, access_token: 'at-2' }));
    const tokens = createTokenManager({ grant, clock });
    expect((await tokens.getToken()).value).toBe('at-1');
    await clock.advance(365 * 24 * 3_600_000);
    expect((await tokens.getToken()).value).toBe('at-2');
    expect(fake.requests.map(({ body }) => body.get('refresh_token'))).toEqual(['rt-0', 'rt-1']);
  });

  it('has an identity that tells refresh tokens apart and gives none away [S6]', async () => {
    const [a, b, c] = [grantOf().grant, grantOf().grant, grantOf({ refreshToken: 'rt-other' }).grant];
    expect(a.id).toBe(b.id);
    expect(await a.identity?.()).toBe(await b.identity?.());
    expect(await a.identity?.()).not.toBe(await c.identity?.());
    expect(inspect(a, { depth: null, showHidden: true }) + a.id + (await a.identity?.())).not.toContain('rt-0');
  });

  it('says that it keeps its refresh token only where the preset promises it', () => {
    expect(grantOf().grant).toMatchObject({ renews: 'refreshToken', keepsRefreshToken: false });
    expect(grantOf({ preset: { rotation: 'optional' } }).grant.keepsRefreshToken).toBe(false);
    expect(grantOf({ preset: { rotation: 'none' } }).grant.keepsRefreshToken).toBe(true);
  });

  it.each([undefined, '', 5, 'a\nb'])('refuses the refresh token %j at construction [G14]', (token) => {
    const error = thrown(() => refreshToken({ server, clientId: 'app', refreshToken: token as string, auth: clientSecretPost('s') }));
    expect(error.code).toBe('invalid_option');
    expect(error.message).toContain('refreshToken');
  });
});

describe('a refresh token whose end is fixed', () => {
  const hourMs = 3_600_000;
  const dayMs = 24 * hourMs;

  /** A token that lives an hour, or `step` hours, and is wanted that often: the hours of `reauth_soon`, and those that it names. */
  async function hoursOfNews(preset: Preset, members: (atMs: number) => object, hours: number, step = 1): Promise<readonly (readonly [number, number])[]> {
    const clock = virtualClock();
    const began = clock.now();
    let turn = 0;
    const { grant } = grantOf({ preset }, () => {
      turn++;
      return json({ ...good, expires_in: 3_600 * step, access_token: `at-${turn}`, refresh_token: `rt-${turn}`, ...members(clock.now() - began) })();
    });
    const heard: (readonly [number, number])[] = [];
    const tokens = createTokenManager({
      grant,
      clock,
      onEvent: (event) => void (event.type === 'reauth_soon' && heard.push([(event.at - began) / hourMs, (event.expiresAt - began) / hourMs])),
    });
    for (let hour = 0; hour < hours; hour += step) {
      await tokens.getToken();
      await clock.advance(step * hourMs);
    }
    return heard;
  }
  const left = (lifeMs: number) => (atMs: number) => ({ refresh_token_expires_in: (lifeMs - atMs) / 1000 });

  it('is told of once, with a tenth of its life left: 24 hours of a single-page app at Microsoft Entra [R31, E14]', async () => {
    expect(await hoursOfNews({ sliding: false }, left(dayMs), 24)).toEqual([[22, 24]]);
  });

  it('is told of a day before, where a tenth is longer: six months at Spotify, which says nothing itself [R31]', async () => {
    const days = 182;
    expect(await hoursOfNews({ sliding: false, absoluteLifetimeMs: days * dayMs }, () => ({}), days * 24, 12)).toEqual([[(days - 1) * 24, days * 24]]);
  });

  it('keeps what the server said at the beginning, and never again [R31]', async () => {
    expect(await hoursOfNews({ sliding: false }, (atMs) => (atMs === 0 ? { refresh_token_expires_in: 100 * 3_600 } : {}), 100)).toEqual([[90, 100]]);
  });

  it('is told of beside an idle life that each use renews, where the preset names the whole one [R31]', async () => {
    expect(await hoursOfNews({ absoluteLifetimeMs: 50 * hourMs }, () => ({ refresh_expires_in: 1_800 }), 50)).toEqual([[45, 50]]);
  });

  it.each([
    ['each use puts it off, which is the rule', {}, () => ({ refresh_token_expires_in: 86_400 })],
    ['the server says 0, for a token that does not end', { sliding: false }, () => ({ refresh_expires_in: 0 })],
    ['nobody says when it ends', { sliding: false }, () => ({})],
    ['the server talks nonsense', { sliding: false }, () => ({ refresh_token_expires_in: 'soon' })],
  ] satisfies [string, Preset, () => object][])('is not told of where %s [R31, E14]', async (_why, preset, members) => {
    expect(await hoursOfNews(preset, members, 48)).toEqual([]);
  });
});
