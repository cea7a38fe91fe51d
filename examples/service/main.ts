// A service that calls a protected API. What it needs to know about tokens is in these lines; the README explains the variables.
import { clientSecretBasic } from 'tokenkeep';
import { createServiceClient } from 'tokenkeep/server';

const { ISSUER = '', CLIENT_ID = '', CLIENT_SECRET = '', API_URL = '', SCOPE, RESOURCE } = process.env;
const missing = Object.entries({ ISSUER, CLIENT_ID, CLIENT_SECRET, API_URL }).flatMap(([name, value]) => (value === '' ? name : []));
if (missing.length > 0) {
  console.error(`Set ${missing.join(', ')} in the environment; see examples/service/README.md.`);
  process.exit(2);
}

await using client = createServiceClient({
  issuer: ISSUER,
  clientId: CLIENT_ID,
  auth: clientSecretBasic(CLIENT_SECRET),
  scope: SCOPE,
  resource: RESOURCE,
});
await client.tokens.ready(); // a wrong secret is found at boot

const api = client.http({ allow: [new URL(API_URL).origin] });
console.log(await api.get(API_URL).text());
