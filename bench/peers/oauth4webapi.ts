import * as oauth from 'oauth4webapi';
import { clientId, clientSecret, type Contestant, marginMs } from '../contestant.ts';

/** oauth4webapi's example `client_credentials.ts`, by hand, with the obvious cache in front: it keeps no token. */
export const contestant: Contestant = {
  async open(surroundings) {
    const issuer = new URL(surroundings.origin);
    const insecure = { [oauth.allowInsecureRequests]: true };
    const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }));
    const client = { client_id: clientId };
    const auth = oauth.ClientSecretBasic(clientSecret);
    const grant = async (parameters: Record<string, string>) =>
      oauth.processClientCredentialsResponse(
        server,
        client,
        await oauth.clientCredentialsGrantRequest(server, client, auth, new URLSearchParams(parameters), insecure),
      );
    let cached: { readonly token: string; readonly renewAt: number } | undefined;
    const getToken = async (): Promise<string> => {
      if (cached !== undefined && Date.now() < cached.renewAt) return cached.token;
      const result = await grant({});
      cached = { token: result.access_token, renewAt: Date.now() + (result.expires_in ?? 0) * 1000 - marginMs(surroundings) };
      return cached.token;
    };
    return {
      getToken,
      async call(url) {
        const response = await oauth.protectedResourceRequest(await getToken(), 'GET', new URL(url), undefined, undefined, insecure);
        await response.text();
        return response.status;
      },
      async hold(count) {
        const tokens = new Map<string, object>();
        for (let serial = 0; serial < count; serial++) tokens.set(`https://api-${serial}.test`, await grant({ audience: `https://api-${serial}.test` }));
        return tokens;
      },
    };
  },
};
