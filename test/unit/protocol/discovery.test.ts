import { describe, expect, it } from 'vitest';
import type { Grant } from '../../../src/core/grant.js';
import type { Preset } from '../../../src/core/preset.js';
import { clientSecretPost } from '../../../src/protocol/client-auth/client-auth.js';
import { clientCredentials } from '../../../src/protocol/grants/client-credentials.js';
import { context, failure, fakeServer, type FakeServer, good, json, type Recorded, standingClock, text } from './wire.js';

const hour = 3_600_000;
const auth = clientSecretPost('s3cret');

interface Setup {
  readonly issuer?: string;
  readonly preset?: Preset;
  readonly allowInsecureHttp?: readonly string[];
}

/** A grant whose server answers metadata requests with `metadata`, and token requests with a token. */
function discovering(
  metadata: (request: Recorded) => Response | Promise<Response>,
  setup: Setup = {},
): { grant: Grant; fake: FakeServer; discoveries: () => string[] } {
  const fake = fakeServer((request) => (request.init.method === 'GET' ? metadata(request) : json(good)()));
  const grant = clientCredentials({ issuer: 'https://as.example', clientId: 'svc', auth, fetch: fake.fetch, ...setup });
  return { grant, fake, discoveries: () => fake.requests.filter(({ init }) => init.method === 'GET').map(({ url }) => url) };
}

const document = (issuer = 'https://as.example', rest: object = {}) => ({ issuer, token_endpoint: 'https://as.example/token', ...rest });

describe('discovery', () => {
  it.each([
    ['https://as.example', 'https://as.example/.well-known/oauth-authorization-server', 'https://as.example/.well-known/openid-configuration'],
    ['https://as.example/', 'https://as.example/.well-known/oauth-authorization-server', 'https://as.example/.well-known/openid-configuration'],
    ['https://as.example/a', 'https://as.example/.well-known/oauth-authorization-server/a', 'https://as.example/a/.well-known/openid-configuration'],
    ['https://as.example/a/b', 'https://as.example/.well-known/oauth-authorization-server/a/b', 'https://as.example/a/b/.well-known/openid-configuration'],
  ])('asks for the document of %s in both styles, the second on 404 only [A27]', async (issuer, oauth, oidc) => {
    for (const [preset, first, second] of [
      [{}, oauth, oidc],
      [{ discovery: 'oidc' }, oidc, oauth],
    ] as const) {
      const plain = discovering(json(document(issuer)), { issuer, preset });
      await plain.grant.request(undefined, context());
      expect(plain.discoveries()).toEqual([first]);
      const other = discovering(({ url }) => (url === second ? json(document(issuer)) : text('', 404))(), { issuer, preset });
      await other.grant.request(undefined, context());
      expect(other.discoveries()).toEqual([first, second]);
      expect(other.fake.requests.at(-1)?.url).toBe('https://as.example/token');
    }
  });

  it('sends neither credentials nor cookies along and asks for JSON [P28] [A27]', async () => {
    const { grant, fake } = discovering(json(document()));
    await grant.request(undefined, context());
    expect(fake.requests[0]?.init).toMatchObject({ method: 'GET', credentials: 'omit', redirect: 'manual', cache: 'no-store' });
    expect(fake.requests[0]?.init.body).toBeUndefined();
    expect(fake.requests[0]?.headers.has('authorization')).toBe(false);
    expect(fake.requests[0]?.headers.get('accept')).toBe('application/json');
  });

  it.each([
    ['403 HTML', text('<html>', 403), 'invalid_response', 'transient'],
    ['500', text('', 500), 'server_error', 'transient'],
    ['503', text('', 503, { 'retry-after': '7' }), 'server_error', 'transient'],
    ['429', text('', 429), 'rate_limited', 'transient'],
    ['400', text('', 400), 'discovery_failed', 'configuration'],
    ['410', text('', 410), 'discovery_failed', 'configuration'],
    ['404 in both styles', text('', 404), 'discovery_failed', 'configuration'],
    ['a captive portal', text('<html>'), 'invalid_response', 'transient'],
    ['an array', json([]), 'invalid_response', 'transient'],
    ['over 1 MiB', () => json({ ...document(), x: 'x'.repeat(1024 * 1024) })(), 'invalid_response', 'transient'],
    ['a network error', () => Promise.reject(new Error('x')), 'network_error', 'transient'],
    ['no token endpoint', json({ issuer: 'https://as.example' }), 'discovery_failed', 'configuration'],
    ['a token endpoint that is no string', json({ issuer: 'https://as.example', token_endpoint: 5 }), 'discovery_failed', 'configuration'],
  ])('fails on %s as it is, sends no credentials and does not remember it [A27] [R10]', async (_name, answer, code, kind) => {
    let isDown = true;
    const { grant, fake } = discovering(() => (isDown ? answer() : json(document())()));
    const error = await failure(grant.request(undefined, context()));
    expect(error).toMatchObject({ code, kind, phase: 'discovery' });
    expect(fake.requests.every(({ init }) => init.method === 'GET')).toBe(true);
    isDown = false;
    await expect(grant.request(undefined, context())).resolves.toMatchObject({ accessToken: 'at-1' });
  });

  it('tells the Retry-After of a discovery that was put off [R22]', async () => {
    expect(await failure(discovering(text('', 503, { 'retry-after': '7' })).grant.request(undefined, context()))).toMatchObject({ retryAfterMs: 7000 });
  });

  it('reads a document of up to 1 MiB [P22]', async () => {
    await expect(discovering(json({ ...document(), x: 'x'.repeat(1_000_000) })).grant.request(undefined, context())).resolves.toMatchObject({
      accessToken: 'at-1',
    });
  });

  it.each([
    'https://as.example/',
    'https://AS.example',
    'https://as.example:443',
    'https://evil.example',
    'https://login.example/{tenantid}/v2.0',
    undefined,
    5,
  ])('refuses the document of another issuer, were it equal as a URL: %s [A27] [A28]', async (issuer) => {
    const { grant, fake } = discovering(json({ ...document(), issuer }));
    expect(await failure(grant.request(undefined, context()))).toMatchObject({ code: 'issuer_mismatch', kind: 'configuration' });
    expect(fake.requests).toHaveLength(1);
  });

  it('takes no templated issuer, which only a preset that validates the tenant could allow [A28]', async () => {
    const issuer = 'https://login.example/common/v2.0';
    const { grant } = discovering(json(document('https://login.example/{tenantid}/v2.0')), { issuer });
    expect(await failure(grant.request(undefined, context()))).toMatchObject({ code: 'issuer_mismatch' });
  });

  it('asks once for all who wait at the same time [A27]', async () => {
    const { grant, discoveries } = discovering(json(document()));
    await Promise.all(Array.from({ length: 20 }, () => grant.request(undefined, context())));
    expect(discoveries()).toHaveLength(1);
  });

  it('goes on for the others when the one that started it gives up [A27]', async () => {
    let answer: (response: Response) => void = () => undefined;
    const { grant } = discovering(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    const first = new AbortController();
    const reason = new Error('gave up');
    const clock = standingClock();
    const one = grant.request(undefined, context({ clock, signal: first.signal }));
    const two = grant.request(undefined, context({ clock }));
    first.abort(reason);
    await expect(one).rejects.toBe(reason);
    answer(json(document())());
    await expect(two).resolves.toMatchObject({ accessToken: 'at-1' });
  });

  it('ends after 10 s when the server never answers [A27]', async () => {
    const clock = standingClock(undefined, true);
    const { grant } = discovering(() => new Promise(() => undefined));
    expect(await failure(grant.request(undefined, context({ clock })))).toMatchObject({ code: 'timeout', phase: 'discovery', kind: 'transient' });
    expect(clock.slept).toEqual([10_000]);
  });

  it('keeps the document for 24 hours [A27]', async () => {
    const clock = standingClock();
    const { grant, discoveries } = discovering(json(document()));
    for (const [at, requests] of [
      [0, 1],
      [24 * hour - 1, 1],
      [24 * hour, 2],
      [25 * hour, 2],
    ] as const) {
      clock.time = 1_800_000_000_000 + at;
      await grant.request(undefined, context({ clock }));
      expect(discoveries()).toHaveLength(requests);
    }
  });

  it('uses a document for 7 days when it cannot be read again, says so, and asks again after 5 minutes [A27]', async () => {
    const clock = standingClock();
    const start = clock.time;
    let isDown = false;
    const { grant, discoveries } = discovering(() => (isDown ? text('', 500) : json(document()))());
    await grant.request(undefined, context({ clock }));
    isDown = true;
    clock.time = start + 30 * hour;
    const stale = context({ clock });
    await expect(grant.request(undefined, stale)).resolves.toMatchObject({ accessToken: 'at-1' });
    expect(stale.events).toMatchObject([{ type: 'warning', code: 'stale_metadata', message: expect.stringContaining('server_error') }]);
    await grant.request(undefined, context({ clock }));
    expect(discoveries()).toHaveLength(2);
    clock.time += 300_000;
    await grant.request(undefined, context({ clock }));
    expect(discoveries()).toHaveLength(3);
    clock.time = start + 7 * 24 * hour;
    expect(await failure(grant.request(undefined, context({ clock })))).toMatchObject({ code: 'server_error', phase: 'discovery' });
    isDown = false;
    await expect(grant.request(undefined, context({ clock }))).resolves.toMatchObject({ accessToken: 'at-1' });
  });

  it("ends with the signal's reason, also where an old document would do [A27]", async () => {
    const clock = standingClock();
    let answers = 0;
    const { grant } = discovering(() => (answers++ === 0 ? json(document())() : new Promise(() => undefined)));
    await grant.request(undefined, context({ clock }));
    clock.time += 25 * hour;
    const limit = new AbortController();
    const reason = new Error('time is up');
    const waiting = grant.request(undefined, context({ clock, signal: limit.signal }));
    limit.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  it('waits 3 s at most for a new document where an old one would do [A27]', async () => {
    const clock = standingClock();
    let answers = 0;
    const { grant } = discovering(() => (answers++ === 0 ? json(document())() : new Promise(() => undefined)));
    await grant.request(undefined, context({ clock }));
    const waking = standingClock(clock.time + 25 * hour, true);
    const given = context({ clock: waking });
    await expect(grant.request(undefined, given)).resolves.toMatchObject({ accessToken: 'at-1' });
    expect(waking.slept).toEqual([3000]);
    expect(given.events).toMatchObject([{ code: 'stale_metadata', message: expect.stringContaining('(timeout)') }]);
  });
});

describe('endpoints that discovery names', () => {
  const tokenEndpoint = (token_endpoint: string, setup: Setup = {}) =>
    discovering(json({ issuer: setup.issuer ?? 'https://as.example', token_endpoint }), setup);

  it.each([
    'https://169.254.169.254/latest/meta-data',
    'https://2852039166/',
    'https://0xa9fea9fe/',
    'https://0251.0376.0251.0376/',
    'https://127.0.0.1/token',
    'https://localhost/token',
    'https://x.localhost./token',
    'https://10.0.0.5/token',
    'https://172.16.0.1/token',
    'https://172.31.255.255/token',
    'https://192.168.1.1/token',
    'https://100.64.0.1/token',
    'https://0.0.0.0/token',
    'https://224.0.0.1/token',
    'https://255.255.255.255/token',
    'https://[::]/token',
    'https://[::1]/token',
    'https://[::ffff:127.0.0.1]/token',
    'https://[::ffff:a9fe:a9fe]/token',
    'https://[64:ff9b::a00:1]/token',
    'https://[fe80::1]/token',
    'https://[fd00::1]/token',
    'https://[ff02::1]/token',
    'https://[2002:7f00:1::]/token',
    'https://[2001::1]/token',
    'https://metadata.google.internal/token',
    'http://localhost:8080/token',
    'http://other.example/token',
    'https://other.example/token#x',
    'https://user@other.example/token',
    'http://as.example/token',
    'ftp://as.example/token',
    'token',
  ])('refuses %s before anything secret is sent [S10] [P2]', async (endpoint) => {
    const { grant, fake } = tokenEndpoint(endpoint);
    expect(await failure(grant.request(undefined, context()))).toMatchObject({ code: 'endpoint_refused', kind: 'configuration', phase: 'discovery' });
    expect(fake.requests).toHaveLength(1);
  });

  it.each([
    'https://as.example:8443/token',
    'https://oauth2.other.example/token',
    'https://8.8.8.8/token',
    'https://172.32.0.1/token',
    'https://[2a00:1450::1]/token',
    'https://10.example/token',
  ])('goes to %s, on the same host or a public one [S10]', async (endpoint) => {
    const { grant, fake } = tokenEndpoint(endpoint);
    await grant.request(undefined, context());
    expect(fake.requests.at(-1)?.url).toBe(endpoint);
  });

  it('trusts the host of the configured issuer, also on a private network [S10]', async () => {
    for (const issuer of ['https://10.0.0.5', 'http://localhost:8080', 'https://[::1]:1']) {
      const { grant, fake } = tokenEndpoint(`${issuer}/token`, { issuer });
      await grant.request(undefined, context());
      expect(fake.requests.at(-1)?.url).toBe(`${issuer}/token`);
    }
  });

  it('goes to origins that the configuration names [S10] [P2]', async () => {
    const named = tokenEndpoint('https://10.0.0.6/token', { preset: { endpointOrigins: ['https://10.0.0.6'] } });
    await expect(named.grant.request(undefined, context())).resolves.toMatchObject({ accessToken: 'at-1' });
    const insecure = tokenEndpoint('http://keycloak:8080/token', { issuer: 'http://localhost:8080', allowInsecureHttp: ['http://keycloak:8080'] });
    await expect(insecure.grant.request(undefined, context())).resolves.toMatchObject({ accessToken: 'at-1' });
    const unnamed = tokenEndpoint('http://10.0.0.6/token', { preset: { endpointOrigins: ['http://10.0.0.6'] } });
    expect(await failure(unnamed.grant.request(undefined, context()))).toMatchObject({ code: 'endpoint_refused' });
  });

  it('holds the revocation endpoint to the same rule [S10]', async () => {
    const { grant } = discovering(json(document('https://as.example', { revocation_endpoint: 'https://169.254.169.254/' })));
    expect(await failure(grant.request(undefined, context()))).toMatchObject({ code: 'endpoint_refused' });
  });

  it('does not hold metadata that the application itself gives to it [S10]', async () => {
    const fake = fakeServer(json(good));
    const grant = clientCredentials({
      server: { issuer: 'https://as.example', token_endpoint: 'https://10.0.0.5/token' },
      clientId: 'svc',
      auth,
      fetch: fake.fetch,
    });
    await expect(grant.request(undefined, context())).resolves.toMatchObject({ accessToken: 'at-1' });
  });
});
