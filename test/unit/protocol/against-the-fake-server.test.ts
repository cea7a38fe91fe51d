import { describe, expect, it } from 'vitest';
import { clientSecretBasic, clientSecretPost } from '../../../src/protocol/client-auth/client-auth.js';
import { clientCredentials } from '../../../src/protocol/grants/client-credentials.js';
import { refreshToken } from '../../../src/protocol/grants/refresh-token.js';
import { fakeAuthorizationServer } from '../../../src/testing/fake-authorization-server.js';
import { context, failure } from './wire.js';

const clients = { svc: 's3cret:+% /ä' };

describe('the grants against the fake authorization server of the test kit', () => {
  it('discovers, authenticates in both ways, gets a token and revokes it [A27] [P4] [G1] [G11]', async () => {
    const server = fakeAuthorizationServer({ clients });
    for (const auth of [clientSecretBasic(clients.svc), clientSecretPost(clients.svc)]) {
      const grant = clientCredentials({ issuer: server.issuer, clientId: 'svc', auth, fetch: server.fetch, scope: 'read' });
      const given = context();
      const tokens = await grant.request(undefined, given);
      expect(tokens.tokenType).toBe('Bearer');
      await grant.revoke?.(tokens, given);
    }
    expect(server.requests.map(({ endpoint }) => endpoint)).toEqual(['discovery', 'token', 'revocation', 'discovery', 'token', 'revocation']);
  });

  it('is refused with a wrong secret and heals with the right one', async () => {
    const server = fakeAuthorizationServer({ clients });
    let secret = 'wrong';
    const grant = clientCredentials({ issuer: server.issuer, clientId: 'svc', auth: clientSecretBasic(() => secret), fetch: server.fetch });
    expect(await failure(grant.request(undefined, context()))).toMatchObject({ code: 'client_rejected' });
    secret = clients.svc;
    await expect(grant.request(undefined, context())).resolves.toHaveProperty('accessToken');
  });

  it('calls a refresh token that the server does not know a revoked grant [R10]', async () => {
    const server = fakeAuthorizationServer({ clients });
    const grant = refreshToken({
      issuer: server.issuer,
      clientId: 'svc',
      auth: clientSecretBasic(clients.svc),
      fetch: server.fetch,
      refreshToken: 'stranger',
    });
    expect(await failure(grant.request(undefined, context()))).toMatchObject({ code: 'grant_revoked', kind: 'interaction' });
  });
});
