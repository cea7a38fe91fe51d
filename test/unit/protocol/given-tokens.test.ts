import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { TokenError } from '../../../src/core/errors.js';
import type { TokenSet } from '../../../src/core/token-set.js';
import { type CustomTokens, customGrant } from '../../../src/protocol/grants/custom-grant.js';
import { type StaticTokenOptions, staticToken } from '../../../src/protocol/grants/static-token.js';
import { context, failure, standingClock, thrown } from './wire.js';

function jwt(exp: number): string {
  return `${btoa('{"alg":"none"}')}.${btoa(JSON.stringify({ exp })).replaceAll('=', '')}.c2ln`;
}

describe('a static token', () => {
  it('lives until the instant that was given, and not past it [G14]', async () => {
    const clock = standingClock();
    const grant = staticToken({ accessToken: 'pat-1', expiresAt: clock.time + 1000, scope: 'a b' });
    expect(grant.renews).toBe('never');
    expect(await grant.request(undefined, context({ clock }))).toMatchObject({
      accessToken: 'pat-1',
      tokenType: 'Bearer',
      lifetimeMs: 1000,
      scope: ['a', 'b'],
    });
    clock.time += 1000;
    expect(await failure(grant.request(undefined, context({ clock })))).toMatchObject({ code: 'static_token_expired', kind: 'terminal' });
  });

  it("goes by a JWT's own exp, and is used until refused where nobody says [G14] [E12] [E6]", async () => {
    const clock = standingClock();
    const grant = staticToken({ accessToken: jwt(clock.time / 1000 + 60) });
    expect((await grant.request(undefined, context({ clock }))).lifetimeMs).toBe(60_000);
    clock.time += 61_000;
    expect(await failure(grant.request(undefined, context({ clock })))).toMatchObject({ code: 'static_token_expired' });
    const month = 30 * 86_400;
    expect((await staticToken({ accessToken: jwt(clock.time / 1000 + month) }).request(undefined, context({ clock }))).lifetimeMs).toBe(month * 1000);
    expect((await staticToken({ accessToken: 'opaque' }).request(undefined, context())).lifetimeMs).toBeUndefined();
  });

  it('has no option for a lifetime without its beginning, nor for an ID token [G14] [G13]', () => {
    for (const options of [{ accessToken: 'x', expiresIn: 3600 }, { accessToken: 'x', expires_in: 3600 }, { idToken: 'x' }]) {
      expect(thrown(() => staticToken(options as unknown as StaticTokenOptions)).code).toBe('invalid_option');
    }
  });

  it.each([
    ['accessToken', { accessToken: '' }],
    ['accessToken', { accessToken: 'a b' }],
    ['accessToken', { accessToken: 'a\r\nb' }],
    ['expiresAt', { accessToken: 'x', expiresAt: Number.NaN }],
    ['expiresAt', { accessToken: 'x', expiresAt: '2030-01-01' }],
    ['tokenType', { accessToken: 'x', tokenType: 'bearer' }],
    ['scope', { accessToken: 'x', scope: 'a"' }],
  ])('refuses a wrong %s at construction [P16]', (name, options) => {
    expect(thrown(() => staticToken(options as unknown as StaticTokenOptions)).message).toContain(`"${name}"`);
  });

  it('shows its token nowhere and shares its id with no other [S6]', () => {
    const [a, b] = [staticToken({ accessToken: 'pat-canary' }), staticToken({ accessToken: 'pat-canary' })];
    expect(a.id).not.toBe(b.id);
    expect(inspect(a, { depth: null, showHidden: true })).not.toContain('canary');
  });
});

describe('a custom grant', () => {
  it('gives the function the current tokens and reads its answer by the same rules [P16] [P17] [P19] [P20]', async () => {
    const seen: unknown[] = [];
    const clock = standingClock();
    const sentAt = clock.time;
    const grant = customGrant(async (current, given) => {
      seen.push(current, given.target);
      clock.time += 50;
      return { accessToken: 'at', expiresInMs: 1500.7, scope: ['a', 'b'], refreshToken: 'rt' };
    });
    const old: TokenSet = { accessToken: 'old', tokenType: 'Bearer', sentAt: 0, lifetimeMs: 1, scope: ['x'] };
    const tokens = await grant.request(old, context({ clock, target: { audience: 'api' } }));
    expect(tokens).toEqual({ accessToken: 'at', tokenType: 'Bearer', sentAt, lifetimeMs: 1500, scope: ['a', 'b'] });
    expect(seen).toEqual([old, { audience: 'api' }]);
  });

  it('keeps a refresh token only where it renews by one [R28] [P21]', async () => {
    const fn = async (): Promise<CustomTokens> => ({ accessToken: 'at', refreshToken: 'rt' });
    expect(await customGrant(fn, { renews: 'refreshToken', id: 'mine' }).request(undefined, context())).toMatchObject({ refreshToken: 'rt' });
    expect(() => customGrant(fn, { renews: 'refreshToken' })).toThrow('option "id"');
    expect(await customGrant(fn).request(undefined, context())).not.toHaveProperty('refreshToken');
  });

  it.each([undefined, null, 5, {}, { accessToken: '' }, { accessToken: 'a b' }, { accessToken: 'a\r\nb' }, { accessToken: 'a', tokenType: 'mac' }])(
    'refuses the answer %j [P16] [P17]',
    async (answer) => {
      expect(await failure(customGrant(async () => answer as CustomTokens).request(undefined, context()))).toMatchObject({ code: 'unacceptable_response' });
    },
  );

  it.each([
    [undefined, undefined],
    [-1, undefined],
    [Number.NaN, undefined],
    ['3600', undefined],
    [0, 0],
    [Number.POSITIVE_INFINITY, 315_360_000_000],
  ])('reads expiresInMs %j as %j [P19] [E6] [E7]', async (expiresInMs, expected) => {
    const grant = customGrant(async () => ({ accessToken: 'at', expiresInMs: expiresInMs as number | undefined }));
    expect((await grant.request(undefined, context())).lifetimeMs).toBe(expected);
  });

  it('passes its TokenErrors and the abort on, and tells of anything else only that it happened [S6]', async () => {
    const own = new TokenError('interaction_required', 'sign in again', { phase: 'token' });
    await expect(customGrant(() => Promise.reject(own)).request(undefined, context())).rejects.toBe(own);
    const error = await failure(
      customGrant(() => {
        throw new Error('canary-secret');
      }).request(undefined, context()),
    );
    expect(error.code).toBe('grant_failed');
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('canary');
    const reason = new Error('time is up');
    await expect(customGrant(() => Promise.reject(new Error('x'))).request(undefined, context({ signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
  });

  it('checks its options, and takes an id that is to be shared', () => {
    const fn = async (): Promise<CustomTokens> => ({ accessToken: 'at' });
    expect(customGrant(fn, { id: 'mine' }).id).toBe('mine');
    expect(customGrant(fn).id).not.toBe(customGrant(fn).id);
    for (const make of [
      () => customGrant('x' as unknown as typeof fn),
      () => customGrant(fn, { id: '' }),
      () => customGrant(fn, { renews: 'never' as 'regrant' }),
      () => customGrant(fn, { name: 'x' } as object),
    ]) {
      expect(thrown(make).code).toBe('invalid_option');
    }
  });
});
