import { readdirSync, readFileSync } from 'node:fs';
import { clientCredentials, clientSecretBasic, createTokenManager } from 'tokenkeep';
import { createAuthFetch } from 'tokenkeep/http';
import { fakeAuthorizationServer, virtualClock } from 'tokenkeep/testing';
import { expect, it } from 'vitest';

it('asks only the configured issuer, whatever issuer a token, an answer or a challenge names [S11]', async () => {
  const clock = virtualClock();
  const stranger = 'https://stranger.test';
  const payload = Buffer.from(JSON.stringify({ iss: stranger, jku: `${stranger}/keys` })).toString('base64url');
  const server = fakeAuthorizationServer({
    clock,
    clients: { service: 'secret' },
    knobs: { members: { access_token: `e30.${payload}.c2ln`, iss: stranger, issuer: stranger, token_endpoint: `${stranger}/token` } },
  });
  const asked: string[] = [];
  const seen: typeof fetch = (input, init) => {
    asked.push(new URL(input instanceof Request ? input.url : input).origin);
    return server.fetch(input, init);
  };
  const tokens = createTokenManager({
    grant: clientCredentials({ issuer: server.issuer, clientId: 'service', auth: clientSecretBasic('secret'), fetch: seen }),
    clock,
  });
  const api = createAuthFetch(tokens, {
    allow: ['https://api.test'],
    fetch: async () =>
      new Response(null, { status: 401, headers: { 'www-authenticate': `Bearer error="invalid_token", resource_metadata="${stranger}/meta"` } }),
    clock,
  });
  expect((await tokens.getToken()).claims()).toMatchObject({ iss: stranger });
  expect((await api('https://api.test/a')).status).toBe(401);
  await clock.advance(3_600_000);
  await tokens.getToken();
  expect(new Set(asked)).toEqual(new Set(['https://as.test']));
});

it.each(['https://api.test', 'https://stranger.test'])(
  'asks nobody for the resource metadata that a challenge names at %s, and takes no authorization server from it [H18]',
  async (host) => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, clients: { service: 'secret' } });
    const asked: string[] = [];
    const tokens = createTokenManager({
      grant: clientCredentials({
        issuer: server.issuer,
        clientId: 'service',
        auth: clientSecretBasic('secret'),
        fetch: (input, init) => {
          asked.push(new URL(input instanceof Request ? input.url : input).origin);
          return server.fetch(input, init);
        },
      }),
      clock,
    });
    const metadata = `${host}/.well-known/oauth-protected-resource/a`;
    const api = createAuthFetch(tokens, {
      allow: ['https://api.test'],
      fetch: async (input) => {
        const { href } = new URL(input instanceof Request ? input.url : input);
        asked.push(href);
        if (href === metadata) return Response.json({ resource: 'https://api.test/a', authorization_servers: ['https://stranger.test'] });
        return new Response(null, { status: 401, headers: { 'www-authenticate': `Bearer error="invalid_token", resource_metadata="${metadata}"` } });
      },
      clock,
    });
    expect((await api('https://api.test/a')).status).toBe(401);
    expect(new Set(asked)).toEqual(new Set(['https://as.test', 'https://api.test/a']));
  },
);

it('reads the claims of a token for display for a lifetime that nobody names, and beside a verification, and nowhere else [S15] [E12] [E13] [A25]', () => {
  const readers = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.ts') && !path.startsWith('testing/') && /\b(?:readClaims|decodeJwt)\(/.test(readFileSync(`src/${path}`, 'utf8')),
  );
  expect(readers.sort()).toEqual([
    'browser/stored-user.ts',
    'core/access-token.ts',
    'core/read-claims.ts',
    'protocol/authorization/id-token.ts',
    'protocol/wire/to-token-set.ts',
    'server/account-record.ts',
    'server/connect-account.ts',
  ]);
});
