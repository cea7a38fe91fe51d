// An authorization server on this machine, for whoever has none at hand.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAuthorizationServer } from '../demo/authorization-server.ts';

export interface OwnServer {
  /** What the fleet has to know. */
  readonly env: Readonly<Record<string, string>>;
  tokenRequests(): number;
  close(): Promise<void>;
}

export async function startOwnServer(): Promise<OwnServer> {
  const folder = await mkdtemp(join(tmpdir(), 'tokenkeep-fleet-'));
  const secret = randomBytes(24).toString('base64url');
  const { issuer, tokenRequests, close } = await startAuthorizationServer({
    clients: [{ client_id: 'fleet', client_secret: secret, grant_types: ['client_credentials'] }],
    resources: { 'https://orders.example': { scope: 'orders:read' } },
    tokenLifetimeS: 60,
  });
  return {
    env: { ISSUER: issuer, CLIENT_ID: 'fleet', CLIENT_SECRET: secret, RESOURCE: 'https://orders.example', SQLITE_FILE: join(folder, 'fleet.db') },
    tokenRequests,
    async close() {
      await close();
      await rm(folder, { recursive: true });
    },
  };
}
