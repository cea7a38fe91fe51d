import * as client from 'openid-client';
import { clientId, clientSecret, type Contestant, marginMs } from '../contestant.ts';

/**
 * openid-client's readme: "Client Credentials Grant" and "fetchProtectedResource", after "discovery". It keeps no token; the
 * cache in front is the obvious one that its users write.
 */
export const contestant: Contestant = {
  async open(surroundings) {
    const { origin } = surroundings;
    const config = await client.discovery(new URL(origin), clientId, clientSecret, client.ClientSecretBasic(clientSecret), {
      execute: [client.allowInsecureRequests],
    });
    let cached: { readonly token: string; readonly renewAt: number } | undefined;
    const getToken = async (): Promise<string> => {
      if (cached !== undefined && Date.now() < cached.renewAt) return cached.token;
      const tokens = await client.clientCredentialsGrant(config);
      cached = { token: tokens.access_token, renewAt: Date.now() + (tokens.expiresIn() ?? 0) * 1000 - marginMs(surroundings) };
      return cached.token;
    };
    return {
      getToken,
      async call(url) {
        const response = await client.fetchProtectedResource(config, await getToken(), new URL(url), 'GET');
        await response.text();
        return response.status;
      },
      async hold(count) {
        const tokens = new Map<string, object>();
        for (let serial = 0; serial < count; serial++)
          tokens.set(`https://api-${serial}.test`, await client.clientCredentialsGrant(config, { audience: `https://api-${serial}.test` }));
        return tokens;
      },
    };
  },
};
