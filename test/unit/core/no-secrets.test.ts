import { generateKeyPairSync } from 'node:crypto';
import { exportJWK, SignJWT } from 'jose';
import {
  type ClientAuth,
  clientAssertion,
  clientCredentials,
  clientSecretBasic,
  clientSecretJwt,
  type Clock,
  clientSecretPost,
  createTokenManager,
  type Grant,
  type JournalEntry,
  memoryStore,
  privateKeyJwt,
  refreshToken,
  type TokenManager,
  type TokenStore,
} from 'tokenkeep';
import { createHttpClient } from 'tokenkeep/http';
import { fakeAuthorizationServer, type FakeAuthorizationServer, virtualClock } from 'tokenkeep/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { leaks, shown } from './leaks.js';

const hourMs = 3_600_000;
const consoleMethods = ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const;

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const keyPem = key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const keyJwk = await exportJWK(key.privateKey);
const publicKeyJwk = await exportJWK(key.publicKey);

function platformToken(clock: Clock): Promise<string> {
  const claims = { iss: 'app', sub: 'app', aud: 'https://as.test', jti: canary(), exp: Math.floor(clock.now() / 1000) + 60 };
  return new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(key.privateKey);
}

function canary(): string {
  const letters = crypto.getRandomValues(new Uint8Array(40));
  return Array.from(letters, (byte) => 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'.charAt(byte % 56)).join('');
}

interface Life {
  /** Everything that came out, in every way in which it can be shown. */
  readonly output: string;
  readonly secrets: readonly string[];
  readonly urls: string;
  readonly errors: readonly unknown[];
  readonly eventTypes: ReadonlySet<string>;
  readonly printed: readonly unknown[];
}

/** A whole life, with everything going wrong that can, and every secret echoed by somebody. */
async function live(kind: 'user' | 'service', authOf: (secret: () => string, clock: Clock) => ClientAuth): Promise<Life> {
  const printed: unknown[] = [];
  for (const method of consoleMethods) vi.spyOn(console, method).mockImplementation((...args) => void printed.push(args));
  const clock = virtualClock();
  const clientSecret = canary();
  const secrets = new Set([clientSecret, btoa(`app:${clientSecret}`).replaceAll('=', '')]);
  for (const line of [...keyPem.split('\n').slice(1, -2), keyJwk.d ?? '']) secrets.add(line);
  const server = fakeAuthorizationServer({ clock, clients: { app: { secret: clientSecret, keys: [publicKeyJwk] } } });
  const assertions: string[] = [];
  let breaks = false;
  const carrying: typeof fetch = async (input, init) => {
    const headers = new Headers(init?.headers);
    const assertion = new URLSearchParams(String(init?.body)).get('client_assertion');
    if (assertion !== null) assertions.push(assertion);
    // The API's own network errors reach the caller as they are, so these may not hold any.
    if (breaks && input instanceof Request) throw new TypeError('fetch failed', { cause: new Error('ECONNRESET') });
    if (breaks) throw new TypeError(`fetch failed: ${String(init?.body)}`, { cause: new Error(`${headers.get('authorization')} ${String(init?.body)}`) });
    const response = await server.fetch(input, init);
    const body = await response.clone().text();
    for (const [, token] of body.matchAll(/"(?:access|refresh)_token":"([^" ]+)"/g)) if (token !== undefined) secrets.add(token);
    return response;
  };
  const initial = server.issueRefreshToken({ clientId: 'app' });
  if (kind === 'user') secrets.add(initial);

  const inner = memoryStore({ clock });
  let storeFails = false;
  const store: TokenStore = {
    ...inner,
    async set(key, value, write) {
      if (storeFails) throw new Error(`could not write ${value}`, { cause: { value } });
      return inner.set(key, value, write);
    },
  };

  const options = { server: server.metadata, clientId: 'app', auth: authOf(() => clientSecret, clock), fetch: carrying };
  const grant: Grant = kind === 'user' ? refreshToken({ ...options, refreshToken: initial }) : clientCredentials(options);
  const events: JournalEntry[] = [];
  const errors: unknown[] = [];
  const outputs: unknown[] = [];
  const tokens = createTokenManager({ grant, store, clock, onEvent: (entry) => void events.push(entry) });
  const handle = tokens.for({ audience: 'other' });
  const http = createHttpClient({ tokens, baseUrl: 'https://api.test/', fetch: carrying, clock, retry: 0, onEvent: (entry) => void outputs.push(entry) });

  const attempt = async (task: () => Promise<unknown>, waitMs = 40_000): Promise<void> => {
    const done = task().then(
      (value) => void outputs.push(value),
      (error: unknown) => void errors.push(error),
    );
    for (let turn = 0; turn < 5; turn++) await clock.advance(0);
    await clock.advance(waitMs);
    await done;
    outputs.push(tokens.snapshot(), tokens.peek());
  };
  const echo = (): string => [...secrets, ...assertions.slice(-2)].join(' ');
  const refuse = async (): Promise<unknown> => tokens.getToken({ invalidToken: tokens.peek() });

  // Acquire, use, renew.
  await attempt(() => tokens.ready());
  await attempt(async () => (await http.get('things')).status);
  await attempt(() => handle.getToken());
  await clock.advance(hourMs);
  await attempt(() => tokens.getToken());

  // The server fails and echoes whatever it was sent.
  server.set({ error: 'server_error', errorMembers: { error_description: `you sent ${echo()}`, error_uri: `https://as.test/?${echo()}` } });
  await attempt(refuse);
  server.set({ error: undefined, answer: { status: 500, contentType: 'text/html', body: `<pre>${echo()}</pre>` } });
  await attempt(refuse);
  server.set({ answer: { status: 400, contentType: 'text/plain', body: echo() } });
  await attempt(refuse);
  await clock.advance(60_000);
  for (const secret of [...secrets, ...(assertions.at(-1)?.split('.') ?? [])]) {
    server.set({ answer: { status: 400, contentType: 'application/json', body: JSON.stringify({ error: secret, error_description: secret }) } });
    await attempt(refuse);
    await clock.advance(60_000);
  }
  server.set({
    answer: { status: 200, contentType: 'application/json', body: JSON.stringify({ access_token: `${canaryOf(secrets)} with a space`, token_type: echo() }) },
  });
  await attempt(refuse);
  server.set({ answer: undefined });
  await clock.advance(60_000);

  // The network fails, and its error holds the request.
  breaks = true;
  await attempt(refuse);
  await attempt(() => http.get('things'));
  breaks = false;
  await clock.advance(60_000);

  // The store fails, and its error holds the record.
  storeFails = true;
  await attempt(refuse);
  storeFails = false;
  await attempt(refuse);

  // The API refuses one token, then every token.
  const peeked = tokens.peek();
  if (peeked !== undefined) server.revokeAccessToken(peeked.value);
  await attempt(async () => (await http.get('things')).status);
  server.set({ apiRefuses: true });
  await attempt(() => http.get('things'));
  await attempt(() => http.post('things', { json: { a: 1 } }));
  server.set({ apiRefuses: false });

  // The end: refused for good, or revoked at a server that cannot be told.
  server.set({
    revocationAnswer: { status: 503, contentType: 'application/json', body: JSON.stringify({ error: 'server_error', error_description: echo() }) },
  });
  if (kind === 'user') server.set({ error: 'invalid_grant', errorMembers: { error_description: `unknown token ${echo()}` } });
  await attempt(refuse);
  await attempt(() => tokens.revoke());
  await attempt(() => tokens.getToken());
  await tokens.dispose();
  await attempt(() => tokens.getToken());

  const things: readonly unknown[] = [
    events,
    tokens.explain(),
    errors,
    outputs,
    tokens,
    handle,
    grant,
    http,
    tokens.snapshot(),
    options.auth,
    ...errors,
    ...outputs,
  ];
  return {
    output: things.map(shown).join('\n'),
    // The first and the last of the assertions stand for all.
    secrets: [...secrets, ...[...assertions.slice(0, 2), ...assertions.slice(-3)].flatMap((assertion) => assertion.split('.'))],
    urls: urlsOf(server),
    errors,
    eventTypes: new Set(events.map((event) => event.type)),
    printed,
  };
}

function canaryOf(secrets: ReadonlySet<string>): string {
  const [first = ''] = secrets;
  return first;
}

function urlsOf(server: FakeAuthorizationServer): string {
  return server.requests.map((request) => request.url).join('\n');
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a whole life with every secret echoed back', () => {
  it.each([
    ['user', 'client_secret_basic', (secret) => clientSecretBasic(secret)],
    ['user', 'client_secret_post', clientSecretPost],
    ['service', 'client_secret_basic', (secret) => clientSecretBasic(secret)],
    ['service', 'client_secret_post', clientSecretPost],
    ['user', 'client_secret_jwt', (secret) => clientSecretJwt(secret)],
    ['service', 'client_secret_jwt', (secret) => clientSecretJwt(secret)],
    ['service', 'private_key_jwt in PEM', () => privateKeyJwt(keyPem)],
    ['user', 'private_key_jwt of a function', () => privateKeyJwt(() => ({ key: keyJwk, kid: 'k' }))],
    ['service', 'an assertion of the platform', (_secret, clock) => clientAssertion(() => platformToken(clock))],
  ] satisfies readonly (readonly ['user' | 'service', string, Parameters<typeof live>[1]])[])(
    'of a %s with %s shows no piece of one in any event, error, journal, inspection, URL or log line [S6, S8, P3, gap 9, complaint 18, peer P17]',
    async (kind, _method, authOf) => {
      const life = await live(kind, authOf);
      // The life was a rich one, and the search would find something.
      expect(life.secrets.length).toBeGreaterThan(5);
      expect(life.errors.length).toBeGreaterThan(8);
      expect([...life.eventTypes]).toEqual(
        expect.arrayContaining([
          'token',
          'refused',
          'attempt_failed',
          'renewal_failed',
          'storage_error',
          'expired',
          ...(kind === 'user' ? ['session_ended'] : []),
        ]),
      );
      expect(leaks(`log: ${life.secrets[0]?.slice(3, 12)}`, life.secrets)).toEqual([life.secrets[0]]);

      expect(leaks(life.output, life.secrets)).toEqual([]);
      expect(leaks(life.urls, life.secrets)).toEqual([]);
      expect(life.printed).toEqual([]);
    },
    30_000,
  );

  it('would be found out: the search sees through errors, causes, hidden members and nesting [S6]', () => {
    const secret = canary();
    const hidden = Object.defineProperty({}, 'token', { value: secret, enumerable: false });
    for (const leaky of [new Error(secret), new Error('x', { cause: new Error(secret) }), { a: { b: { c: [secret] } } }, hidden, new Map([[secret, 1]])])
      expect(leaks(shown(leaky), [secret])).toEqual([secret]);
    expect(leaks(shown({ length: secret.length, first: secret.slice(0, 7) }), [secret])).toEqual([]);
  });
});

describe('what callers hold', () => {
  async function holder(): Promise<{ tokens: TokenManager; server: FakeAuthorizationServer }> {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock });
    const grant = clientCredentials({ server: server.metadata, clientId: 'app', auth: clientSecretPost('a-secret-of-the-client'), fetch: server.fetch });
    return { tokens: createTokenManager({ grant, clock, store: memoryStore({ clock }) }), server };
  }

  it('is a frozen token that shows nothing but its type, end and scope [S7, gap 9, peer P17]', async () => {
    const { tokens } = await holder();
    const token = await tokens.getToken();
    expect(Object.isFrozen(token)).toBe(true);
    expect(Object.keys(token)).toEqual([]);
    expect({ ...token }).toEqual({});
    expect(leaks(shown(token), [token.value])).toEqual([]);
    expect(leaks(shown({ nested: [token] }), [token.value])).toEqual([]);
    expect(`${token}`).toBe('[AccessToken Bearer]');
    expect(JSON.parse(JSON.stringify(token))).toEqual({ type: 'Bearer', expiresAt: token.expiresAt, scope: [] });
  });

  it('is a manager and handles that show neither tokens nor secrets [S6, peer P17]', async () => {
    const { tokens } = await holder();
    const handle = tokens.for({ audience: 'other' });
    const values = [(await tokens.getToken()).value, (await handle.getToken()).value, 'a-secret-of-the-client'];
    for (const thing of [tokens, handle, tokens.snapshot(), tokens.explain()]) expect(leaks(shown(thing), values)).toEqual([]);
  });

  it('is client authentication that does not show its secret [S6, peer P17]', () => {
    for (const auth of [
      clientSecretBasic('a-secret-of-the-client'),
      clientSecretPost('a-secret-of-the-client'),
      clientSecretPost(() => 'a-secret-of-the-client'),
      clientSecretJwt('a-secret-of-the-client, which is long'),
    ])
      expect(leaks(shown(auth), ['a-secret-of-the-client'])).toEqual([]);
  });
});
