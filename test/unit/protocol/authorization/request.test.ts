import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkRedirectUri } from '../../../../src/protocol/authorization/redirect-uri.js';
import { checkSignIn, type SignInOptions } from '../../../../src/protocol/authorization/sign-in-options.js';
import { authorizationRequest } from '../../../../src/protocol/authorization/authorization-request.js';
import { redeemCode } from '../../../../src/protocol/authorization/redeem-code.js';
import { clientSecretBasic, clientSecretPost } from '../../../../src/protocol/client-auth/client-auth.js';
import { dpop } from '../../../../src/protocol/dpop/dpop.js';
import { failure, standingClock, thrown } from '../wire.js';
import { begin, redirectUri, signIn, visit, world } from './support.js';

describe('an authorization request', () => {
  it('asks for a code and nothing else, with state, nonce and an S256 challenge [A1] [A2] [A4] [A5]', async () => {
    const { transaction, url } = await begin(world(), { scope: 'openid api:read' });
    expect(`${url.origin}${url.pathname}`).toBe('https://as.test/authorize');
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: 'code',
      client_id: 'app',
      redirect_uri: redirectUri,
      scope: 'openid api:read',
      state: transaction.state,
      nonce: transaction.nonce,
      code_challenge: createHash('sha256')
        .update(transaction.codeVerifier ?? '')
        .digest('base64url'),
      code_challenge_method: 'S256',
    });
    expect(transaction).toMatchObject({ issuer: 'https://as.test', clientId: 'app', redirectUri, responseMode: 'query', isIssuerNamed: true });
    expect(transaction.createdAt).toBe(1_800_000_000_000);
  });

  it('draws state, nonce and verifier of 256 bits anew for each transaction [A2] [A4] [A5]', async () => {
    const here = world();
    const transactions = await Promise.all(Array.from({ length: 20 }, async () => (await begin(here)).transaction));
    const drawn = transactions.flatMap(({ state, nonce, codeVerifier }) => [state, nonce, codeVerifier]);
    expect(new Set(drawn).size).toBe(60);
    for (const value of drawn) expect(value).toMatch(/^[\w-]{43}$/);
  });

  it('sends no nonce where no ID token is asked for [A5]', async () => {
    const { transaction, url } = await begin(world(), { scope: 'api:read' });
    expect(transaction.nonce).toBeUndefined();
    expect(url.searchParams.has('nonce')).toBe(false);
  });

  it('keeps what the app says to itself in the transaction alone [A4]', async () => {
    const { transaction, url } = await begin(world(), {}, '/orders?page=2');
    expect(transaction.appState).toBe('/orders?page=2');
    expect(decodeURIComponent(url.href)).not.toContain('/orders');
    expect(JSON.parse(JSON.stringify(transaction))).toEqual(JSON.parse(JSON.stringify({ ...transaction })));
  });

  it('uses PKCE for confidential clients too, and leaves it out only where the preset says so [A2]', async () => {
    const auth = clientSecretPost('s3cret');
    expect((await begin(world({}, { auth }))).url.searchParams.has('code_challenge')).toBe(true);
    const without = await begin(world({}, { auth, preset: { pkce: 'unsupported' } }));
    expect(without.url.searchParams.has('code_challenge')).toBe(false);
    expect(without.transaction.codeVerifier).toBeUndefined();
    expect(await failure(begin(world({}, { preset: { pkce: 'unsupported' } })))).toMatchObject({ code: 'invalid_option' });
  });

  it.each([
    ['plain alone', ['plain'], false],
    ['nothing', [], false],
    ['both', ['plain', 'S256'], true],
    ['no list', undefined, true],
  ])('goes by what the metadata lists for PKCE: %s [A2]', async (_name, methods, isSent) => {
    const here = world({ metadata: { code_challenge_methods_supported: methods } });
    if (isSent) expect((await begin(here)).url.searchParams.get('code_challenge_method')).toBe('S256');
    else expect(await failure(begin(here))).toMatchObject({ code: 'request_rejected', kind: 'configuration', phase: 'authorization' });
  });

  it('refuses metadata that lists PKCE methods without S256 [A2]', async () => {
    const error = await failure(begin(world({ metadata: { code_challenge_methods_supported: ['plain'] } })));
    expect(error).toMatchObject({ code: 'request_rejected', phase: 'authorization' });
    expect(error.message).toContain('S256');
  });

  it('has a typed option for each parameter of OpenID Connect [A16] [A13]', async () => {
    const { transaction, url } = await begin(world(), {
      scope: ['openid', 'profile'],
      prompt: 'login consent',
      loginHint: 'alice@example.com',
      maxAgeMs: 90_500,
      acrValues: ['urn:mfa', 'urn:pwd'],
      uiLocales: 'nb en',
      idTokenHint: 'a.b.c',
      claims: { id_token: { email: null } },
      responseMode: 'fragment',
    });
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      scope: 'openid profile',
      prompt: 'login consent',
      login_hint: 'alice@example.com',
      max_age: '90',
      acr_values: 'urn:mfa urn:pwd',
      ui_locales: 'nb en',
      id_token_hint: 'a.b.c',
      claims: '{"id_token":{"email":null}}',
      response_mode: 'fragment',
    });
    expect(transaction).toMatchObject({ maxAgeMs: 90_500, acrValues: ['urn:mfa', 'urn:pwd'], responseMode: 'fragment' });
  });

  it('sends max_age 0, which asks for a new sign-in [A16]', async () => {
    expect((await begin(world(), { maxAgeMs: 0 })).url.searchParams.get('max_age')).toBe('0');
  });

  it('repeats resource, and hands audience and further parameters through [P31]', async () => {
    const details = '[{"type":"payment"}]';
    const { url } = await begin(world(), {
      resource: ['https://a.example/', 'https://b.example/'],
      audience: 'orders',
      params: { authorization_details: details, organization: 'acme' },
    });
    expect(url.searchParams.getAll('resource')).toEqual(['https://a.example/', 'https://b.example/']);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({ audience: 'orders', authorization_details: details, organization: 'acme' });
  });

  it.each([
    ...['response_type', 'response_mode', 'state', 'nonce', 'code_challenge', 'code_challenge_method', 'request', 'request_uri', 'prompt', 'max_age'],
    ...[
      'login_hint',
      'id_token_hint',
      'acr_values',
      'ui_locales',
      'claims',
      'dpop_jkt',
      'client_id',
      'client_secret',
      'redirect_uri',
      'code_verifier',
      'scope',
    ],
  ])('refuses %s among the further parameters [P32]', (name) => {
    const error = thrown(() => checkSignIn({ params: { [name]: 'x' } }));
    expect(error).toMatchObject({ code: 'invalid_option' });
    expect(error.message).toContain(`params.${name}`);
  });

  it.each<[string, SignInOptions]>([
    ['prompt', { prompt: 'none login' }],
    ['prompt', { prompt: ' ' }],
    ['prompt', { prompt: 'a\nb' }],
    ['loginHint', { loginHint: '' }],
    ['maxAgeMs', { maxAgeMs: -1 }],
    ['maxAgeMs', { maxAgeMs: Number.NaN }],
    ['acrValues', { acrValues: [] }],
    ['uiLocales', { uiLocales: '' }],
    ['idTokenHint', { idTokenHint: '' }],
    ['claims', { claims: JSON.parse('[]') }],
    ['responseMode', { responseMode: JSON.parse('"form_post"') }],
    ['pushed', { pushed: JSON.parse('"yes"') }],
  ])('names %s when it cannot be: %j [A16]', (option, options) => {
    const error = thrown(() => checkSignIn(options));
    expect(error).toMatchObject({ code: 'invalid_option', phase: 'options' });
    expect(error.message).toContain(option);
  });

  it('keeps a query that the endpoint has of its own [P2]', async () => {
    const here = world({ metadata: { authorization_endpoint: 'https://as.test/authorize?p=policy&client_id=other' } });
    const { url } = await begin(here);
    expect(url.searchParams.get('p')).toBe('policy');
    expect(url.searchParams.getAll('client_id')).toEqual(['app']);
  });

  it('needs an authorization endpoint, on https or a host that may be trusted [P2] [S10]', async () => {
    for (const endpoint of [undefined, 'http://as.test/authorize', 'https://10.0.0.1/authorize', 5])
      expect(await failure(begin(world({ metadata: { authorization_endpoint: endpoint } })))).toMatchObject({
        code: 'discovery_failed',
        phase: 'authorization',
      });
  });
});

describe('a redirect URI', () => {
  it.each([
    'https://app.example/cb',
    'https://app.example/cb?x=1',
    'http://localhost:3000/',
    'http://127.0.0.1:8080/cb',
    'http://[::1]/cb',
    'com.example.app:/cb',
  ])('may be %s [A8]', (uri) => {
    expect(checkRedirectUri(uri, new Set())).toBe(uri);
  });

  it.each([
    '',
    '/cb',
    'https://app.example/cb#x',
    'http://app.example/cb',
    'javascript:alert(1)',
    'data:text/html,x',
    'myapp:/cb',
    'https://u:p@app.example/',
    5,
  ])('may not be %s [A8]', (uri) => {
    expect(thrown(() => checkRedirectUri(uri, new Set()))).toMatchObject({ code: 'invalid_option' });
  });

  it('may be on a plain http origin that was named [A8]', () => {
    expect(checkRedirectUri('http://app.internal/cb', new Set(['http://app.internal']))).toBe('http://app.internal/cb');
  });
});

describe('a pushed authorization request', () => {
  it('is pushed where the server requires it: only client and reference are left in the URL [A14]', async () => {
    const here = world({ pushedRequests: 'required' });
    const begun = await begin(here, { scope: 'openid', loginHint: 'alice' });
    const [pushed] = here.as.requestsTo('pushedAuthorization');
    expect(Object.fromEntries(pushed?.params ?? [])).toMatchObject({
      response_type: 'code',
      client_id: 'app',
      redirect_uri: redirectUri,
      state: begun.transaction.state,
      nonce: begun.transaction.nonce,
      code_challenge_method: 'S256',
      login_hint: 'alice',
    });
    expect([...begun.url.searchParams.keys()]).toEqual(['client_id', 'request_uri']);
    expect(new URL(await visit(here, begun)).searchParams.has('code')).toBe(true);
  });

  it('is pushed where the app asks for it, with the credentials of the client and no user in the URL [A14] [P3]', async () => {
    const here = world({}, { auth: clientSecretBasic('s3cret') });
    const signedIn = await signIn(here, { scope: 'openid', pushed: true });
    expect(signedIn.idTokenClaims?.sub).toBe('alice');
    const [pushed] = here.as.requestsTo('pushedAuthorization');
    expect(pushed?.headers.get('authorization')).toMatch(/^Basic /);
    expect(pushed?.method).toBe('POST');
    expect(here.as.requests.map(({ url }) => url).join()).not.toContain('s3cret');
  });

  it('is pushed again when its reference has expired, and not before [A14]', async () => {
    const clock = standingClock();
    const here = world({ pushedRequests: 'required', requestUriExpiresIn: 60 }, {}, clock);
    const request = await authorizationRequest(here.server, { scope: 'openid' }, { redirectUri }, here.given);
    const first = await request.url(here.given);
    clock.time += 50_000;
    expect(await request.url(here.given)).toBe(first);
    clock.time += 10_000;
    const second = await request.url(here.given);
    expect(second).not.toBe(first);
    expect(here.as.requestsTo('pushedAuthorization')).toHaveLength(2);
    expect(await here.as.visit(first)).toBeUndefined();
    expect(await here.as.visit(second)).toContain(`state=${request.transaction.state}`);
  });

  it('takes 200 for 201, and refuses an answer without a reference [A14]', async () => {
    const answer = (body: object, status: number) => ({ pushedAnswer: { status, body: JSON.stringify(body), contentType: 'application/json' } });
    expect((await begin(world(answer({ request_uri: 'urn:x', expires_in: 60 }, 200)), { pushed: true })).url.searchParams.get('request_uri')).toBe('urn:x');
    expect(await failure(begin(world(answer({ expires_in: 60 }, 201)), { pushed: true }))).toMatchObject({ code: 'invalid_response', phase: 'authorization' });
    const refused = await failure(
      begin(world(answer({ error: 'invalid_request', error_description: 'no alice@example.com' }, 400)), { pushed: true, loginHint: 'alice@example.com' }),
    );
    expect(refused).toMatchObject({ code: 'request_rejected', oauthError: 'invalid_request', status: 400 });
    expect(refused.message).not.toContain('alice');
  });

  it('is given up after 10 s without an answer [R20] [A14]', async () => {
    const here = world({ pushedRequests: 'required' });
    const request = await authorizationRequest(here.server, { scope: 'openid' }, { redirectUri }, here.given);
    const server = { ...here.server, fetch: () => new Promise<Response>(() => undefined) };
    const hanging = await authorizationRequest(server, { scope: 'openid' }, { redirectUri }, here.given);
    const clock = { ...here.clock, sleep: (ms: number) => (ms === 10_000 ? Promise.resolve() : new Promise<void>(() => undefined)) };
    expect(await failure(hanging.url({ ...here.given, clock }))).toMatchObject({ code: 'timeout', phase: 'authorization' });
    await expect(request.url(here.given)).resolves.toContain('request_uri');
  });

  it('is not possible where the server names no endpoint for it [A14]', async () => {
    expect(await failure(begin(world({ pushedRequests: 'absent' }), { pushed: true }))).toMatchObject({ code: 'discovery_failed' });
  });
});

describe('a code that is bound to a DPoP key', () => {
  it('names the key in the request, and is worth nothing without it [H22]', async () => {
    const key = dpop();
    const here = world({ dpop: 'required' }, { dpop: key });
    const { url, tokens } = await signIn(here);
    expect(url.searchParams.get('dpop_jkt')).toBe(await key.thumbprint());
    expect(tokens.tokenType).toBe('DPoP');
    expect(here.as.requestsTo('token')[0]?.headers.get('dpop')).toBeTruthy();

    const thief = world({ dpop: 'required' }, { dpop: key });
    const begun = await begin(thief);
    const code = new URL(await visit(thief, begun)).searchParams.get('code') ?? '';
    const other = { ...thief.server, dpop: dpop() };
    expect(await failure(redeemCode(other, begun.transaction, { code }, thief.given))).toMatchObject({ code: 'grant_revoked' });
  });
});
