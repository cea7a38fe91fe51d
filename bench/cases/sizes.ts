import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import type { CaseResult, Row } from '../case-result.ts';
import type { Run } from '../run.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const peers = fileURLToPath(new URL('../peers', import.meta.url));

// The least that gets a token with it; `node` where the package needs Node's modules.
const imports = [
  { name: 'tokenkeep, manager', from: root, code: "export { createTokenManager, clientCredentials, clientSecretBasic } from 'tokenkeep'" },
  {
    name: 'tokenkeep, manager and fetch',
    from: root,
    code: "export { createTokenManager, clientCredentials, clientSecretBasic } from 'tokenkeep'; export { createAuthFetch } from 'tokenkeep/http'",
  },
  { name: 'tokenkeep', from: root, code: "export { clientSecretBasic } from 'tokenkeep'; export { createServiceClient } from 'tokenkeep/server'" },
  { name: 'bare ky', from: root, code: "export { default } from 'ky'" },
  { name: 'openid-client', from: peers, code: "export { discovery, clientCredentialsGrant, fetchProtectedResource, ClientSecretBasic } from 'openid-client'" },
  {
    name: 'oauth4webapi',
    from: peers,
    code: "export { discoveryRequest, processDiscoveryResponse, clientCredentialsGrantRequest, processClientCredentialsResponse, protectedResourceRequest, ClientSecretBasic } from 'oauth4webapi'",
  },
  { name: 'badgateway', from: peers, code: "export { OAuth2Client, OAuth2Fetch } from '@badgateway/oauth2-client'" },
  { name: 'axios-auth-refresh', from: peers, code: "export { default } from 'axios'; export { createAuthRefresh } from 'axios-auth-refresh'" },
  { name: 'google-auth-library', from: peers, code: "export { OAuth2Client } from 'google-auth-library'" },
  { name: 'msal-node', from: peers, code: "export { ConfidentialClientApplication } from '@azure/msal-node'" },
  { name: 'simple-oauth2', from: peers, code: "export { ClientCredentials } from 'simple-oauth2'" },
];

async function bundle(code: string, from: string, platform: 'browser' | 'node'): Promise<Uint8Array> {
  const options = { bundle: true, minify: true, format: 'esm', target: 'es2022', write: false, logLevel: 'silent' } as const;
  const { outputFiles } = await build({ ...options, stdin: { contents: code, resolveDir: from }, platform });
  return outputFiles[0]?.contents ?? new Uint8Array();
}

/** What the import costs a page, or a function that is deployed as one file. */
export async function sizes(_run: Run): Promise<CaseResult> {
  const rows: Row[] = [];
  for (const { name, from, code } of imports) {
    const page = await bundle(code, from, 'browser').catch(() => undefined);
    const contents = page ?? (await bundle(code, from, 'node'));
    rows.push({
      name,
      cells: { gzip: gzipSync(contents, { level: 9 }).length / 1000, minified: contents.length / 1000, platform: page ? 'any' : 'Node only' },
    });
  }
  return {
    id: 'sizes',
    title: 'Size',
    how: 'esbuild, one file, minified, of the exports that get a token and send a call with it; with all dependencies.',
    columns: [
      { key: 'gzip', label: 'kB gzip', digits: 1 },
      { key: 'minified', label: 'kB', digits: 1 },
      { key: 'platform', label: 'runs in', digits: 0 },
    ],
    rows,
    targets: [],
    ranked: 'gzip',
    notes: [],
  };
}
