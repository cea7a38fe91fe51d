import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clientSecretBasic } from 'tokenkeep';
import { createServiceClient } from 'tokenkeep/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runNode } from '../support/run.js';
import { basicClient, ledger, startTestServer, type TestServer } from './support/authorization-server.js';
import { fetchThrough, startForwardingProxy } from './support/forwarding-proxy.js';
import { issueCertificate } from '../support/certificates.js';

const getToken = 'test/integration/fixtures/get-token.ts';
const credentials = { CLIENT_ID: basicClient.id, CLIENT_SECRET: basicClient.secret };

describe('behind a proxy', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server.close());

  it('every request to the authorization server goes through the `fetch` that was given', async () => {
    await using proxy = await startForwardingProxy();
    await using client = createServiceClient({
      issuer: server.issuer,
      clientId: basicClient.id,
      auth: clientSecretBasic(basicClient.secret),
      resource: ledger,
      fetch: fetchThrough(proxy.url),
    });
    server.log.length = 0;
    const token = await client.tokens.getToken();
    await client.tokens.getToken({ invalidToken: token });
    await client.tokens.revoke();
    expect(proxy.carried.map((line) => line.replace(server.issuer, '').replace(/\/\.well-known\/.*/, '/.well-known'))).toEqual([
      'GET /.well-known',
      'POST /token',
      'POST /token',
      'POST /token/revocation',
    ]);
    expect(server.log).toHaveLength(proxy.carried.length);
  });

  it('that the environment names, the default fetch uses it', async () => {
    await using proxy = await startForwardingProxy();
    const env = { ...credentials, ISSUER: server.issuer, NODE_USE_ENV_PROXY: '1', HTTP_PROXY: proxy.url, http_proxy: proxy.url, NO_PROXY: '', no_proxy: '' };
    expect(await runNode([getToken], { env })).toEqual({ code: 0, output: 'got a Bearer token\n' });
    expect(proxy.carried.length).toBeGreaterThan(0);
  });
});

describe('a server whose certificate comes from an authority of one’s own', () => {
  let server: TestServer;
  let folder: string;
  let caFile: string;
  beforeAll(async () => {
    const tls = issueCertificate();
    server = await startTestServer({ tls });
    folder = await mkdtemp(join(tmpdir(), 'tokenkeep-'));
    caFile = join(folder, 'ca.pem');
    await writeFile(caFile, tls.cert);
  });
  afterAll(() => Promise.all([server.close(), rm(folder, { recursive: true })]));

  it('is refused as long as nobody vouches for it, as a transient failure [R10]', async () => {
    const env = { ...credentials, ISSUER: server.issuer };
    expect(await runNode([getToken], { env })).toEqual({ code: 0, output: 'transient network_error\n' });
    expect(server.log).toEqual([]);
  });

  it('is used once that authority is named to Node', async () => {
    const env = { ...credentials, ISSUER: server.issuer, NODE_EXTRA_CA_CERTS: caFile };
    expect(server.issuer).toMatch(/^https:/);
    expect(await runNode([getToken], { env })).toEqual({ code: 0, output: 'got a Bearer token\n' });
    expect(server.log).toContain('POST /token');
  });
});
