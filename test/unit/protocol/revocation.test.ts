import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import type { TokenSet } from '../../../src/core/token-set.js';
import { clientSecretBasic } from '../../../src/protocol/client-auth/client-auth.js';
import { clientSecretJwt } from '../../../src/protocol/client-auth/client-secret-jwt.js';
import { clientCredentials } from '../../../src/protocol/grants/client-credentials.js';
import { refreshToken } from '../../../src/protocol/grants/refresh-token.js';
import { type Answer, context, failure, fakeServer, issuer, json, server, standingClock, text } from './wire.js';

const auth = clientSecretBasic('s3cret');
const tokens: TokenSet = { accessToken: 'at-canary', tokenType: 'Bearer', sentAt: 0, lifetimeMs: 1, scope: [], refreshToken: 'rt-canary' };

function revoking(...answers: Answer[]) {
  const fake = fakeServer(...answers);
  const grant = refreshToken({ server, clientId: 'app', auth, refreshToken: 'rt-0', fetch: fake.fetch });
  return { fake, revoke: (given = context()) => grant.revoke?.(tokens, given) ?? Promise.reject(new Error('no revoke')) };
}

describe('revocation', () => {
  it('posts the refresh token and then the access token, with their hints and the client, so that it survives a closed page [G11] [P28]', async () => {
    const { fake, revoke } = revoking(text(''));
    await revoke();
    expect(fake.requests.map(({ url, body }) => [url, ...body.entries()])).toEqual([
      [server.revocation_endpoint, ['token_type_hint', 'refresh_token'], ['token', 'rt-canary']],
      [server.revocation_endpoint, ['token_type_hint', 'access_token'], ['token', 'at-canary']],
    ]);
    for (const { init, headers } of fake.requests) {
      expect(init).toMatchObject({ method: 'POST', keepalive: true, redirect: 'manual', credentials: 'omit', cache: 'no-store' });
      expect(headers.get('authorization')).toMatch(/^Basic /);
      expect(headers.get('content-type')).toMatch(/^application\/x-www-form-urlencoded/);
    }
  });

  it('leaves a self-contained access token to its end once its refresh token is revoked, and only then [G11] [R27]', async () => {
    const accessToken = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl';
    const sent = async (answer: Answer, given: Partial<TokenSet>) => {
      const fake = fakeServer(answer, text(''));
      const grant = refreshToken({ server, clientId: 'app', auth, refreshToken: 'rt-0', fetch: fake.fetch });
      await grant.revoke?.({ ...tokens, accessToken, ...given }, context()).catch(() => undefined);
      return fake.requests.map(({ body }) => body.get('token'));
    };
    expect(await sent(text(''), {})).toEqual(['rt-canary']);
    // The server may still know what it gave.
    expect(await sent(json({ error: 'invalid_request' }, 400), {})).toEqual(['rt-canary', accessToken]);
    expect(await sent(text(''), { accessToken: 'a.b.c' })).toEqual(['rt-canary', 'a.b.c']);
    const alone = fakeServer(text(''));
    await clientCredentials({ server, clientId: 'app', auth, fetch: alone.fetch }).revoke?.({ ...tokens, accessToken }, context());
    expect(alone.requests.map(({ body }) => body.get('token'))).toEqual([accessToken]);
  });

  it('revokes the access token alone where there is no refresh token of ours [G11]', async () => {
    const fake = fakeServer(text(''));
    await clientCredentials({ server, clientId: 'app', auth, fetch: fake.fetch }).revoke?.(tokens, context());
    expect(fake.requests.map(({ body }) => body.get('token'))).toEqual(['at-canary']);
  });

  it('signs the request anew, once, when the server says that its clock is another one [G11] [E13]', async () => {
    const clock = standingClock();
    const date = new Date(clock.now() + 600_000).toUTCString();
    const fake = fakeServer(json({ error: 'invalid_client' }, 401, { date }), text('', 200, { date }));
    const signed = clientSecretJwt('a-secret-of-more-than-32-characters');
    await clientCredentials({ server, clientId: 'app', auth: signed, fetch: fake.fetch }).revoke?.(tokens, context({ clock }));
    const dates = fake.requests.map(({ body }) => Number(decodeJwt(body.get('client_assertion') ?? '').iat) * 1000 - clock.now());
    expect(dates).toHaveLength(2);
    expect(dates[0]).toBeLessThan(1_000);
    expect(dates[1]).toBeGreaterThan(590_000);
  });

  it('does nothing where the server offers no revocation [G11]', async () => {
    const fake = fakeServer(text(''));
    await clientCredentials({ server: { issuer, token_endpoint: 'https://as.example/token' }, clientId: 'app', auth, fetch: fake.fetch }).revoke?.(
      tokens,
      context(),
    );
    expect(fake.requests).toHaveLength(0);
  });

  it.each([
    ['200', text('')],
    ['204', () => new Response(null, { status: 204 })],
    ['unsupported_token_type', json({ error: 'unsupported_token_type' }, 400)],
  ])('is content with %s [G11]', async (_name, answer) => {
    const { fake, revoke } = revoking(answer);
    await revoke();
    expect(fake.requests).toHaveLength(2);
  });

  it.each([
    [json({ error: 'invalid_client' }, 401), 'client_rejected'],
    [json({ error: 'invalid_request' }, 400), 'request_rejected'],
    [text('<html>', 404), 'unexpected_status'],
    [text('', 500), 'server_error'],
    [() => Promise.reject(new Error('at-canary')), 'network_error'],
  ])('still revokes the other token when one fails, and then tells why [G11]', async (answer, code) => {
    const { fake, revoke } = revoking(answer, text(''));
    const error = await failure(revoke());
    expect(error).toMatchObject({ code, phase: 'revocation' });
    expect(JSON.stringify(error)).not.toContain('canary');
    expect(fake.requests).toHaveLength(2);
  });

  it('tries once more after a 503 with a short Retry-After, and only then [G11] [R22]', async () => {
    const clock = standingClock(undefined, true);
    const short = revoking(text('', 503, { 'retry-after': '3' }), text(''), text(''));
    await short.revoke(context({ clock }));
    expect(clock.slept).toEqual([3000]);
    expect(short.fake.requests.map(({ body }) => body.get('token'))).toEqual(['rt-canary', 'rt-canary', 'at-canary']);
    const again = revoking(text('', 503, { 'retry-after': '3' }));
    expect(await failure(again.revoke(context({ clock })))).toMatchObject({ status: 503 });
    expect(again.fake.requests).toHaveLength(4);
    for (const headers of [{ 'retry-after': '6' }, {}]) {
      const long = revoking(text('', 503, headers));
      expect(await failure(long.revoke(context({ clock })))).toMatchObject({ status: 503 });
      expect(long.fake.requests).toHaveLength(2);
    }
  });

  it('does not show a token that the answer echoes [S6] [complaint 18]', async () => {
    const { revoke } = revoking(json({ error: 'invalid_request', error_description: 'token rt-canary at-canary' }, 400));
    expect((await failure(revoke())).message).not.toContain('rt-canary');
  });

  it("ends with the signal's reason", async () => {
    const limit = new AbortController();
    const reason = new Error('time is up');
    const { fake, revoke } = revoking(() => {
      limit.abort(reason);
      return Promise.reject(reason);
    });
    await expect(revoke(context({ signal: limit.signal }))).rejects.toBe(reason);
    expect(fake.requests).toHaveLength(1);
  });
});
