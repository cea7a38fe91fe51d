import * as client from 'openid-client';
import { report } from '../../cold/report.mjs';

const config = await client.discovery(new URL(String(process.argv[2])), 'bench', 'secret', client.ClientSecretBasic('secret'), {
  execute: [client.allowInsecureRequests],
});
const tokens = await client.clientCredentialsGrant(config);
if (tokens.access_token) report();
