import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TokenError } from '../../../src/core/errors.js';
import { type ClientAuth, clientSecretBasic, clientSecretPost, none } from '../../../src/protocol/client-auth/client-auth.js';
import { clientCredentials } from '../../../src/protocol/grants/client-credentials.js';
import { refreshToken } from '../../../src/protocol/grants/refresh-token.js';
import { context, failure, fakeServer, good, json, type Recorded, server, thrown } from './wire.js';

async function sent(auth: ClientAuth, clientId = 'svc'): Promise<Recorded> {
  const fake = fakeServer(json(good));
  await refreshToken({ server, clientId, auth, fetch: fake.fetch, refreshToken: 'rt-1' }).request(undefined, context());
  const [request] = fake.requests;
  if (request === undefined) throw new Error('nothing was sent');
  return request;
}

function basicParts(request: Recorded): string[] {
  const bytes = Uint8Array.from(atob(request.headers.get('authorization')?.replace('Basic ', '') ?? ''), (char) => char.charCodeAt(0));
  return new TextDecoder().decode(bytes).split(':');
}

// What a server does that decodes as RFC 6749 App. B says.
const formDecode = (part: string | undefined): string => new URLSearchParams(`x=${part ?? ''}`).get('x') ?? '';

afterEach(() => vi.unstubAllGlobals());

describe('client authentication', () => {
  it.each(['my-app', 'a:b', 'a+b', '50%', 'a/b', 'a b', 'ä', '*._-~!'])(
    'sends the id and secret %j in a way that a decoding server reads back [P6]',
    async (value) => {
      for (const encoding of ['form', 'strict'] as const) {
        const parts = basicParts(await sent(clientSecretBasic(value, { encoding }), value));
        expect(parts.map(formDecode)).toEqual([value, value]);
      }
    },
  );

  it('leaves ids such as my-app alone by default, escapes them when strict and everything not at all when raw [P6]', async () => {
    expect(basicParts(await sent(clientSecretBasic('s*e._-c'), 'my-app'))).toEqual(['my-app', 's*e._-c']);
    expect(basicParts(await sent(clientSecretBasic('s*e._-c', { encoding: 'strict' }), 'my-app'))).toEqual(['my%2Dapp', 's%2Ae%2E%5F%2Dc']);
    expect(basicParts(await sent(clientSecretBasic('a+b %ä', { encoding: 'raw' }), 'my-app'))).toEqual(['my-app', 'a+b %ä']);
  });

  it('refuses an id with a colon where nothing is encoded, since the server could not split it [P6]', async () => {
    const grant = clientCredentials({ server, clientId: 'a:b', auth: clientSecretBasic('s', { encoding: 'raw' }), fetch: fakeServer(json(good)).fetch });
    expect((await failure(grant.request(undefined, context()))).code).toBe('invalid_option');
  });

  it('posts id and secret form-encoded once [P7]', async () => {
    const request = await sent(clientSecretPost('a+b%2F c'));
    expect(request.body.get('client_secret')).toBe('a+b%2F c');
    expect(request.body.get('client_id')).toBe('svc');
  });

  it('reads back any secret that it posts [P7]', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ minLength: 1 }).filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text)),
        async (secret) => {
          expect((await sent(clientSecretPost(secret))).body.get('client_secret')).toBe(secret);
          expect(formDecode(basicParts(await sent(clientSecretBasic(secret)))[1])).toBe(secret);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('uses exactly one method per request [P4]', async () => {
    const basic = await sent(clientSecretBasic('s'));
    expect([basic.headers.has('authorization'), basic.body.has('client_secret')]).toEqual([true, false]);
    const post = await sent(clientSecretPost('s'));
    expect([post.headers.has('authorization'), post.body.has('client_secret')]).toEqual([false, true]);
    const open = await sent(none());
    expect([open.headers.has('authorization'), open.body.has('client_secret'), open.body.get('client_id')]).toEqual([false, false, 'svc']);
  });

  it('asks a secret function anew at every attempt [G2]', async () => {
    let turn = 0;
    const fake = fakeServer(json(good));
    const grant = clientCredentials({ server, clientId: 'svc', auth: clientSecretPost(async () => `secret-${++turn}`), fetch: fake.fetch });
    await grant.request(undefined, context());
    await grant.request(undefined, context());
    expect(fake.requests.map(({ body }) => body.get('client_secret'))).toEqual(['secret-1', 'secret-2']);
  });

  it('tells that a secret function failed, and not what it said [S6]', async () => {
    const grant = clientCredentials({
      server,
      clientId: 'svc',
      auth: clientSecretPost(() => {
        throw new Error('vault: canary-secret');
      }),
      fetch: fakeServer(json(good)).fetch,
    });
    const error = await failure(grant.request(undefined, context()));
    expect(error.code).toBe('grant_failed');
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('canary');
  });

  it('passes on a TokenError of a secret function, which says what it asks for', async () => {
    const own = new TokenError('interaction_required', 'unlock the vault', { phase: 'token' });
    const grant = clientCredentials({ server, clientId: 'svc', auth: clientSecretPost(() => Promise.reject(own)), fetch: fakeServer(json(good)).fetch });
    expect(await failure(grant.request(undefined, context()))).toBe(own);
  });

  it.each(['', 'line\r\nbreak', undefined, 5])('fails with the name of the option when a secret function gives %j [P6]', async (value) => {
    const auth = clientSecretPost(() => value as string);
    const error = await failure(clientCredentials({ server, clientId: 'svc', auth, fetch: fakeServer(json(good)).fetch }).request(undefined, context()));
    expect(error).toMatchObject({ code: 'invalid_option', kind: 'configuration' });
  });

  it.each(['', 'a\nb', 'a\u0000b', 7, undefined, null])('refuses the secret %j at construction', (value) => {
    for (const make of [clientSecretBasic, clientSecretPost]) {
      const error = thrown(() => make(value as string));
      expect(error.code).toBe('invalid_option');
      expect(error.message).toContain('"secret"');
    }
  });

  it.each(['FORM', 'constructor', '__proto__', 1])('refuses the encoding %j at construction', (encoding) => {
    expect(thrown(() => clientSecretBasic('s', { encoding: encoding as 'form' })).message).toContain('encoding');
  });

  it('shows no secret when it is printed, turned into JSON or inspected with everything hidden shown [S6]', () => {
    const secret = 'canary-0123456789-secret';
    for (const auth of [clientSecretBasic(secret), clientSecretPost(secret)]) {
      const grant = clientCredentials({ server, clientId: 'svc', auth });
      for (const value of [auth, grant]) {
        expect(inspect(value, { depth: null, showHidden: true, getters: true }) + JSON.stringify(value) + String(value)).not.toContain('canary');
      }
    }
  });

  it('refuses a secret in a page, where everyone who opens it has it [P8]', () => {
    vi.stubGlobal('window', {});
    vi.stubGlobal('document', {});
    for (const auth of [clientSecretBasic('s'), clientSecretPost('s')]) {
      expect(thrown(() => refreshToken({ server, clientId: 'svc', auth, refreshToken: 'rt' })).message).toContain('browser');
      expect(thrown(() => clientCredentials({ server, clientId: 'svc', auth })).code).toBe('invalid_option');
    }
    expect(() => refreshToken({ server, clientId: 'svc', auth: none(), refreshToken: 'rt' })).not.toThrow();
  });

  it('refuses client credentials for a public client [G1]', () => {
    expect(thrown(() => clientCredentials({ server, clientId: 'svc' })).message).toContain('confidential');
    expect(thrown(() => clientCredentials({ server, clientId: 'svc', auth: none() })).code).toBe('invalid_option');
  });

  it.each([
    ['none', none(), false],
    ['client_secret_post', clientSecretPost('s'), false],
    ['client_secret_basic', clientSecretBasic('s'), true],
  ] as const)('sends %s as configured and warns once when the metadata lists others only [P5]', async (method, auth, isListed) => {
    const fake = fakeServer(json(good));
    const metadata = { ...server, token_endpoint_auth_methods_supported: ['client_secret_basic', 'private_key_jwt'] };
    const grant = refreshToken({ server: metadata, clientId: 'svc', auth, fetch: fake.fetch, refreshToken: 'rt' });
    const given = context();
    await grant.request(undefined, given);
    await grant.request(undefined, given);
    const warnings = given.events.filter((event) => event.type === 'warning' && event.code === 'auth_method_not_listed');
    expect(warnings).toHaveLength(isListed ? 0 : 1);
    if (!isListed) expect(warnings[0]).toMatchObject({ message: expect.stringContaining('client_secret_basic, private_key_jwt') });
    expect(fake.requests[0]?.headers.has('authorization')).toBe(method === 'client_secret_basic');
  });

  it('does not try another method after invalid_client [P5]', async () => {
    const fake = fakeServer(json({ error: 'invalid_client' }, 401, { 'www-authenticate': 'Basic realm="as"' }));
    const error = await failure(clientCredentials({ server, clientId: 'svc', auth: clientSecretPost('s'), fetch: fake.fetch }).request(undefined, context()));
    expect(error).toMatchObject({ code: 'client_rejected', kind: 'configuration' });
    expect(fake.requests).toHaveLength(1);
  });
});
