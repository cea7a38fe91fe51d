import { clientCredentials, clientSecretBasic, createTokenManager, type Grant, none } from 'tokenkeep';
import { createIntrospector, type Introspector, type IntrospectorOptions } from 'tokenkeep/server';
import { type FakeAuthorizationServer, fakeAuthorizationServer, type ServerKnobs, type VirtualClock, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { fakeJwt } from '../../../src/testing/fake-jwt.js';
import { leaks, shown } from '../core/leaks.js';
import { rejection, watched } from '../manager/support.js';
import { type Answer, fakeServer, json, thrown } from './wire.js';

const clients = { api: 'secret-of-the-api', svc: 'secret-of-the-service' };

interface Scene {
  readonly clock: VirtualClock;
  readonly server: FakeAuthorizationServer;
  readonly introspector: Introspector;
  asked(): number;
}

function scene(options: Partial<IntrospectorOptions> = {}, knobs: Partial<ServerKnobs> = {}): Scene {
  const clock = virtualClock();
  const server = fakeAuthorizationServer({ clock, clients, knobs });
  const auth = clientSecretBasic(clients.api);
  const introspector = createIntrospector({ issuer: server.issuer, clientId: 'api', auth, fetch: server.fetch, clock, ...options });
  return { clock, server, introspector, asked: () => server.requestsTo('introspection').length };
}

const endpoint = { issuer: 'https://as.example', token_endpoint: 'https://as.example/token', introspection_endpoint: 'https://as.example/introspect' };

function answering(...answers: Answer[]): Introspector {
  const auth = clientSecretBasic('secret');
  return createIntrospector({ server: endpoint, clientId: 'api', auth, fetch: fakeServer(...answers).fetch, clock: virtualClock() });
}

describe('introspection', () => {
  it('asks with client authentication, the token in the body, and says what the server knows [G10] [P3]', async () => {
    const { clock, server, introspector } = scene();
    const token = server.issueAccessToken({ clientId: 'svc', scope: 'read write' });
    const answer = await introspector.introspect(token);
    expect(answer).toEqual({ active: true, scope: ['read', 'write'], expiresAt: clock.now() + 3_600_000, claims: expect.anything() });
    expect(answer.claims['client_id']).toBe('svc');
    const [request] = server.requestsTo('introspection');
    expect(Object.fromEntries(request?.params ?? [])).toEqual({ token, token_type_hint: 'access_token' });
    expect(request?.headers.get('authorization')).toBe(`Basic ${btoa(`api:${clients.api}`)}`);
    expect(request?.url).not.toContain(token);
  });

  it('gives an inactive token as an answer, not as an error [G10]', async () => {
    const { server, introspector } = scene();
    const revoked = server.issueAccessToken();
    server.revokeAccessToken(revoked);
    for (const token of [revoked, 'never-issued'])
      expect(await introspector.introspect(token)).toMatchObject({ active: false, scope: [], expiresAt: undefined });
  });

  it('takes an AccessToken, and a hint for a refresh token [G10]', async () => {
    const { clock, server, introspector } = scene();
    const grant = clientCredentials({ server: server.metadata, clientId: 'svc', auth: clientSecretBasic(clients.svc), fetch: server.fetch });
    const tokens = createTokenManager({ grant, clock });
    expect((await introspector.introspect(await tokens.getToken())).active).toBe(true);
    const refresh = server.issueRefreshToken({ clientId: 'svc' });
    expect((await introspector.introspect(refresh, { hint: 'refresh_token' })).active).toBe(true);
    expect(server.requestsTo('introspection')[1]?.params.get('token_type_hint')).toBe('refresh_token');
    await tokens.dispose();
  });

  it('remembers an answer for ten seconds, and no longer than it is told [G10]', async () => {
    for (const [cacheMs, kept] of [
      [undefined, 10_000],
      [60_000, 60_000],
    ] as const) {
      const { clock, server, introspector, asked } = scene({ cacheMs });
      const token = server.issueAccessToken();
      await introspector.introspect(token);
      server.revokeAccessToken(token);
      await clock.advance(kept - 1);
      expect([(await introspector.introspect(token)).active, asked()]).toEqual([true, 1]);
      await clock.advance(1);
      expect([(await introspector.introspect(token)).active, asked()]).toEqual([false, 2]);
    }
  });

  it('remembers nothing when told so [G10]', async () => {
    const { server, introspector, asked } = scene({ cacheMs: 0 });
    const token = server.issueAccessToken();
    await introspector.introspect(token);
    await introspector.introspect(token);
    expect(asked()).toBe(2);
  });

  it('never remembers beyond the end of the token [G10]', async () => {
    const { clock, server, introspector, asked } = scene({ cacheMs: 60_000 }, { expiresIn: 20 });
    const token = server.issueAccessToken();
    await introspector.introspect(token);
    await clock.advance(19_999);
    expect([(await introspector.introspect(token)).active, asked()]).toEqual([true, 1]);
    await clock.advance(1);
    expect([(await introspector.introspect(token)).active, asked()]).toEqual([false, 2]);
  });

  it('reads the end of a token by the clock of the server [G10] [E13]', async () => {
    const { clock, server, introspector } = scene({}, { clockOffsetMs: 7_200_000 });
    const answer = await introspector.introspect(server.issueAccessToken());
    expect(answer.expiresAt).toBe(clock.now() + 3_600_000);
  });

  it('asks once for a thousand who ask at a time, and each may leave [G10] [R2]', async () => {
    const { server, introspector, asked } = scene();
    const token = server.issueAccessToken();
    const abort = new AbortController();
    const leaving = introspector.introspect(token, { signal: abort.signal }).catch((error: unknown) => error);
    const all = Array.from({ length: 1_000 }, () => introspector.introspect(token));
    abort.abort('left');
    expect(await leaving).toBe('left');
    expect((await Promise.all(all)).every(({ active }) => active)).toBe(true);
    expect(asked()).toBe(1);
  });

  it('remembers at most as many as it is told, the oldest goes first [G10]', async () => {
    const { server, introspector, asked } = scene({ maxEntries: 2 });
    const [a, b, c] = [server.issueAccessToken(), server.issueAccessToken(), server.issueAccessToken()];
    for (const token of [a, b, c, c, b]) await introspector.introspect(token);
    expect(asked()).toBe(3);
    await introspector.introspect(a);
    expect(asked()).toBe(4);
  });

  it('does not remember a failure [G10]', async () => {
    const { server, introspector, asked } = scene();
    const token = server.issueAccessToken();
    server.forNext(1, { introspectionAnswer: { status: 503 } }, 'introspection');
    expect(await rejection(introspector.introspect(token))).toMatchObject({ code: 'server_error', kind: 'transient', phase: 'introspection' });
    expect((await introspector.introspect(token)).active).toBe(true);
    expect(asked()).toBe(2);
  });

  it.each([
    ['a wrong secret', json({ error: 'invalid_client' }, 401), 'client_rejected'],
    ['an answer without active', json({ scope: 'read' }), 'unacceptable_response'],
    ['active as a text', json({ active: 'true' }), 'unacceptable_response'],
    ['a list', json([{ active: true }]), 'invalid_response'],
    ['a token type that it does not know', json({ error: 'unsupported_token_type' }, 400), 'unknown_error'],
    ['a redirect', () => new Response(null, { status: 307, headers: { location: 'https://trap.test' } }), 'redirect_refused'],
  ] as const)('says what is wrong with %s [G10] [P23]', async (_, answer, code) => {
    expect(await rejection(answering(answer).introspect('token'))).toMatchObject({ code, phase: 'introspection' });
  });

  it('says that the server offers none [G10]', async () => {
    const { introspector } = scene({}, { introspection: false });
    expect(await rejection(introspector.introspect('token'))).toMatchObject({ code: 'discovery_failed', phase: 'introspection' });
  });

  it('gives up after ten seconds without an answer [G10] [R20]', async () => {
    const clock = virtualClock();
    const silent: typeof fetch = () => new Promise(() => undefined);
    const introspector = createIntrospector({ server: endpoint, clientId: 'api', auth: clientSecretBasic('s'), fetch: silent, clock });
    const failed = rejection(introspector.introspect('token'));
    await clock.advance(0);
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(10_000);
    expect(await failed).toMatchObject({ code: 'timeout', phase: 'introspection' });
  });

  it('asks nobody whom a token names [S11]', async () => {
    const fake = fakeServer(json({ active: true, iss: 'https://stranger.example', token_introspection: 'https://stranger.example' }));
    const introspector = createIntrospector({ server: endpoint, clientId: 'api', auth: clientSecretBasic('s'), fetch: fake.fetch, clock: virtualClock() });
    await introspector.introspect(fakeJwt({ iss: 'https://stranger.example' }));
    expect(fake.requests.map(({ url }) => url)).toEqual([endpoint.introspection_endpoint]);
  });

  it('copies an answer with odd members without harm [P29] [S12]', async () => {
    const odd: Answer = () => new Response('{"active":true,"__proto__":{"polluted":true},"constructor":1,"exp":"soon","scope":5}', { status: 200 });
    const answer = await answering(odd).introspect('token');
    expect(answer).toMatchObject({ active: true, scope: [], expiresAt: undefined });
    expect([Object.getPrototypeOf(answer.claims), Reflect.get({}, 'polluted'), Object.isFrozen(answer.claims)]).toEqual([null, undefined, true]);
  });

  it('shows neither token nor secret, whatever is echoed [S6]', async () => {
    const auth = clientSecretBasic(clients.api);
    const echo: Answer = ({ body }) => json({ error: 'invalid_request', error_description: `no ${body.get('token')}` }, 400)();
    const introspector = createIntrospector({ server: endpoint, clientId: 'api', auth, fetch: fakeServer(echo).fetch, clock: virtualClock() });
    const error = await rejection(introspector.introspect('token-canary-0815'));
    expect(leaks(shown(error) + shown(introspector), ['token-canary-0815', clients.api])).toEqual([]);
  });

  it.each([
    ['no client authentication', { auth: undefined }, 'auth'],
    ['a public client', { auth: none() }, 'auth'],
    ['more than a minute', { cacheMs: 60_001 }, 'cacheMs'],
    ['less than nothing', { cacheMs: -1 }, 'cacheMs'],
    ['text for a time', { cacheMs: '10' }, 'cacheMs'],
    ['room for none', { maxEntries: 0 }, 'maxEntries'],
    ['a clock without sleep', { clock: { now: () => 0 } }, 'clock'],
    ['an option that it does not have', { ttl: 5 }, 'ttl'],
  ])('refuses %s at construction [G10]', (_, options, named) => {
    const good = { server: endpoint, clientId: 'api', auth: clientSecretBasic('s') };
    const error = thrown(() => Reflect.apply(createIntrospector, undefined, [{ ...good, ...options }]));
    expect([error.code, error.message.includes(named)]).toEqual(['invalid_option', true]);
  });

  it.each(['', 5, undefined, null, 'a\nb', {}])('refuses %j as a token [G10]', async (token) => {
    const { introspector } = scene();
    expect(await rejection(Reflect.apply(introspector.introspect, undefined, [token]))).toMatchObject({ code: 'invalid_option' });
  });

  it('refuses a hint that it does not know', async () => {
    const { introspector } = scene();
    expect(await rejection(Reflect.apply(introspector.introspect, undefined, ['token', { hint: 'id_token' }]))).toMatchObject({ code: 'invalid_option' });
  });
});

describe('opaque tokens whose lifetime nobody names', () => {
  // As docs/guides/other-grants.md has it.
  const withIntrospectedLifetime = (grant: Grant, introspector: Introspector): Grant => ({
    ...grant,
    async request(current, context) {
      const tokens = await grant.request(current, context);
      if (tokens.lifetimeMs !== undefined) return tokens;
      const { expiresAt } = await introspector.introspect(tokens.accessToken, { signal: context.signal });
      return expiresAt === undefined ? tokens : { ...tokens, lifetimeMs: Math.max(0, expiresAt - tokens.sentAt) };
    },
  });
  const service = (server: FakeAuthorizationServer): Grant =>
    clientCredentials({ server: server.metadata, clientId: 'svc', auth: clientSecretBasic(clients.svc), fetch: server.fetch });
  const settle = async (clock: VirtualClock): Promise<void> => {
    for (let turn = 0; turn < 10; turn++) {
      await clock.advance(0);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  it('are served until they are refused, without introspection [E6] [E12]', async () => {
    const { clock, server } = scene({}, { expiresIn: undefined });
    const { tokens, events } = watched({ grant: service(server), clock });
    const token = await tokens.getToken();
    await clock.advance(86_400_000);
    expect([(await tokens.getToken()).value === token.value, token.expiresAt, server.tokenRequests]).toEqual([true, undefined, 1]);
    expect(events.filter(({ type }) => type === 'warning')).toMatchObject([{ code: 'lifetime_unknown' }]);
    await tokens.dispose();
  });

  it('are renewed in time when introspection says how long they live, asked once per token and not per call [E6] [E12] [G10]', async () => {
    const { clock, server, introspector, asked } = scene({}, { expiresIn: undefined, lifetimeMs: 600_000 });
    const { tokens } = watched({ grant: withIntrospectedLifetime(service(server), introspector), clock });
    const first = tokens.getToken();
    await settle(clock);
    const { value, expiresAt } = await first;
    expect(expiresAt).toBe(clock.now() + 600_000);
    for (let call = 0; call < 100; call++) await tokens.getToken();
    expect(asked()).toBe(1);
    await clock.advance(550_000);
    await tokens.getToken();
    await settle(clock);
    expect((await tokens.getToken()).value).not.toBe(value);
    expect([server.tokenRequests, asked()]).toEqual([2, 2]);
    await tokens.dispose();
  });

  it('are not looked into when they are encrypted, whatever an outer part seems to say [E12]', async () => {
    const [header = '', payload = ''] = fakeJwt({ exp: 1 }).split('.');
    const { clock, server } = scene({}, { expiresIn: undefined, members: { access_token: [header, payload, 'iv', 'text', 'tag'].join('.') } });
    const { tokens } = watched({ grant: service(server), clock });
    const token = await tokens.getToken();
    expect([token.expiresAt, token.claims()]).toEqual([undefined, undefined]);
    await tokens.dispose();
  });
});
