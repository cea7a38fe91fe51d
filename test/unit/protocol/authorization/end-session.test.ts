import { describe, expect, it } from 'vitest';
import { endSessionUrl } from '../../../../src/protocol/authorization/end-session.js';
import { signIn, world } from './support.js';

const everything = { idTokenHint: 'a.b.c', postLogoutRedirectUri: 'https://app.example/bye', state: 's' };

describe('the URL of a sign-out at the provider', () => {
  it('names the session, the client, the way back and the state [A29]', async () => {
    const here = world();
    const url = new URL((await endSessionUrl(here.server, everything, here.given)) ?? '');
    expect(`${url.origin}${url.pathname}`).toBe('https://as.test/logout');
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: 'app',
      id_token_hint: 'a.b.c',
      post_logout_redirect_uri: 'https://app.example/bye',
      state: 's',
    });
    expect(await here.as.visit(url.href)).toBe('https://app.example/bye?state=s');
  });

  it('leaves out what is not known, and keeps a query of the endpoint [A29]', async () => {
    const here = world({ metadata: { end_session_endpoint: 'https://as.test/logout?p=policy' } });
    const { tokens } = await signIn(here);
    const url = new URL((await endSessionUrl(here.server, { idTokenHint: tokens.idToken }, here.given)) ?? '');
    expect(Object.fromEntries(url.searchParams)).toEqual({ p: 'policy', client_id: 'app', id_token_hint: tokens.idToken });
  });

  it('is in the form of a provider that has one of its own [A29]', async () => {
    const logout = { url: 'https://pool.auth.example.com/logout', clientIdParam: 'client_id', redirectParam: 'logout_uri' };
    const cognito = world({}, { preset: { logout } });
    expect(await endSessionUrl(cognito.server, everything, cognito.given)).toBe(
      'https://pool.auth.example.com/logout?client_id=app&logout_uri=https%3A%2F%2Fapp.example%2Fbye',
    );
    expect(cognito.as.requests).toEqual([]);
    const auth0 = world({}, { preset: { logout: { ...logout, url: 'https://t.example.com/v2/logout', redirectParam: 'returnTo' } } });
    expect(await endSessionUrl(auth0.server, {}, auth0.given)).toBe('https://t.example.com/v2/logout?client_id=app');
  });

  it('is none where the provider has none [A29]', async () => {
    for (const here of [world({ metadata: { end_session_endpoint: undefined } }), world({}, { preset: { logout: 'none' } })])
      expect(await endSessionUrl(here.server, everything, here.given)).toBeUndefined();
  });
});
