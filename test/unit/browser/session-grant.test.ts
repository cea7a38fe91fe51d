import { isTokenError } from 'tokenkeep';
import { virtualClock } from 'tokenkeep/testing';
import { expect, it } from 'vitest';
import { sessionGrant } from '../../../src/browser/session-grant.js';

const issuer = 'https://login.example';
const context = { target: {}, clock: virtualClock(), signal: new AbortController().signal, report: () => undefined };

// As many servers are: what it does not have is answered without CORS headers, which a page sees as a broken network.
const openIdOnly: typeof fetch = async (input) => {
  if (String(input) !== `${issuer}/.well-known/openid-configuration`) throw new TypeError('Failed to fetch');
  return Response.json({ issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` });
};

const metadataOf = (options: { readonly scope: string; readonly preset?: { readonly discovery: 'oauth' } }): Promise<unknown> =>
  sessionGrant({ issuer, clientId: 'spa', redirectUri: 'https://app.example/callback', fetch: openIdOnly, ...options }, 'id', 'name', undefined, false)
    .server.metadata(context)
    .then(
      (metadata) => metadata.token_endpoint,
      (error: unknown) => (isTokenError(error) ? error.code : error),
    );

it('finds a server that has OpenID Connect Discovery alone, where the session asks for "openid" [A27]', async () => {
  expect(await metadataOf({ scope: 'openid' })).toBe(`${issuer}/token`);
});

it('asks in the place that the preset names, and at RFC 8414 first without "openid" [A27]', async () => {
  expect(await metadataOf({ scope: 'openid', preset: { discovery: 'oauth' } })).toBe('network_error');
  expect(await metadataOf({ scope: 'read' })).toBe('network_error');
});
