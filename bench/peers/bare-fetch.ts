import { type Contestant, tokenText } from '../contestant.ts';

/** The floor: an async function that returns a stored object, and fetch with a fixed header. */
export const contestant: Contestant = {
  async open({ origin, inProcess }) {
    const response = inProcess ? undefined : await fetch(`${origin}/token`, { method: 'POST' });
    const value = response ? String(Reflect.get(Object(await response.json()), 'access_token')) : tokenText(1);
    const stored = { value, expiresAt: Date.now() + 3_600_000 };
    const headers = { authorization: `Bearer ${value}` };
    return {
      getToken: async () => stored,
      async call(url) {
        const answer = await fetch(url, { headers });
        await answer.text();
        return answer.status;
      },
      async hold(count) {
        const tokens = new Map<string, object>();
        for (let serial = 0; serial < count; serial++)
          tokens.set(`https://api-${serial}.test`, { value: JSON.parse(JSON.stringify(tokenText(serial))), expiresAt: 1 });
        return tokens;
      },
    };
  },
};
