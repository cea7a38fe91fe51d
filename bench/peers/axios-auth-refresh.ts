import { create } from 'axios';
import { createAuthRefresh } from 'axios-auth-refresh';
import { clientId, clientSecret, type Contestant } from '../contestant.ts';

/**
 * axios-auth-refresh's readme: "Usage", "Request interceptor" and `skipAuthRefresh` on the refresh itself; `deduplicateRefresh`
 * is its default. The first token is fetched before the first call.
 */
export const contestant: Contestant = {
  async open({ origin, inProcess }) {
    const api = create(inProcess ? { adapter: 'fetch', env: { fetch: (input: RequestInfo | URL, init?: RequestInit) => fetch(input, init) } } : {});
    const server = create({});
    let token = '';
    const request = async (): Promise<string> => {
      const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret });
      const { data } = await server.post<{ readonly access_token: string }>(`${origin}/token`, body);
      return data.access_token;
    };
    api.interceptors.request.use((config) => {
      config.headers['Authorization'] = `Bearer ${token}`;
      return config;
    });
    createAuthRefresh(api, async (failed) => {
      token = await request();
      failed.response.config.headers['Authorization'] = `Bearer ${token}`;
    });
    token = await request();
    return { call: async (url) => (await api.get(url)).status };
  },
};
