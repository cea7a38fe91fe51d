import { createServer, type RequestListener } from 'node:http';
import type { Provider } from 'oidc-provider';
import { type AuthorizationServer, startAuthorizationServer } from '../demo/authorization-server.ts';

export const clientId = 'living-room';

/**
 * An authorization server on this machine that knows one device. Who opens its page and enters the code is signed in as Alice
 * without a password. Its tokens live 4 seconds.
 */
export async function startDeviceServer(): Promise<AuthorizationServer> {
  let provider: Provider | undefined;
  const signIn: RequestListener = (request, response) => {
    if (provider) finish(provider, request, response).catch(() => response.writeHead(400).end('Start again on your device.'));
  };
  const server = await startAuthorizationServer({
    clients: [
      {
        client_id: clientId,
        client_name: 'the living room',
        token_endpoint_auth_method: 'none',
        grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
      },
    ],
    resources: {},
    tokenLifetimeS: 4,
    configuration: {
      ttl: { AccessToken: 4, RefreshToken: 3600, Grant: 3600, DeviceCode: 600, IdToken: 300, Session: 600, Interaction: 600 },
      rotateRefreshToken: () => true,
      issueRefreshToken: async () => true,
      findAccount: async (_context: unknown, accountId: string) => ({ accountId, claims: async () => ({ sub: accountId }) }),
      interactions: { url: (_context: unknown, { uid }: { readonly uid: string }) => `/interaction/${uid}` },
      features: { deviceFlow: { enabled: true }, revocation: { enabled: true, allowedPolicy: () => true } },
    },
    createServer: (listener) => createServer((request, response) => (request.url?.startsWith('/interaction/') ? signIn : listener)(request, response)),
  });
  provider = server.provider;
  return server;
}

async function finish(provider: Provider, ...exchange: Parameters<RequestListener>): Promise<void> {
  const { prompt, params } = await provider.interactionDetails(...exchange);
  const result = prompt.name === 'login' ? { login: { accountId: 'alice' } } : { consent: { grantId: await consent(provider, params) } };
  await provider.interactionFinished(...exchange, result, { mergeWithLastSubmission: true });
}

function consent({ Grant }: Provider, params: { readonly client_id: string; readonly scope?: string }): Promise<string> {
  const grant = new Grant({ clientId: params.client_id, accountId: 'alice' });
  grant.addOIDCScope(params.scope ?? '');
  return grant.save();
}
