import { ConfidentialClientApplication } from '@azure/msal-node';
import { clientId, clientSecret, type Contestant } from '../contestant.ts';

/**
 * @azure/msal-node's readme: `acquireTokenByClientCredential` before each call, for an authority of the `OIDC` protocol mode. It
 * wants https, so the authority has a name that is never looked up and its metadata is given.
 */
export const contestant: Contestant = {
  open({ origin }) {
    const authority = 'https://login.bench.test/tenant';
    const endpoints = { issuer: authority, token_endpoint: `${origin}/token`, authorization_endpoint: `${origin}/authorize`, jwks_uri: `${origin}/jwks` };
    const open = () =>
      new ConfidentialClientApplication({
        auth: { clientId, clientSecret, authority, knownAuthorities: ['login.bench.test'], authorityMetadata: JSON.stringify(endpoints) },
        system: { protocolMode: 'OIDC' },
      });
    const client = open();
    const getToken = async (): Promise<string> => {
      const result = await client.acquireTokenByClientCredential({ scopes: ['https://api.test/.default'] });
      return result?.accessToken ?? '';
    };
    return {
      getToken,
      async call(url) {
        const response = await fetch(url, { headers: { authorization: `Bearer ${await getToken()}` } });
        await response.text();
        return response.status;
      },
      async hold(count) {
        const held = open();
        for (let serial = 0; serial < count; serial++) await held.acquireTokenByClientCredential({ scopes: [`https://api-${serial}.test/.default`] });
        return held;
      },
    };
  },
};
