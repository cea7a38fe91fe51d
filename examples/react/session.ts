// Made once, outside of React: components come and go, the session stays.
import { createSession } from 'tokenkeep/browser';

export const here = new URL('./', location.href).href;

export const session = createSession({
  issuer: ISSUER,
  clientId: 'orders-app',
  redirectUri: here,
  scope: 'openid orders:read',
  resource: 'https://orders.example',
  preset: { idTokenAlgorithms: ['ES256'] }, // how this server signs; RS256 needs no mention
});

// Tokens are attached to calls of this API, and renewed in time; components do not think about them.
export const api = session.http({ prefix: API_URL });
