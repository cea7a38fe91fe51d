import { describe, expect, it } from 'vitest';
import { createAccessToken } from '../../../../src/core/access-token.js';
import { dpop } from '../../../../src/protocol/dpop/dpop.js';
import { bindingOf } from '../../../../src/protocol/dpop/token-binding.js';
import { requestUserInfo } from '../../../../src/protocol/authorization/user-info.js';
import type { ServerKnobs } from '../../../../src/testing/index.js';
import { failure } from '../wire.js';
import { signIn, type World, world } from './support.js';

async function ask(here: World, knobs: Partial<ServerKnobs> = {}, sub?: string) {
  const { tokens, idTokenClaims } = await signIn(here);
  here.as.set(knobs);
  const { prove } = bindingOf(here.server);
  const token = createAccessToken(tokens, prove && ((request) => prove(request, here.clock)));
  return requestUserInfo(here.server, token, sub ?? idTokenClaims?.sub ?? '', here.given);
}

describe('UserInfo', () => {
  it('is asked for with the access token in a header, and is about the user of the ID token [A26] [P3]', async () => {
    const here = world();
    const claims = await ask(here);
    expect(claims).toEqual({ sub: 'alice', name: 'User alice' });
    expect(Object.isFrozen(claims)).toBe(true);
    const [request] = here.as.requestsTo('userInfo');
    expect(request?.method).toBe('GET');
    expect(request?.headers.get('authorization')).toMatch(/^Bearer at-/);
    expect(request?.url).toBe('https://as.test/userinfo');
    expect(request?.request).toMatchObject({ redirect: 'manual', cache: 'no-store', credentials: 'omit' });
  });

  it.each(['mallory', 'ALICE', '', null, undefined, 5, ['alice']])('about the user %j is discarded [A26]', async (sub) => {
    for (const userInfoForm of ['json', 'jwt'] as const) {
      const error = await failure(ask(world(), { userInfoForm, userInfoClaims: { sub, email: 'm@example.com' } }));
      expect(error).toMatchObject({ code: 'id_token_rejected', phase: 'user_info' });
      expect(error.message).not.toContain('example.com');
    }
  });

  it('is verified when it is signed [A26]', async () => {
    const here = world();
    expect(await ask(here, { userInfoForm: 'jwt' })).toMatchObject({ sub: 'alice', name: 'User alice' });
    for (const knobs of [
      { idTokenSignature: 'forged' },
      { idTokenSignature: 'none' },
      { userInfoClaims: { iss: 'https://evil.test' } },
      { userInfoClaims: { aud: 'another' } },
      { userInfoClaims: { exp: 5 } },
    ] as const)
      expect(await failure(ask(world(), { userInfoForm: 'jwt', ...knobs }))).toMatchObject({ code: 'id_token_rejected', phase: 'user_info' });
  });

  it('is asked for with a proof where the token is bound to a key [A26] [H22]', async () => {
    const here = world({ dpop: 'required' }, { dpop: dpop() });
    expect(await ask(here)).toMatchObject({ sub: 'alice' });
    expect(here.as.requestsTo('userInfo')[0]?.headers.get('authorization')).toMatch(/^DPoP at-/);
  });

  it('is asked for once more with the nonce that the endpoint wants [H21]', async () => {
    const here = world({ dpop: 'required' }, { dpop: dpop() });
    here.as.forNext(1, { userInfoAnswer: { status: 401, headers: { 'dpop-nonce': 'n-1', 'www-authenticate': 'DPoP error="use_dpop_nonce"' } } }, 'userInfo');
    expect(await ask(here)).toMatchObject({ sub: 'alice' });
    expect(here.as.requestsTo('userInfo')).toHaveLength(2);
  });

  it.each<[string, Partial<ServerKnobs>, object]>([
    ['401', { userInfoAnswer: { status: 401 } }, { code: 'unexpected_status', status: 401 }],
    ['403', { userInfoAnswer: { status: 403 } }, { code: 'unexpected_status', status: 403 }],
    ['500', { userInfoAnswer: { status: 500 } }, { code: 'server_error', kind: 'transient' }],
    ['429', { userInfoAnswer: { status: 429 } }, { code: 'rate_limited', kind: 'transient' }],
    ['HTML', { userInfoAnswer: { status: 200, body: '<html>', contentType: 'text/html' } }, { code: 'invalid_response' }],
    ['a list', { userInfoAnswer: { status: 200, body: '[]', contentType: 'application/json' } }, { code: 'invalid_response' }],
    ['a redirect', { userInfoAnswer: { status: 302, headers: { location: 'https://trap.test/' } } }, { code: 'redirect_refused' }],
  ])('that is answered with %s is a failure of a kind [A26] [P23]', async (_name, knobs, expected) => {
    const here = world();
    expect(await failure(ask(here, knobs))).toMatchObject({ phase: 'user_info', ...expected });
    expect(here.as.requestsTo('trap')).toEqual([]);
  });

  it('may be a megabyte long, and has members that change nothing [P22] [P29]', async () => {
    const body = `{"sub":"alice","picture":"${'x'.repeat(500_000)}","__proto__":{"admin":true},"constructor":1}`;
    const claims = await ask(world(), { userInfoAnswer: { status: 200, body, contentType: 'application/json' } });
    expect(String(claims['picture'])).toHaveLength(500_000);
    expect(claims['admin']).toBeUndefined();
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  it('is given up after 10 s without an answer [R20]', async () => {
    const here = world();
    const { tokens } = await signIn(here);
    const server = { ...here.server, fetch: () => new Promise<Response>(() => undefined) };
    const clock = { ...here.clock, sleep: (ms: number) => (ms === 10_000 ? Promise.resolve() : new Promise<void>(() => undefined)) };
    const asking = requestUserInfo(server, createAccessToken(tokens), 'alice', { ...here.given, clock });
    expect(await failure(asking)).toMatchObject({ code: 'timeout', phase: 'user_info' });
  });

  it('needs an endpoint [S10]', async () => {
    expect(await failure(ask(world({ metadata: { userinfo_endpoint: 'http://as.test/userinfo' } })))).toMatchObject({ code: 'discovery_failed' });
  });
});
