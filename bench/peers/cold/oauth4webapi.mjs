import * as oauth from 'oauth4webapi';
import { report } from '../../cold/report.mjs';

const issuer = new URL(String(process.argv[2]));
const insecure = { [oauth.allowInsecureRequests]: true };
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }));
const client = { client_id: 'bench' };
const response = await oauth.clientCredentialsGrantRequest(server, client, oauth.ClientSecretBasic('secret'), new URLSearchParams(), insecure);
const tokens = await oauth.processClientCredentialsResponse(server, client, response);
if (tokens.access_token) report();
