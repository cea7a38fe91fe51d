import { createTokenManager, none, refreshToken } from 'tokenkeep';
import { fakeAuthorizationServer, virtualClock } from 'tokenkeep/testing';
import { expect, it } from 'vitest';

it.each(['rotate', 'same', 'omit'] as const)('revoke() ends the refresh token at a server whose rotation is: %s, used or not [G11] [R27]', async (rotation) => {
  for (const used of [true, false]) {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, knobs: { rotation, authMethods: ['none'] }, clients: { app: '' } });
    const initial = server.issueRefreshToken({ clientId: 'app' });
    const tokens = createTokenManager({
      grant: refreshToken({ server: server.metadata, clientId: 'app', auth: none(), fetch: server.fetch, refreshToken: initial }),
      clock,
    });
    if (used) await tokens.getToken();
    await tokens.revoke();
    expect(server.isLiveRefreshToken(initial)).toBe(false);
    expect(server.requestsTo('revocation').map(({ params }) => params.get('token_type_hint'))).toEqual(
      used ? ['refresh_token', 'access_token'] : ['refresh_token'],
    );
  }
});
