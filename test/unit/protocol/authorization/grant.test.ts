import { describe, expect, it } from 'vitest';
import { checkTokenParameters } from '../../../../src/core/token-parameters.js';
import type { TokenSet } from '../../../../src/core/token-set.js';
import { createTokenManager } from '../../../../src/manager/create-token-manager.js';
import { type AuthorizationCodeOptions, authorizationCode } from '../../../../src/protocol/grants/authorization-code.js';
import { signedInGrant } from '../../../../src/protocol/authorization/signed-in-grant.js';
import { dpop } from '../../../../src/protocol/dpop/dpop.js';
import { memoryStore } from '../../../../src/storage/memory.js';
import { fakeAuthorizationServer, type ServerKnobs, virtualClock } from '../../../../src/testing/index.js';
import { context, failure, server as metadata, thrown } from '../wire.js';
import { begin, redirectUri, signIn, visit, type World, world } from './support.js';

const grantOf = (here: World, scope = 'openid') => signedInGrant(here.server, checkTokenParameters({ scope }));

/** A sign-in, and what its first refresh comes to under some knobs. */
async function refreshed(knobs: Partial<ServerKnobs>, here = world()) {
  const { tokens } = await signIn(here);
  here.as.set(knobs);
  const grant = grantOf(here);
  return { here, tokens, refresh: (current: TokenSet = tokens) => grant.request(current, here.given) };
}

describe('the grant of somebody who signed in', () => {
  it('renews with the refresh token of the current set, and takes over what the answer brings [A25]', async () => {
    const { here, tokens, refresh } = await refreshed({});
    const renewed = await refresh();
    expect(here.as.requestsTo('token')[1]?.params.get('refresh_token')).toBe(tokens.refreshToken);
    expect(renewed.refreshToken).not.toBe(tokens.refreshToken);
    expect(renewed.idToken).toMatch(/^eyJ/);
    expect(renewed.idToken).not.toBe(tokens.idToken);
    expect((await refresh(renewed)).refreshToken).toMatch(/^rt-/);
  });

  it.each<[string, Partial<ServerKnobs>]>([
    ['the nonce of the sign-in', {}],
    ['no nonce', { idTokenClaims: { nonce: undefined } }],
    ['no auth_time', { idTokenClaims: { auth_time: undefined } }],
    ['no ID token', { idToken: 'atSignIn' }],
  ])('is content with %s [A25]', async (_name, knobs) => {
    const { here, refresh } = await refreshed(knobs);
    await refresh();
    expect(here.given.events).toEqual([]);
  });

  it('ends when the refreshed ID token is about another user: everything is dropped, the new tokens revoked [A25]', async () => {
    const { here, refresh } = await refreshed({ idTokenClaims: { sub: 'mallory' } });
    expect(await failure(refresh())).toMatchObject({ code: 'grant_revoked', kind: 'interaction', phase: 'id_token' });
    expect(here.as.requestsTo('revocation')).toHaveLength(2);
  });

  it('ends so too when the other user’s token cannot be verified [A25]', async () => {
    const { refresh } = await refreshed({ idTokenClaims: { sub: 'mallory' }, idTokenSignature: 'forged' });
    expect(await failure(refresh())).toMatchObject({ code: 'grant_revoked' });
  });

  it.each<[string, Partial<ServerKnobs>]>([
    ['iss', { idTokenClaims: { iss: 'https://evil.test' } }],
    ['aud', { idTokenClaims: { aud: 'another' } }],
    ['nonce', { idTokenClaims: { nonce: 'another' } }],
    ['auth_time', { idTokenClaims: { auth_time: 5 } }],
    ['exp', { idTokenClaims: { exp: 5 } }],
    ['at_hash', { idTokenClaims: { at_hash: 'x' } }],
    ['signature', { idTokenSignature: 'forged' }],
    ['alg', { idTokenSignature: 'none' }],
    ['form', { members: { id_token: 'not a token' } }],
    ['keys', { signingKey: 'another', jwksAnswer: { status: 500 } }],
  ])('drops a refreshed ID token with a wrong %s, with a warning; the new tokens are kept [A25] [R6]', async (_name, knobs) => {
    const here = world();
    const { tokens, refresh } = await refreshed(knobs, here);
    here.clock.time += 31_000;
    const renewed = await refresh();
    expect(renewed.refreshToken).toMatch(/^rt-/);
    expect(renewed.refreshToken).not.toBe(tokens.refreshToken);
    expect(renewed).not.toHaveProperty('idToken');
    expect(here.given.events).toMatchObject([{ type: 'warning', code: 'id_token_dropped' }]);
  });

  it('does not wait long for keys when a new refresh token is at hand [A25] [R20]', async () => {
    const here = world();
    const { refresh } = await refreshed({}, here);
    here.clock.time += 601_000;
    const slow = here.as.fetch;
    const server = {
      ...here.server,
      fetch: ((input, init) => (String(input).endsWith('/jwks') ? new Promise(() => undefined) : slow(input, init))) as typeof fetch,
    };
    let wake = () => {};
    const clock = {
      ...here.clock,
      now: here.clock.now,
      monotonicMs: here.clock.monotonicMs,
      sleep: (ms: number) => (ms === 2_000 ? new Promise<void>((resolve) => (wake = resolve)) : new Promise<void>(() => undefined)),
    };
    const { tokens } = await signIn(here);
    const renewing = signedInGrant(server, checkTokenParameters({ scope: 'openid' })).request(tokens, { ...here.given, clock });
    const before = here.as.tokenRequests;
    while (here.as.tokenRequests === before) await new Promise((resolve) => setImmediate(resolve));
    const waking = setInterval(() => wake(), 1);
    const renewed = await renewing;
    clearInterval(waking);
    expect(renewed.refreshToken).toMatch(/^rt-/);
    expect(renewed).not.toHaveProperty('idToken');
    expect(refresh).toBeDefined();
  });

  it('asks for the keys beside the tokens, and not at all where refreshes bring no ID token [A24] [A25]', async () => {
    const here = world();
    const { tokens } = await signIn(here);
    const grant = grantOf(here);
    const asked = async (current: TokenSet) => {
      here.clock.time += 601_000;
      here.as.clearRequests();
      const renewed = await grant.request(current, here.given);
      return { renewed, endpoints: here.as.requests.map(({ endpoint }) => endpoint) };
    };
    const first = await asked(tokens);
    expect(first.endpoints).toEqual(['jwks', 'token']);
    here.as.set({ idToken: 'atSignIn' });
    const second = await asked(first.renewed);
    const third = await asked({ ...second.renewed, idToken: tokens.idToken });
    expect(third.endpoints).toEqual(['token']);
  });

  it('has nothing to renew with where nobody signed in, or no refresh token was given', async () => {
    const here = world();
    const { tokens } = await signIn(here);
    expect(await failure(grantOf(here).request(undefined, here.given))).toMatchObject({ code: 'login_required', kind: 'interaction' });
    expect(await failure(grantOf(here).request({ ...tokens, refreshToken: undefined }, here.given))).toMatchObject({ code: 'login_required' });
    expect(here.as.tokenRequests).toBe(1);
  });

  it('has an id of server, client and what is asked for, and says whether its refresh token stays', () => {
    const [one, two, three] = [grantOf(world()), grantOf(world()), grantOf(world(), 'openid email')];
    expect(one.id).toBe(two.id);
    expect(one.id).not.toBe(three.id);
    expect(one).toMatchObject({ renews: 'refreshToken', keepsRefreshToken: false });
    expect(grantOf(world({}, { preset: { rotation: 'none' } })).keepsRefreshToken).toBe(true);
  });

  it('hands the access token out and never the ID token, to callers, APIs or UserInfo [G13]', async () => {
    const here = world();
    const { tokens } = await signIn(here);
    const manager = createTokenManager({ grant: { ...grantOf(here), request: () => Promise.resolve(tokens) }, clock: here.clock });
    const token = await manager.getToken();
    expect(token.value).toBe(tokens.accessToken);
    expect((await token.headers({ method: 'GET', url: 'https://api.test/' })).get('authorization')).toBe(`Bearer ${tokens.accessToken}`);
    for (let object: object | null = token; object !== null && object !== Object.prototype; object = Object.getPrototypeOf(object))
      for (const name of Reflect.ownKeys(object)) expect(String(name).toLowerCase()).not.toContain('idtoken');
    await manager.dispose();
  });
});

describe('the authorization code grant', () => {
  async function codeOf(here: World, scope = 'openid'): Promise<AuthorizationCodeOptions> {
    const begun = await begin(here, { scope });
    const code = new URL(await visit(here, begun)).searchParams.get('code') ?? '';
    const { codeVerifier, nonce } = begun.transaction;
    return { issuer: here.as.issuer, clientId: 'app', fetch: here.as.fetch, code, redirectUri, codeVerifier, nonce, scope };
  }

  it('redeems its code at the first request and refreshes afterwards, under a manager [A11] [A21]', async () => {
    const clock = virtualClock();
    const as = fakeAuthorizationServer({ clock });
    const here = { ...world({}, { fetch: as.fetch }), as };
    const tokens = createTokenManager({ grant: authorizationCode(await codeOf(here)), clock });
    const [first, same] = await Promise.all([tokens.getToken(), tokens.getToken()]);
    expect(first).toBe(same);
    await clock.advance(3_600_000);
    const renewed = tokens.getToken();
    await clock.advance(0);
    expect((await renewed).value).not.toBe(first?.value);
    expect(as.requestsTo('token').map(({ params }) => params.get('grant_type'))).toEqual(['authorization_code', 'refresh_token']);
    await tokens.dispose();
  });

  it('does not send its code again under a manager that would try three times [A11] [R20]', async () => {
    const clock = virtualClock();
    const as = fakeAuthorizationServer({ clock });
    const here = { ...world({}, { fetch: as.fetch }), as };
    const tokens = createTokenManager({ grant: authorizationCode(await codeOf(here)), clock });
    as.set({ connection: 'dropAfterCommit' });
    const asking = failure(tokens.getToken());
    await clock.advance(60_000);
    expect(await asking).toMatchObject({ code: 'code_lost', kind: 'interaction' });
    await clock.advance(600_000);
    await failure(tokens.getToken());
    expect(as.tokenRequests).toBe(1);
    await tokens.dispose();
  });

  it('keeps the tokens of two codes apart in one store [R1]', async () => {
    const here = world();
    const store = memoryStore({ clock: here.clock });
    const [one, two] = [authorizationCode(await codeOf(here)), authorizationCode(await codeOf(here))];
    expect(one.id).toBe(two.id);
    expect(await one.identity?.()).not.toBe(await two.identity?.());
    const managers = [one, two].map((grant) => createTokenManager({ grant, store, clock: here.clock }));
    const tokens = await Promise.all(managers.map((manager) => manager.getToken()));
    expect(tokens[0]?.value).not.toBe(tokens[1]?.value);
    await Promise.all(managers.map((manager) => manager.dispose()));
  });

  it('tells its record by code and key, and gives neither away [R1] [S6]', async () => {
    const here = world();
    const options = await codeOf(here);
    const [plain, bound] = [authorizationCode(options), authorizationCode({ ...options, dpop: dpop() })];
    expect(await plain.identity?.()).not.toBe(await bound.identity?.());
    expect(JSON.stringify([plain.id, await plain.identity?.()])).not.toContain(options.code);
  });

  it.each<[string, Partial<AuthorizationCodeOptions>]>([
    ['code', { code: '' }],
    ['redirectUri', { redirectUri: '/cb' }],
    ['codeVerifier', { codeVerifier: '' }],
    ['nonce', { scope: 'openid', nonce: undefined }],
  ])('names %s when it cannot be [A12]', (option, rest) => {
    const error = thrown(() => authorizationCode({ server: metadata, clientId: 'app', code: 'c', redirectUri, ...rest }));
    expect(error).toMatchObject({ code: 'invalid_option' });
    expect(error.message).toContain(option);
  });

  it('asks the manager for nothing where the code gave no refresh token: a new sign-in is needed', async () => {
    const here = world({ members: { refresh_token: undefined } });
    const grant = authorizationCode(await codeOf(here, 'api:read'));
    const tokens = await grant.request(undefined, here.given);
    expect(await failure(grant.request(tokens, context({ clock: here.clock })))).toMatchObject({ code: 'login_required' });
  });
});
