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

describe('examples/device', () => {
  const program = 'examples/device/main.ts';

  it('shows a QR code and a code, signs in when it is approved elsewhere, renews, and signs out [G4] [G5]', async () => {
    const { code, output } = await runNode([program, '--approve']);
    expect(code, output).toBe(0);
    expect(output).toMatch(/█▀|▀█/);
    expect(output).toMatch(/Open http:\/\/127\.0\.0\.1:\d+\/device on any device and enter {2}[A-Z]{4}-[A-Z]{4}\n/);
    const [, first, second] = /Token (#\w{6}) is good for 4 s\.\nRenewed without you: (#\w{6}), 4 s\.\nSigned out\.\n$/.exec(output) ?? [];
    expect(first).not.toBe(second);
    expect(second).toBeDefined();
  });

  it('says why it is not signed in when the user declines [G4]', async () => {
    const { code, output } = await runNode([program, '--deny']);
    expect(code).toBe(1);
    expect(output).toContain('Not signed in (login_required): the user declined');
  });

  it('says in one line how it is used when it does not know a flag', async () => {
    const { code, output } = await runNode([program, '--twice']);
    expect(code).toBe(2);
    expect(output).toMatch(/^usage: node examples\/device\/main\.ts [^\n]+\n$/);
  });
});

describe('examples/demo', () => {
  it('says in one line how it is used when it does not know a flag', async () => {
    const { code, output } = await runNode(['examples/demo/main.ts', '--twice']);
    expect(code).toBe(2);
    expect(output).toMatch(/^usage: npm start [^\n]+\n$/);
  });
});

describe('examples/accounts', () => {
  it('connects customers, survives a process that is killed in mid-refresh, and refuses somebody else’s reconnect [A32, R14]', async () => {
    const { code, output } = await runNode(['examples/accounts/main.ts']);
    expect(code, output).toBe(0);
    const [, killed = '', after = ''] = output.split(/A process was killed.*\n|Another one went on with it:\n/);
    expect(killed).toMatch(/acme +renewing/);
    expect(after).toMatch(/acme +healthy[\s\S]*Mallory is not Bob: subject_mismatch/);
    expect(after.slice(after.indexOf('Corp has'))).not.toMatch(/corp/);
  });
});

describe('examples/fleet', () => {
  it('brings a server of its own that counts, when none is named: one request for four processes', async () => {
    const { code, output } = await runNode(['examples/fleet/main.ts']);
    expect(code, output).toBe(0);
    expect([output.match(/drawn from the server/g)?.length, output.match(/read from SQLite/g)?.length]).toEqual([1, 3]);
    expect(output).toContain('the server counted 1 token request\n');
  });

  it('names the variables that are missing when one is there', async () => {
    const { code, output } = await runNode(['examples/fleet/main.ts'], { env: { ISSUER: 'http://127.0.0.1:1' } });
    expect([code, output]).toEqual([2, 'Set CLIENT_ID, CLIENT_SECRET in the environment; see examples/fleet/README.md.\n']);
  });
});

describe('examples/bff', () => {
  it('names the variables that are missing when one is there', async () => {
    const { code, output } = await runNode(['examples/bff/main.ts'], { env: { ISSUER: 'http://127.0.0.1:1', CLIENT_ID: 'orders' } });
    expect([code, output]).toEqual([2, 'Set CLIENT_SECRET, API_URL in the environment as well; see examples/bff/README.md.\n']);
  });
});
