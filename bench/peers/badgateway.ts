import { OAuth2Client, OAuth2Fetch } from '@badgateway/oauth2-client';
import { clientId, clientSecret, type Contestant } from '../contestant.ts';

/** @badgateway/oauth2-client's readme: "Fetch Wrapper" over `client.clientCredentials()`. */
export const contestant: Contestant = {
  open({ origin }) {
    const client = new OAuth2Client({ server: `${origin}/`, clientId, clientSecret, tokenEndpoint: '/token' });
    const wrapper = new OAuth2Fetch({ client, getNewToken: () => client.clientCredentials() });
    return {
      getToken: () => wrapper.getToken(),
      async call(url) {
        const response = await wrapper.fetch(url);
        await response.text();
        return response.status;
      },
      async hold(count) {
        const wrappers = new Map<string, OAuth2Fetch>();
        for (let serial = 0; serial < count; serial++) {
          const resource = `https://api-${serial}.test`;
          const each = new OAuth2Fetch({ client, getNewToken: () => client.clientCredentials({ resource }) });
          await each.getToken();
          wrappers.set(resource, each);
        }
        return wrappers;
      },
    };
  },
};
