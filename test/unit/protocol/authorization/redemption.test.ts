import { inspect } from 'node:util';
import { generateKeyPair } from 'jose';
import { describe, expect, it } from 'vitest';
import { readAuthorizationResponse } from '../../../../src/protocol/authorization/authorization-response.js';
import { redeemCode } from '../../../../src/protocol/authorization/redeem-code.js';
import { clientSecretBasic } from '../../../../src/protocol/client-auth/client-auth.js';
import { clientCredentials } from '../../../../src/protocol/grants/client-credentials.js';
import { dpop } from '../../../../src/protocol/dpop/dpop.js';
import { privateKeyJwt } from '../../../../src/protocol/client-auth/private-key-jwt.js';
import type { SignInOptions } from '../../../../src/protocol/authorization/sign-in-options.js';
import { context, failure, standingClock } from '../wire.js';
import { begin, redirectUri, signIn, visit, type World, world } from './support.js';

async function ready(here: World, options?: SignInOptions) {
  const begun = await begin(here, options);
  const response = readAuthorizationResponse(await visit(here, begun), begun.transaction, here.clock);
  return { ...begun, response, redeem: (given = here.given) => redeemCode(here.server, begun.transaction, response, given) };
}

describe('the redemption of a code', () => {
  it('gives tokens and says who signed in [A21]', async () => {
    const { tokens, idTokenClaims } = await signIn(world(), { scope: 'openid api:read' });
    expect(tokens).toMatchObject({ tokenType: 'Bearer', lifetimeMs: 3_600_000, scope: ['openid', 'api:read'] });
    expect(tokens.refreshToken).toMatch(/^rt-/);
    expect(tokens.idToken).toMatch(/^eyJ/);
    expect(idTokenClaims).toMatchObject({ sub: 'alice', iss: 'https://as.test', aud: 'app' });
    expect(Object.isFrozen(idTokenClaims)).toBe(true);
  });

  it('repeats the redirect URI and brings the verifier, which the server checks [A12] [A2]', async () => {
    const here = world();
    const { redeem, transaction, response } = await ready(here);
    await redeem();
    const [request] = here.as.requestsTo('token');
    expect(Object.fromEntries(request?.params ?? [])).toEqual({
      grant_type: 'authorization_code',
      code: response.code,
      redirect_uri: redirectUri,
      code_verifier: transaction.codeVerifier,
      client_id: 'app',
    });
    expect(here.as.requests.map(({ url }) => url).join()).not.toContain(transaction.codeVerifier);
    const other = await ready(here);
    const forged = { ...other.transaction, codeVerifier: transaction.codeVerifier };
    expect(await failure(redeemCode(here.server, forged, other.response, here.given))).toMatchObject({ code: 'grant_revoked', oauthError: 'invalid_grant' });
  });

  it('names the API that the sign-in or the caller names [P31]', async () => {
    const here = world();
    const resource = ['https://a.example/', 'https://b.example/'];
    await (await ready(here, { resource })).redeem();
    await (await ready(here, { resource })).redeem(context({ clock: here.clock, target: { resource: 'https://b.example/' } }));
    expect(here.as.requestsTo('token').map(({ params }) => params.getAll('resource'))).toEqual([resource, ['https://b.example/']]);
  });

  it('uses no ID token that was not asked for [A5]', async () => {
    const here = world({ members: { id_token: 'e30.e30.' } });
    const { tokens, idTokenClaims } = await signIn(here, { scope: 'api:read' });
    expect(tokens).not.toHaveProperty('idToken');
    expect(idTokenClaims).toBeUndefined();
    expect(here.as.requestsTo('jwks')).toEqual([]);
  });

  it('is one for all who ask, at the same time or later [A11]', async () => {
    const here = world();
    const { redeem, transaction, response } = await ready(here);
    const [one, two] = await Promise.all([redeem(), redeem()]);
    expect(one).toBe(two);
    expect(await redeem()).toBe(one);
    const other = { ...transaction, nonce: 'another' };
    expect(await failure(redeemCode(here.server, other, response, here.given))).toMatchObject({ code: 'callback_refused', kind: 'interaction' });
    expect(here.as.tokenRequests).toBe(1);
  });

  it('goes on when one of those who wait gives up [A11]', async () => {
    const here = world();
    const { redeem } = await ready(here);
    const leaving = new AbortController();
    const [one, two] = [redeem(context({ clock: here.clock, signal: leaving.signal })), redeem()];
    leaving.abort(new Error('left'));
    await expect(one).rejects.toThrow('left');
    expect((await two).tokens.accessToken).toMatch(/^at-/);
  });

  it.each([
    ['dropBeforeCommit', { connection: 'dropBeforeCommit' }],
    ['dropAfterCommit', { connection: 'dropAfterCommit' }],
    ['500', { answer: { status: 500 } }],
    ['502 of a proxy', { answer: { status: 502, body: '<html>', contentType: 'text/html' } }],
    ['503 without Retry-After', { answer: { status: 503 } }],
    ['429 with a long Retry-After', { answer: { status: 429 }, retryAfter: 11 }],
    ['a truncated answer', { shape: 'truncated' }],
  ] as const)('is not tried again after %s: the code may be spent [A11]', async (_name, knobs) => {
    const here = world(knobs);
    const { redeem, response } = await ready(here);
    const error = await failure(redeem());
    expect(error).toMatchObject({ code: 'code_lost', kind: 'interaction', phase: 'token' });
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(response.code);
    expect(await failure(redeem())).toBe(error);
    expect(here.as.tokenRequests).toBe(1);
  });

  it('is over after 30 s without an answer, and the code is lost [A11] [R20]', async () => {
    const here = world({ connection: 'hangAfterCommit' });
    let wake = () => {};
    const clock = {
      ...here.clock,
      now: here.clock.now,
      sleep: (ms: number) => (ms === 30_000 ? new Promise<void>((resolve) => (wake = resolve)) : new Promise<void>(() => undefined)),
    };
    const { transaction, response } = await ready(here);
    const redemption = failure(redeemCode(here.server, transaction, response, { ...here.given, clock }));
    while (here.as.tokenRequests === 0) await new Promise((resolve) => setImmediate(resolve));
    wake();
    expect(await redemption).toMatchObject({ code: 'code_lost' });
  });

  it.each([
    [429, 9],
    [503, 3],
    [503, 0],
  ])('is repeated once after a %i with a Retry-After of %i s [A11]', async (status, retryAfter) => {
    const clock = standingClock();
    const slept: number[] = [];
    const here = world({}, {}, clock);
    clock.sleep = (ms) => {
      if (ms !== retryAfter * 1000) return new Promise(() => undefined);
      slept.push(ms);
      return Promise.resolve();
    };
    const { redeem } = await ready(here);
    here.as.forNext(1, { answer: { status }, retryAfter });
    expect((await redeem()).tokens.accessToken).toMatch(/^at-/);
    expect(here.as.tokenRequests).toBe(2);
    expect(slept).toEqual([retryAfter * 1000]);

    const again = await ready(here);
    here.as.forNext(2, { answer: { status }, retryAfter });
    expect(await failure(again.redeem())).toMatchObject({ code: 'code_lost', status });
    expect(here.as.tokenRequests).toBe(4);
  });

  it.each([
    ['invalid_grant', 'grant_revoked', 'interaction'],
    ['invalid_client', 'client_rejected', 'configuration'],
    ['invalid_request', 'request_rejected', 'configuration'],
    ['access_denied', 'unknown_error', 'configuration'],
  ])('ends with what the server says: %s [A11]', async (error, code, kind) => {
    const here = world({ error });
    const { redeem } = await ready(here);
    expect(await failure(redeem())).toMatchObject({ code, kind, oauthError: error });
    expect(here.as.tokenRequests).toBe(1);
  });

  it('sends its code again for a nonce that was missing, and for no other cause of a proof or an assertion [A11] [H21]', async () => {
    const nonces = world({ dpop: 'required', dpopNonceMs: 60_000 }, { dpop: dpop() });
    expect((await signIn(nonces)).tokens.tokenType).toBe('DPoP');
    expect(nonces.as.requestsTo('token').map(({ headers }) => headers.has('dpop'))).toEqual([true, true]);

    // Elsewhere a request whose date was wrong is repeated with the right one (E13).
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    const here = world({ clockOffsetMs: 3_600_000 }, { auth: privateKeyJwt(privateKey) });
    const { redeem } = await ready(here, { scope: 'api:read' });
    here.as.set({ error: 'invalid_client' });
    expect(await failure(redeem())).toMatchObject({ code: 'client_rejected' });
    expect(here.as.tokenRequests).toBe(1);
    await failure(
      clientCredentials({ server: here.as.metadata, clientId: 'app', auth: privateKeyJwt(privateKey), fetch: here.as.fetch }).request(undefined, here.given),
    );
    expect(here.as.tokenRequests).toBe(3);
  });

  it('can be asked for again where nothing was sent: the secret could not be had [A11]', async () => {
    let isDown = true;
    const auth = clientSecretBasic(() => {
      if (isDown) throw new Error('vault');
      return 's3cret';
    });
    const here = world({}, { auth });
    const { redeem } = await ready(here);
    expect(await failure(redeem())).toMatchObject({ code: 'grant_failed' });
    expect(here.as.tokenRequests).toBe(0);
    isDown = false;
    expect((await redeem()).idTokenClaims?.sub).toBe('alice');
  });

  it('meets a server that ends everything when a code comes twice, and never makes it do so [A11]', async () => {
    const here = world();
    const { redeem, transaction, response } = await ready(here);
    const { tokens } = await redeem();
    await redeem();
    expect(here.as.isLiveRefreshToken(tokens.refreshToken ?? '')).toBe(true);
    // Another copy of the app has no memory of the code: so the fake server does see it.
    const elsewhere = { ...here.server };
    expect(await failure(redeemCode(elsewhere, transaction, response, here.given))).toMatchObject({ code: 'grant_revoked' });
    expect(here.as.isLiveRefreshToken(tokens.refreshToken ?? '')).toBe(false);
  });

  it('revokes what it was given when the ID token does not hold [A21]', async () => {
    const here = world({ idTokenClaims: { nonce: 'another' } });
    expect(await failure((await ready(here)).redeem())).toMatchObject({ code: 'id_token_rejected' });
    expect(here.as.requestsTo('revocation').map(({ params }) => params.get('token_type_hint'))).toEqual(['refresh_token', 'access_token']);
  });

  it('gives away neither code nor verifier nor nonce in any failure [S6]', async () => {
    for (const knobs of [{ error: 'invalid_grant' }, { answer: { status: 400, body: '' } }, { idTokenClaims: { nonce: 'x' } }, { idToken: 'never' }] as const) {
      const here = world(knobs);
      const { redeem, transaction, response } = await ready(here);
      here.as.set(
        'answer' in knobs
          ? { answer: { status: 400, body: JSON.stringify({ error: 'x', error_description: `${response.code} ${transaction.codeVerifier}` }) } }
          : {},
      );
      const shown = inspect(await failure(redeem()), { depth: null, showHidden: true });
      for (const secret of [response.code, transaction.codeVerifier, transaction.nonce]) expect(shown).not.toContain(secret);
    }
  });
});
