import { OAuth2Client } from 'google-auth-library';
import { clientId, clientSecret, type Contestant, marginMs, type Surroundings } from '../contestant.ts';

/**
 * google-auth-library's readme: "OAuth2 client" with a refresh token and `endpoints`; `forceRefreshOnFailure` renews after a
 * 401, `eagerRefreshThresholdMillis` (5 minutes unless given) is set only where tokens live shorter than that.
 */
export const contestant: Contestant = {
  open(surroundings) {
    const client = clientOf(surroundings);
    return {
      getToken: () => client.getAccessToken(),
      async call(url) {
        const { status } = await client.request({ url, validateStatus: (code: number) => code !== 401 });
        return status;
      },
      async hold(count) {
        const clients = new Map<string, OAuth2Client>();
        for (let serial = 0; serial < count; serial++) {
          const each = clientOf(surroundings);
          await each.getAccessToken();
          clients.set(`https://api-${serial}.test`, each);
        }
        return clients;
      },
    };
  },
};

function clientOf(surroundings: Surroundings): OAuth2Client {
  const { origin, lifetimeS, inProcess } = surroundings;
  const client = new OAuth2Client({
    clientId,
    clientSecret,
    endpoints: { oauth2TokenUrl: `${origin}/token` },
    forceRefreshOnFailure: true,
    ...(lifetimeS <= 300 && { eagerRefreshThresholdMillis: marginMs(surroundings) }),
    // Its own transport is node-fetch; the API that is no server sits behind the global fetch.
    ...(inProcess && { transporterOptions: { fetchImplementation: (input: string | URL, init?: RequestInit) => fetch(input, init) } }),
  });
  client.setCredentials({ refresh_token: 'a-refresh-token' });
  return client;
}
