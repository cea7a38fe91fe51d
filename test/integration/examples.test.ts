import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ProtectedApi, startProtectedApi } from '../../examples/demo/protected-api.js';
import { runNode } from '../support/run.js';
import { oddClient, orders, startTestServer, type TestServer } from './support/authorization-server.js';

describe('examples/service', () => {
  const program = 'examples/service/main.ts';
  let server: TestServer;
  let api: ProtectedApi;
  let env: Record<string, string>;
  beforeAll(async () => {
    server = await startTestServer();
    api = await startProtectedApi({ issuer: server.issuer, audience: orders, scopes: { read: 'api:read', write: 'api:write' } });
    env = {
      ISSUER: server.issuer,
      CLIENT_ID: oddClient.id,
      CLIENT_SECRET: oddClient.secret,
      API_URL: `${api.url}/orders`,
      RESOURCE: orders,
      SCOPE: 'api:read',
    };
  });
  afterAll(() => Promise.all([api.close(), server.close()]));

  it('prints what the API answers, and ends', async () => {
    const { code, output } = await runNode([program], { env });
    expect({ code, answer: JSON.parse(output) }).toMatchObject({ code: 0, answer: { path: '/orders', client: oddClient.id } });
  });

  it('names the variables that are missing', async () => {
    const { code, output } = await runNode([program], { env: { ISSUER: server.issuer, CLIENT_ID: '', CLIENT_SECRET: '', API_URL: api.url } });
    expect(code).toBe(2);
    expect(output).toBe('Set CLIENT_ID, CLIENT_SECRET in the environment; see examples/service/README.md.\n');
  });

  it('ends with the reason when the secret is wrong, and does not show it [S6]', async () => {
    const { code, output } = await runNode([program], { env: { ...env, CLIENT_SECRET: 'a-wrong-secret-0815' } });
    expect(code).toBe(1);
    expect(output).toMatch(/invalid_client/);
    expect(output).not.toContain('a-wrong-secret');
    expect(output).not.toContain(btoa(`${oddClient.id}:a-wrong-secret-0815`).slice(8, 40));
  });
});

describe('examples/demo', () => {
  it('says in one line how it is used when it does not know a flag', async () => {
    const { code, output } = await runNode(['examples/demo/main.ts', '--twice']);
    expect(code).toBe(2);
    expect(output).toMatch(/^usage: npm start [^\n]+\n$/);
  });
});
