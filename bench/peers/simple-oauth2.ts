import { type AccessToken, ClientCredentials } from 'simple-oauth2';
import { clientId, clientSecret, type Contestant, marginMs } from '../contestant.ts';

/** simple-oauth2's readme: "Client Credentials Grant" and `accessToken.expired(window)` in front of it. Calls are the application's. */
export const contestant: Contestant = {
  open(surroundings) {
    const client = new ClientCredentials({ client: { id: clientId, secret: clientSecret }, auth: { tokenHost: surroundings.origin, tokenPath: '/token' } });
    let token: AccessToken | undefined;
    const getToken = async (): Promise<string> => {
      if (token === undefined || token.expired(marginMs(surroundings) / 1000)) token = await client.getToken({});
      return String(token.token['access_token']);
    };
    return {
      getToken,
      async call(url) {
        const response = await fetch(url, { headers: { authorization: `Bearer ${await getToken()}` } });
        await response.text();
        return response.status;
      },
      async hold(count) {
        const tokens = new Map<string, AccessToken>();
        for (let serial = 0; serial < count; serial++) tokens.set(`https://api-${serial}.test`, await client.getToken({}));
        return tokens;
      },
    };
  },
};
