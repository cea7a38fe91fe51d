// Four processes, one token. The first process starts the others; each of them is a whole service of its own.
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { clientSecretBasic } from 'tokenkeep';
import { createServiceClient } from 'tokenkeep/server';
import { openStore } from './open-store.ts';
import { startOwnServer } from './own-server.ts';

const { ISSUER = '', CLIENT_ID = '', CLIENT_SECRET = '', SCOPE, RESOURCE, MEMBER } = process.env;
const isOwn = ISSUER + CLIENT_ID + CLIENT_SECRET === '';
const missing = isOwn ? [] : Object.entries({ ISSUER, CLIENT_ID, CLIENT_SECRET }).flatMap(([name, value]) => (value === '' ? name : []));
if (missing.length > 0) {
  console.error(`Set ${missing.join(', ')} in the environment; see examples/fleet/README.md.`);
  process.exit(2);
}

if (MEMBER === undefined) {
  // Without a server at hand the example brings one, that counts.
  const own = isOwn ? await startOwnServer() : undefined;
  const env = { ...process.env, ...own?.env };
  const members = [1, 2, 3, 4].map((member) => fork(import.meta.filename, { env: { ...env, MEMBER: String(member) } }));
  const codes = await Promise.all(members.map(async (member) => Number((await once(member, 'exit'))[0])));
  process.exitCode = Math.max(...codes);
  if (own) console.log(`the server counted ${own.tokenRequests()} token request${own.tokenRequests() === 1 ? '' : 's'}`);
  await own?.close();
} else {
  const { kind, store, close } = await openStore(process.env);
  const client = createServiceClient({ issuer: ISSUER, clientId: CLIENT_ID, auth: clientSecretBasic(CLIENT_SECRET), scope: SCOPE, resource: RESOURCE, store });
  try {
    const token = await client.tokens.getToken();
    const drawn = client.tokens.explain().some((entry) => entry.type === 'token' && entry.source === 'server');
    const name = createHash('sha256').update(token.value).digest('hex').slice(0, 8);
    console.log(`process ${MEMBER}: token ${name}, ${drawn ? 'drawn from the server' : `read from ${kind}`}`);
  } finally {
    await client.dispose();
    await close();
  }
}
