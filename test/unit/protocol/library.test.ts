import * as oauth from 'oauth4webapi';
import { describe, expect, it } from 'vitest';
import { fakeServer, good, json, server, text } from './wire.js';

// What the pinned oauth4webapi does by itself, and therefore what src/protocol does around it.
const as: oauth.AuthorizationServer = server;
const client: oauth.Client = { client_id: 'svc' };

const read = (response: Response) => oauth.processClientCredentialsResponse(as, client, response);

describe('oauth4webapi as it is', () => {
  it.each<[string, object]>([
    ['a missing access_token', { access_token: undefined }],
    ['an empty token_type', { token_type: '' }],
    ['the token_type mac', { token_type: 'mac' }],
    ['a scope that is a list', { scope: ['a'] }],
    ['a negative expires_in', { expires_in: -1 }],
    ['an expires_in of null', { expires_in: null }],
    ['an empty refresh_token', { refresh_token: '' }],
    ['a refresh_token of null', { refresh_token: null }],
  ])('refuses %s [L1]', async (_name, members) => {
    await expect(read(json({ ...good, ...members })())).rejects.toThrow();
  });

  it('refuses 201, reads 3600abc as 3600 and accepts a token that no header can hold [L1]', async () => {
    await expect(read(json(good, 201)())).rejects.toThrow();
    await expect(read(json({ ...good, expires_in: '3600abc' })())).resolves.toMatchObject({ expires_in: 3600 });
    await expect(read(json({ ...good, access_token: 'a\r\nb' })())).resolves.toMatchObject({ access_token: 'a\r\nb' });
  });

  it('reads a body of any size [L2]', async () => {
    await expect(read(json({ ...good, filler: 'x'.repeat(2_000_000) })())).resolves.toMatchObject({ access_token: 'at-1' });
  });

  it('reports a challenge before the error of the body, and reads no error body outside 400 to 499 [L2]', async () => {
    await expect(read(json({ error: 'invalid_client' }, 401, { 'www-authenticate': 'Basic realm="x"' })())).rejects.toBeInstanceOf(
      oauth.WWWAuthenticateChallengeError,
    );
    await expect(read(json({ error: 'invalid_client' }, 401)())).rejects.toMatchObject({ error: 'invalid_client' });
    await expect(read(json({ error: 'temporarily_unavailable' }, 500)())).rejects.not.toHaveProperty('error');
    await expect(read(json({ error: 'bad_verification_code' }, 200)())).rejects.not.toHaveProperty('error');
    await expect(read(text('{"error":"invalid_grant"}', 403)())).rejects.not.toHaveProperty('error');
  });

  it('sets redirect manual by itself for tokens, revocation and discovery [L3]', async () => {
    const fake = fakeServer(json(good));
    const options = { [oauth.customFetch]: fake.fetch as (url: string, options: object) => Promise<Response> };
    await oauth.genericTokenEndpointRequest(as, client, oauth.None(), 'client_credentials', {}, options);
    await oauth.revocationRequest(as, client, oauth.None(), 'at', options);
    await oauth.discoveryRequest(new URL(server.issuer), options);
    expect(fake.requests.map(({ init }) => init.redirect)).toEqual(['manual', 'manual', 'manual']);
  });

  it('signs assertions for the issuer, for 60 s, with nbf and without typ, and lets them be changed [L4]', async () => {
    const { privateKey } = await oauth.generateKeyPair('ES256');
    const seen: { header: Record<string, unknown>; payload: Record<string, unknown> }[] = [];
    const auth = oauth.PrivateKeyJwt(privateKey, {
      [oauth.modifyAssertion]: (header, payload) => {
        seen.push({ header: { ...header }, payload: { ...payload } });
        header['typ'] = 'client-authentication+jwt';
        Reflect.deleteProperty(payload, 'nbf');
        payload['aud'] = 'https://as.example/token';
      },
    });
    const fake = fakeServer(json(good));
    await oauth.genericTokenEndpointRequest(
      as,
      client,
      auth,
      'client_credentials',
      {},
      { [oauth.customFetch]: fake.fetch as (url: string, options: object) => Promise<Response> },
    );
    const { header, payload } = seen[0] ?? { header: {}, payload: {} };
    expect(header).not.toHaveProperty('typ');
    expect(payload['aud']).toBe(server.issuer);
    expect(payload['nbf']).toBe(payload['iat']);
    expect(Number(payload['exp']) - Number(payload['iat'])).toBe(60);
    const [head, body] = (fake.requests[0]?.body.get('client_assertion') ?? '').split('.');
    const decode = (part: string | undefined): unknown => JSON.parse(atob((part ?? '').replaceAll('-', '+').replaceAll('_', '/')));
    expect(decode(head)).toMatchObject({ typ: 'client-authentication+jwt' });
    expect(decode(body)).not.toHaveProperty('nbf');
    expect(decode(body)).toMatchObject({ aud: 'https://as.example/token' });
  });

  it('escapes a hyphen in client_secret_basic, which servers that do not decode refuse [P6]', async () => {
    const fake = fakeServer(json(good));
    await oauth.genericTokenEndpointRequest(
      as,
      { client_id: 'my-app' },
      oauth.ClientSecretBasic('s'),
      'client_credentials',
      {},
      { [oauth.customFetch]: fake.fetch as (url: string, options: object) => Promise<Response> },
    );
    expect(atob(fake.requests[0]?.headers.get('authorization')?.slice(6) ?? '')).toBe('my%2Dapp:s');
  });

  it('keeps a DPoP nonce in the handle and leaves the retry to its caller [L5]', async () => {
    const dpop = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
    const fake = fakeServer(json({ error: 'use_dpop_nonce' }, 400, { 'dpop-nonce': 'nonce-1' }), json(good));
    const options = { DPoP: dpop, [oauth.customFetch]: fake.fetch as (url: string, options: object) => Promise<Response> };
    const ask = () => oauth.genericTokenEndpointRequest(as, client, oauth.None(), 'client_credentials', {}, options);
    await expect(read(await ask())).rejects.toMatchObject({ error: 'use_dpop_nonce' });
    expect(fake.requests).toHaveLength(1);
    await expect(read(await ask())).resolves.toMatchObject({ access_token: 'at-1' });
    const claims = (index: number): unknown =>
      JSON.parse(atob((fake.requests[index]?.headers.get('dpop') ?? '').split('.')[1]?.replaceAll('-', '+').replaceAll('_', '/') ?? ''));
    expect(claims(0)).not.toHaveProperty('nonce');
    expect(claims(1)).toMatchObject({ nonce: 'nonce-1' });
  });
});
