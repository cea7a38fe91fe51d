// node examples/bff/main.ts: a page without tokens and its backend, with your servers or with servers of its own. See the README.
import { randomBytes } from 'node:crypto';
import { type OwnServers, startOwnServers } from './own-servers.ts';
import { startBackend } from './start.ts';

const { ISSUER, CLIENT_ID = '', CLIENT_SECRET = '', SCOPE = 'openid', RESOURCE, API_URL = '', ORIGIN, PORT = '4790', SQLITE_FILE = ':memory:' } = process.env;
const { STORE_KEY = randomBytes(32).toString('base64url') } = process.env;

const missing = ISSUER ? Object.entries({ CLIENT_ID, CLIENT_SECRET, API_URL }).flatMap(([name, value]) => (value === '' ? name : [])) : [];
if (missing.length > 0) {
  console.error(`Set ${missing.join(', ')} in the environment as well; see examples/bff/README.md.`);
  process.exit(2);
}
let own: OwnServers | undefined;
const backend = await startBackend({
  port: Number(PORT),
  origin: ORIGIN,
  file: SQLITE_FILE,
  storeKey: STORE_KEY,
  async servers(origin) {
    if (ISSUER) return { issuer: ISSUER, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, scope: SCOPE, resource: RESOURCE, apiUrl: API_URL };
    own = await startOwnServers(origin, 60);
    return own.servers;
  },
});
console.log(`A page that holds no token: ${backend.origin}/   Ctrl-C ends it`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    Promise.all([backend.close(), own?.close()]).catch((error: unknown) => console.error(String(error)));
  });
}
