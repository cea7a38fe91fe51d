// An authorization server and an API on this machine, for whoever has none at hand.
import { randomBytes } from 'node:crypto';
import { type ProtectedApi, startProtectedApi } from '../demo/protected-api.ts';
import { startUserServer, type UserServer } from '../demo/user-server.ts';
import type { Servers } from './start.ts';

export interface OwnServers {
  readonly servers: Servers;
  readonly users: UserServer;
  readonly api: ProtectedApi;
  close(): Promise<void>;
}

export async function startOwnServers(origin: string, tokenLifetimeS: number): Promise<OwnServers> {
  const resource = 'https://orders.example';
  const scope = 'orders:read orders:write';
  const clientSecret = randomBytes(24).toString('base64url');
  const users = await startUserServer({ redirectUris: [`${origin}/callback`], resource, scope, clientSecret, tokenLifetimeS, tokenDelayMs: 50 });
  const api = await startProtectedApi({ issuer: users.issuer, audience: resource, scopes: { read: 'orders:read', write: 'orders:write' } });
  return {
    servers: {
      issuer: users.issuer,
      clientId: 'orders-app',
      clientSecret,
      scope: `openid ${scope}`,
      resource,
      apiUrl: api.url,
      preset: { idTokenAlgorithms: ['ES256'] },
    },
    users,
    api,
    async close() {
      await Promise.all([api.close(), users.close()]);
    },
  };
}
