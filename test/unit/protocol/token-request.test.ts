import { describe, expect, it } from 'vitest';
import { clientSecretBasic } from '../../../src/protocol/client-auth.js';
import { clientCredentials } from '../../../src/protocol/client-credentials.js';
import { context, fakeServer, good, json, server } from './wire.js';

describe('the token request', () => {
  it('is a form post that asks for JSON, to the configured endpoint [P1] [P28]', async () => {
    const fake = fakeServer(json({ ...good, scope: 'a b' }));
    const grant = clientCredentials({ server, clientId: 'svc', auth: clientSecretBasic('s3cret'), fetch: fake.fetch, scope: 'a b' });
    const tokens = await grant.request(undefined, context());
    expect(tokens).toMatchObject({ accessToken: 'at-1', tokenType: 'Bearer', lifetimeMs: 3_600_000, scope: ['a', 'b'] });
    const [request] = fake.requests;
    expect(request?.url).toBe(server.token_endpoint);
    expect(request?.init).toMatchObject({ method: 'POST', redirect: 'manual', cache: 'no-store', credentials: 'omit', referrerPolicy: 'no-referrer', mode: 'cors', keepalive: false });
    expect(request?.headers.get('accept')).toBe('application/json');
    expect(request?.headers.get('content-type')).toMatch(/^application\/x-www-form-urlencoded/);
    expect(Object.fromEntries(request?.body ?? [])).toEqual({ grant_type: 'client_credentials', scope: 'a b' });
  });
});
