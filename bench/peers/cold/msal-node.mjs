import { ConfidentialClientApplication } from '@azure/msal-node';
import { report } from '../../cold/report.mjs';

const authority = 'https://login.bench.test/tenant';
const origin = process.argv[2];
const endpoints = { issuer: authority, token_endpoint: `${origin}/token`, authorization_endpoint: `${origin}/authorize`, jwks_uri: `${origin}/jwks` };
const client = new ConfidentialClientApplication({
  auth: { clientId: 'bench', clientSecret: 'secret', authority, knownAuthorities: ['login.bench.test'], authorityMetadata: JSON.stringify(endpoints) },
  system: { protocolMode: 'OIDC' },
});
const result = await client.acquireTokenByClientCredential({ scopes: ['https://api.test/.default'] });
if (result?.accessToken) report();
