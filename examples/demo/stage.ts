import { randomBytes } from 'node:crypto';
import { type AuthorizationServer, startAuthorizationServer } from './authorization-server.ts';
import { type ProtectedApi, startProtectedApi } from './protected-api.ts';
import type { ServiceOptions } from './service.ts';

/** What the service finds when it starts: an authorization server that knows it, and an API that wants tokens. */
export interface Stage {
  readonly server: AuthorizationServer;
  readonly api: ProtectedApi;
  readonly account: Pick<ServiceOptions, 'issuer' | 'clientId' | 'clientSecret' | 'resource' | 'apiUrl'>;
  close(): Promise<void>;
}

const resource = 'https://orders.example';
const clientId = 'order-report';

export async function startStage(options: { readonly tokenLifetimeS: number; readonly tokenDelayMs: number }): Promise<Stage> {
  const clientSecret = randomBytes(24).toString('base64url');
  const server = await startAuthorizationServer({
    clients: [{ client_id: clientId, client_secret: clientSecret, grant_types: ['client_credentials'] }],
    resources: { [resource]: { scope: 'orders:read' } },
    ...options,
  });
  const api = await startProtectedApi({ issuer: server.issuer, audience: resource, scopes: { read: 'orders:read', write: 'orders:write' } });
  return {
    server,
    api,
    account: { issuer: server.issuer, clientId, clientSecret, resource, apiUrl: api.url },
    async close() {
      await Promise.all([api.close(), server.close()]);
    },
  };
}
