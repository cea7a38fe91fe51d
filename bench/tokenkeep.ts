import { clientCredentials, clientSecretBasic, createTokenManager, memoryStore } from 'tokenkeep';
import { createAuthFetch } from 'tokenkeep/http';
import { createServiceClient } from 'tokenkeep/server';
import { openStore } from '../examples/fleet/open-store.ts';
import { type Client, clientId, clientSecret, type Contestant, type Surroundings } from './contestant.ts';

/** README.md: "createServiceClient". Nothing is tuned. */
function open({ origin }: Surroundings, api: string): Client & { readonly tokens: ReturnType<typeof createServiceClient>['tokens'] } {
  const client = createServiceClient({ issuer: origin, clientId, auth: clientSecretBasic(clientSecret) });
  const http = client.http({ allow: [api], throwHttpErrors: false });
  return {
    tokens: client.tokens,
    getToken: () => client.tokens.getToken(),
    async call(url) {
      const response = await http.get(url);
      await response.text();
      return response.status;
    },
    async hold(count) {
      const grant = clientCredentials({ issuer: origin, clientId, auth: clientSecretBasic(clientSecret) });
      const tokens = createTokenManager({ grant, maxTargets: count });
      for (let serial = 0; serial < count; serial++) await tokens.for({ audience: `https://api-${serial}.test` }).getToken();
      return tokens;
    },
  };
}

const apiOf = ({ origin, inProcess }: Surroundings): string => (inProcess ? 'https://api.test' : origin);

/** Calls through `createHttpClient`, a ky instance. */
export const tokenkeep: Contestant = { open: (surroundings) => open(surroundings, apiOf(surroundings)) };

/** Calls through `createAuthFetch`. */
export const tokenkeepFetch: Contestant = {
  open(surroundings) {
    const client = open(surroundings, apiOf(surroundings));
    const authFetch = createAuthFetch(client.tokens, { allow: [apiOf(surroundings)] });
    return {
      getToken: client.getToken,
      async call(url) {
        const response = await authFetch(url);
        await response.text();
        return response.status;
      },
    };
  },
};

/** The same with a store: docs/guides/stores-on-servers.md. */
export const tokenkeepOver = (kind: string): Contestant => ({
  async open({ origin, stores }) {
    const environment = stores?.[kind];
    const store = environment === undefined ? memoryStore() : (await openStore(environment)).store;
    const start = () => createServiceClient({ issuer: origin, clientId, auth: clientSecretBasic(clientSecret), store }).tokens;
    const tokens = start();
    return { getToken: () => tokens.getToken(), coldToken: () => start().getToken() };
  },
});
