import { clientCredentials, clientSecretBasic, createTokenManager, isTokenError } from 'tokenkeep';
import { createIntrospector } from 'tokenkeep/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basicClient, ledger, orders, startTestServer, type TestServer } from './support/authorization-server.js';

describe('introspection at oidc-provider', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ tokenLifetimeS: 60 });
  });
  afterAll(() => server.close());

  const client = () => ({ issuer: server.issuer, clientId: basicClient.id, auth: clientSecretBasic(basicClient.secret) });

  it('tells of an opaque token until it is revoked, and remembers for as long as it is told [G10]', async () => {
    await using tokens = createTokenManager({ grant: clientCredentials({ ...client(), resource: ledger, scope: 'api:read' }) });
    const token = await tokens.getToken();
    const careful = createIntrospector({ ...client(), cacheMs: 0 });
    const answer = await careful.introspect(token);
    expect(answer).toMatchObject({ active: true, scope: ['api:read'], claims: { client_id: basicClient.id, iss: server.issuer, aud: ledger } });
    expect(Math.abs((answer.expiresAt ?? 0) - (token.expiresAt ?? 0))).toBeLessThan(2_000);
    const remembering = createIntrospector(client());
    await remembering.introspect(token);
    await tokens.revoke();
    expect((await careful.introspect(token)).active).toBe(false);
    expect((await remembering.introspect(token)).active).toBe(true);
    expect(await careful.introspect('never-issued')).toMatchObject({ active: false });
  });

  it('fails for a JWT, which this server does not introspect, and for a wrong secret [G10]', async () => {
    await using tokens = createTokenManager({ grant: clientCredentials({ ...client(), resource: orders, scope: 'api:read' }) });
    const codeOf = async (options: Parameters<typeof createIntrospector>[0], token: string): Promise<unknown> => {
      const error = await createIntrospector(options)
        .introspect(token)
        .catch((caught: unknown) => caught);
      return isTokenError(error) ? [error.code, error.oauthError, error.phase] : error;
    };
    expect(await codeOf(client(), (await tokens.getToken()).value)).toEqual(['unknown_error', 'unsupported_token_type', 'introspection']);
    expect(await codeOf({ ...client(), auth: clientSecretBasic('wrong') }, 'token')).toEqual(['client_rejected', 'invalid_client', 'introspection']);
  });
});
