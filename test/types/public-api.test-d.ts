// Lines that must compile, and lines that must not. `npm run typecheck` and `test/package/types.test.ts` compile them.
import * as tokenkeep from 'tokenkeep';
import {
  type AccessToken,
  clientAssertion,
  type ClientAuth,
  clientCredentials,
  clientSecretJwt,
  createTokenManager,
  deviceCode,
  type Dpop,
  dpop,
  type GetTokenOptions,
  jwtBearer,
  none,
  privateKeyJwt,
  TokenError,
  type TokenErrorCode,
  type TokenErrorKind,
  tokenExchange,
} from 'tokenkeep';
import { createAuthFetch } from 'tokenkeep/http';
import { mutualTls } from 'tokenkeep/server';
import { createIntrospector, type Introspection } from 'tokenkeep/server';

declare const token: AccessToken;

// A token is read, never written. [S7]
// @ts-expect-error
token.value = 'another';
// @ts-expect-error
token.scope.push('more');

// There is no implicit and no password grant. [A1] [G15]
// @ts-expect-error
tokenkeep.implicit;
// @ts-expect-error
tokenkeep.password;
// @ts-expect-error
tokenkeep.passwordGrant;

// A lifetime may be unknown, and the compiler says so. [E6]
// @ts-expect-error
const expiresAt: number = token.expiresAt;

const manager = createTokenManager({ grant: clientCredentials({ issuer: 'https://as.example', clientId: 'service', auth: none() }) });
// @ts-expect-error
createTokenManager({});
// @ts-expect-error
createTokenManager({ grant: 'clientCredentials' });
// @ts-expect-error
createTokenManager({ grant: clientCredentials({ clientId: 'service' }), skewSeconds: 60 });

// A key for DPoP is a pair or a JWK, and never a text; a binding is a value of `dpop()`. [H19]
declare const pair: CryptoKeyPair;
const binding: Dpop = dpop({ key: pair, mode: 'preferred' });
dpop({ key: { kty: 'EC', crv: 'P-256', x: '', y: '', d: '' }, alg: 'ES256' });
// @ts-expect-error
dpop({ key: '-----BEGIN PRIVATE KEY-----' });
// @ts-expect-error
dpop({ alg: 'HS256' });
// @ts-expect-error
dpop({ mode: 'off' });
// @ts-expect-error
clientCredentials({ issuer: 'https://as.example', clientId: 'service', dpop: true });
clientCredentials({ issuer: 'https://as.example', clientId: 'service', dpop: binding });
// A proof is made for a method and a URL.
// @ts-expect-error
token.headers({ url: 'https://api.example' });

// The refused token itself is handed back, not a flag or its value.
const options: GetTokenOptions = { invalidToken: token };
// @ts-expect-error
const flag: GetTokenOptions = { invalidToken: true };

// An auth fetch is a fetch, and cannot be made without saying where tokens may go.
const authFetch: typeof fetch = createAuthFetch(manager, { allow: ['https://api.example'] });
// @ts-expect-error
createAuthFetch(manager, {});

// Subject tokens come with their type; there is one assertion, by a key or made elsewhere; a code is shown to somebody. [G4] [G6] [G8]
const client = { issuer: 'https://as.example', clientId: 'service' };
tokenExchange({ ...client, subject: { token: () => 'token', type: 'urn:ietf:params:oauth:token-type:jwt' } });
// @ts-expect-error
tokenExchange({ ...client, subject: { token: 'token' } });
// @ts-expect-error
tokenExchange({ ...client, subject: 'token' });
// @ts-expect-error
jwtBearer({ ...client, assertion: 'token' });
// @ts-expect-error
deviceCode(client);
const device = deviceCode({ ...client, onPrompt: ({ userCode }) => userCode.length });
const signedIn: Promise<void> = device.signIn({ signal: AbortSignal.timeout(60_000) });
createTokenManager({ grant: device });

// That a token is not active is an answer; an introspector authenticates. [G10]
declare const answer: Introspection;
const active: boolean = answer.active;
createIntrospector({ ...client, auth: none() });
// @ts-expect-error
createIntrospector({ ...client, cacheMs: '10' });

// Keys come with their names, assertions from a function, and mutual TLS with its fetch. [P9] [P10] [P11] [P13] [G2] [G3]
declare const cryptoKey: CryptoKey;
const auths: readonly ClientAuth[] = [
  privateKeyJwt('pem', { alg: 'PS256', kid: 'k', x5t: 'pem', headers: ['x5t', 'x5t#S256'], audience: 'token_endpoint', typ: 'none' }),
  privateKeyJwt({ kty: 'EC' }),
  privateKeyJwt(cryptoKey),
  privateKeyJwt(() => 'pem'),
  privateKeyJwt(async () => ({ key: cryptoKey, kid: 'k' })),
  clientSecretJwt(async () => 'secret', { audience: 'https://as.example/token' }),
  clientAssertion(() => 'token'),
  mutualTls({ fetch, method: 'self_signed_tls_client_auth', certificate: () => 'pem' }),
];
// @ts-expect-error
privateKeyJwt('pem', { alg: 'HS256' });
// @ts-expect-error
privateKeyJwt('pem', { alg: 'none' });
// @ts-expect-error
privateKeyJwt('pem', { typ: 'at+jwt' });
// @ts-expect-error
clientSecretJwt('secret', { alg: 'HS512' });
// @ts-expect-error
clientAssertion('token');
// @ts-expect-error
mutualTls({});
// @ts-expect-error
mutualTls({ fetch, method: 'private_key_jwt' });

// Codes and kinds are closed lists.
const kind: TokenErrorKind = new TokenError('timeout', 'No answer', { phase: 'token' }).kind;
// @ts-expect-error
const code: TokenErrorCode = 'some_error';

export { active, auths, authFetch, code, expiresAt, flag, kind, options, signedIn };
