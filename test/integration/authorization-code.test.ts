import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAccessToken } from '../../src/core/access-token.js';
import type { GrantContext } from '../../src/core/grant.js';
import { systemClock } from '../../src/core/system-clock.js';
import { checkTokenParameters } from '../../src/core/token-parameters.js';
import type { SignInOptions } from '../../src/protocol/authorization/sign-in-options.js';
import { authorizationRequest } from '../../src/protocol/authorization/authorization-request.js';
import { readAuthorizationResponse } from '../../src/protocol/authorization/authorization-response.js';
import { type AuthorizationServerOptions, checkAuthorizationServer } from '../../src/protocol/issuer/authorization-server.js';
import { redeemCode } from '../../src/protocol/authorization/redeem-code.js';
import { clientSecretBasic } from '../../src/protocol/client-auth/client-auth.js';
import { signedInGrant } from '../../src/protocol/authorization/signed-in-grant.js';
import { dpop } from '../../src/protocol/dpop/dpop.js';
import { endSessionUrl } from '../../src/protocol/authorization/end-session.js';
import { requestUserInfo } from '../../src/protocol/authorization/user-info.js';
import { shiftedClock } from './support/shifted-clock.js';
import { api, browser, redirectUri, startSignInServer } from './support/sign-in-server.js';

let as: Awaited<ReturnType<typeof startSignInServer>>;
beforeAll(async () => {
  as = await startSignInServer();
});
afterAll(() => as.close());
beforeEach(() => {
  as.log.length = 0;
  as.refusals.length = 0;
});

const preset = { idTokenAlgorithms: ['ES256'] };
const contextOf = (clock = systemClock): GrantContext => ({ target: {}, clock, signal: new AbortController().signal, report: () => undefined });

function client(options: Partial<AuthorizationServerOptions> = {}) {
  return checkAuthorizationServer('test', { issuer: as.issuer, clientId: 'spa', preset, ...options }, []);
}

async function signIn(server = client(), options: SignInOptions = { scope: 'openid' }, { user = browser(), given = contextOf() } = {}) {
  const { transaction, url } = await authorizationRequest(server, options, { redirectUri }, given);
  const sent = await url(given);
  const response = readAuthorizationResponse(await user.visit(sent), transaction, given.clock);
  const redeem = () => redeemCode(server, transaction, response, given);
  return { server, user, transaction, response, url: new URL(sent), given, redeem, ...(await redeem()) };
}

describe('the code flow with oidc-provider', () => {
  it('signs a public client in with PKCE, state, nonce and iss, and refreshes with rotation [A2] [A5] [A6] [A12] [A21] [A25]', async () => {
    const { server, tokens, idTokenClaims, transaction, given } = await signIn(client(), { scope: 'openid api:read', resource: api });
    expect(transaction.isIssuerNamed).toBe(true);
    expect(idTokenClaims).toMatchObject({ iss: as.issuer, sub: 'alice', aud: 'spa', nonce: transaction.nonce });
    expect(tokens.scope).toContain('api:read');
    const grant = signedInGrant(server, checkTokenParameters({ scope: 'openid', resource: api }));
    const second = await grant.request(tokens, given);
    const third = await grant.request(second, given);
    expect(new Set([tokens, second, third].map(({ refreshToken }) => refreshToken)).size).toBe(3);
    expect(third.idToken).toMatch(/^eyJ/);
    expect(as.refusals).toEqual([]);
    // A second use of a refresh token is what the server ends a grant for.
    await expect(grant.request(tokens, given)).rejects.toMatchObject({ code: 'grant_revoked' });
    expect(as.refusals).toEqual(['refresh token already used']);
  });

  it('signs a confidential client in, with PKCE too [A2] [P4]', async () => {
    const { idTokenClaims, url } = await signIn(client({ clientId: 'web', auth: clientSecretBasic('secret-of-the-web-app') }));
    expect(idTokenClaims?.aud).toBe('web');
    expect(url.searchParams.get('code_challenge_method')).toBe('S256');
  });

  it('pushes the request for a client that has to [A14]', async () => {
    const { idTokenClaims, url } = await signIn(client({ clientId: 'pushing' }), { scope: 'openid', pushed: true });
    expect(idTokenClaims?.aud).toBe('pushing');
    expect([...url.searchParams.keys()]).toEqual(['client_id', 'request_uri']);
    expect(as.log).toContain('POST /request');
  });

  it('reads a response from the fragment [A13]', async () => {
    expect((await signIn(client(), { scope: 'openid', responseMode: 'fragment' })).idTokenClaims?.sub).toBe('alice');
  });

  it('sends a code once: a second use would have ended the grant [A11]', async () => {
    const { redeem, tokens, server, given, transaction, response } = await signIn();
    await redeem();
    expect(as.log.filter((line) => line === 'POST /token')).toHaveLength(1);
    const grant = signedInGrant(server, checkTokenParameters({ scope: 'openid' }));
    const renewed = await grant.request(tokens, given);
    await expect(redeemCode({ ...server }, transaction, response, given)).rejects.toMatchObject({ code: 'grant_revoked' });
    await expect(grant.request(renewed, given)).rejects.toMatchObject({ code: 'grant_revoked' });
  });

  it('hears from a server that wants the user, and from one that has them [A17] [A16]', async () => {
    const silently = { scope: 'openid', prompt: 'none' };
    await expect(signIn(client(), silently)).rejects.toMatchObject({ code: 'interaction_required', oauthError: 'login_required', kind: 'interaction' });
    const { user } = await signIn();
    expect((await signIn(client(), silently, { user })).idTokenClaims?.sub).toBe('alice');
  });

  it('checks the age of the sign-in that the server tells of [A16]', async () => {
    const { idTokenClaims, user } = await signIn(client(), { scope: 'openid', maxAgeMs: 3_600_000 });
    expect(idTokenClaims?.auth_time).toBeTypeOf('number');
    await expect(signIn(client(), { scope: 'openid', maxAgeMs: 0 }, { user })).resolves.toHaveProperty('tokens');
  });

  it('signs in a user whose clock is an hour off [E13]', async () => {
    for (const ms of [3_600_000, -3_600_000]) {
      const clock = shiftedClock();
      clock.advance(ms);
      expect((await signIn(client(), { scope: 'openid' }, { given: contextOf(clock) })).idTokenClaims?.sub).toBe('alice');
    }
  });

  it('binds code and tokens to a key, and asks for the user’s claims with it [A26] [H22]', async () => {
    const server = client({ clientId: 'bound', dpop: dpop() });
    const { tokens, url, given, idTokenClaims } = await signIn(server, { scope: 'openid email' });
    expect(url.searchParams.get('dpop_jkt')).toMatch(/^[\w-]{43}$/);
    expect(tokens.tokenType).toBe('DPoP');
    const grant = signedInGrant(server, checkTokenParameters({ scope: 'openid email' }));
    const token = createAccessToken(tokens, grant.prove && ((request) => grant.prove?.(request, given.clock) ?? Promise.reject(new Error('no key'))));
    expect(await requestUserInfo(server, token, idTokenClaims?.sub ?? '', given)).toEqual({ sub: 'alice', email: 'alice@example.com' });
    expect((await grant.request(tokens, given)).tokenType).toBe('DPoP');
  });

  it('asks for the user’s claims with a bearer token, and takes nobody else’s [A26]', async () => {
    const { server, tokens, given } = await signIn(client(), { scope: 'openid email' });
    const token = createAccessToken(tokens);
    expect(await requestUserInfo(server, token, 'alice', given)).toMatchObject({ email: 'alice@example.com' });
    await expect(requestUserInfo(server, token, 'bob', given)).rejects.toMatchObject({ code: 'id_token_rejected', phase: 'user_info' });
    await signedInGrant(server, checkTokenParameters({})).revoke?.(tokens, given);
    await expect(requestUserInfo(server, token, 'alice', given)).rejects.toMatchObject({ status: 401 });
  });

  it('names an address where the user signs out there too [A29]', async () => {
    const { server, tokens, given, user } = await signIn();
    const url = await endSessionUrl(server, { idTokenHint: tokens.idToken, postLogoutRedirectUri: 'http://localhost:4711/bye', state: 's' }, given);
    expect(await user.visit(url ?? '')).toMatch(/^200 [\s\S]*<form/);
  });
});
