import { inspect } from 'node:util';
import {
  clientAssertion,
  clientCredentials,
  clientSecretBasic,
  clientSecretJwt,
  clientSecretPost,
  createTokenManager,
  customGrant,
  deviceCode,
  dpop,
  jwtBearer,
  localLock,
  memoryStore,
  none,
  privateKeyJwt,
  refreshToken,
  staticToken,
  TokenError,
  tokenExchange,
} from 'tokenkeep';
import { createAuthFetch, createHttpClient } from 'tokenkeep/http';
import { webLock } from 'tokenkeep/locks/web';
import { createAccounts, createIntrospector, createServiceClient, mutualTls } from 'tokenkeep/server';
import { encryptedStore } from 'tokenkeep/storage/encrypted';
import { indexedDbKeyStore, indexedDbStore } from 'tokenkeep/storage/indexed-db';
import { jweCipher, reencrypt } from 'tokenkeep/storage/jwe-cipher';
import { postgresMigrations, postgresStore } from 'tokenkeep/storage/postgres';
import { redisStore } from 'tokenkeep/storage/redis';
import { sqliteStore } from 'tokenkeep/storage/sqlite';
import { webCryptoCipher } from 'tokenkeep/storage/web-crypto-cipher';
import { webStorageStore } from 'tokenkeep/storage/web-storage';
import { fakeAuthorizationServer, keyStoreContract, lockContract, storeContract, virtualClock } from 'tokenkeep/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { accountRows, goodAccounts } from './account-rows.js';
import { dpopRows } from './dpop-rows.js';
import { goodBearer, goodDevice, goodExchange, grantRows } from './grant-rows.js';
import { clientAuthRows, goodCertificate, goodKey, goodSecret } from './client-auth-rows.js';
import { goodFetch, goodHttp, httpRows } from './http-rows.js';
import { goodManager, managerRows } from './manager-rows.js';
import { goodClient, goodRefresh, protocolRows } from './protocol-rows.js';
import { testKeyStore } from '../protocol/proofs.js';
import { call, canary, canaryNumber, type Row } from './row.js';
import { goodAccountStore, goodDatabase, goodKeys, goodPool, goodRedis, rejectingRows, serverStorageRows } from './server-storage-rows.js';
import { goodCipher, goodStorage, storageRows } from './storage-rows.js';
import { testingRows } from './testing-rows.js';

const send = vi.fn();

beforeEach(() => {
  send.mockClear();
  vi.stubGlobal('fetch', send);
});

afterEach(() => {
  vi.unstubAllGlobals();
});

/** With these globals instead of the machine's; undefined: without them. */
function within(globals: Readonly<Record<string, unknown>>, make: () => unknown): () => unknown {
  return () => {
    for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
    return make();
  };
}

const page = { window: {}, document: {} };
const authenticated = [
  clientSecretBasic(canary),
  clientSecretBasic(canary, { encoding: 'raw' }),
  clientSecretPost(() => canary),
  privateKeyJwt(goodKey),
  clientSecretJwt(goodSecret),
  clientAssertion(() => canary),
];
const environmentRows: readonly Row[] = [
  ...authenticated.flatMap((auth, index): Row[] => [
    {
      title: `clientCredentials with secret ${index + 1} in a page [P8]`,
      make: within(page, () => clientCredentials({ ...goodClient, auth })),
      named: 'auth',
      words: 'none() in a browser',
    },
    {
      title: `refreshToken with secret ${index + 1} in a page [P8]`,
      make: within(page, () => refreshToken({ ...goodRefresh, auth })),
      named: 'auth',
      words: 'none() in a browser',
    },
    {
      title: `createServiceClient with secret ${index + 1} in a page [P8]`,
      make: within(page, () => createServiceClient({ ...goodClient, auth })),
      named: 'auth',
      words: 'none() in a browser',
    },
  ]),
  ...[undefined, {}, { getRandomValues: canary }].flatMap((crypto, index): Row[] => {
    const without = (name: string, make: () => unknown): Row => ({
      title: `${name} without a source of randomness, form ${index + 1} [S14]`,
      make: within({ crypto }, make),
      named: 'globalThis.crypto',
      words: 'the Web Crypto API',
    });
    return [
      without('createTokenManager', () => createTokenManager(goodManager)),
      without('createServiceClient', () => createServiceClient(goodClient)),
      without('customGrant', () => customGrant(async () => ({ accessToken: canary }))),
      without('staticToken', () => staticToken({ accessToken: canary })),
    ];
  }),
];

function failureOf({ make }: Row): TokenError {
  let result: unknown;
  try {
    result = make();
  } catch (error) {
    if (error instanceof TokenError) return error;
    throw error;
  } finally {
    vi.unstubAllGlobals();
  }
  throw new Error(`expected a TokenError, but it gave ${inspect(result, { depth: 0 })}`);
}

const tables = {
  accountRows,
  managerRows,
  protocolRows,
  clientAuthRows,
  dpopRows,
  grantRows,
  httpRows,
  storageRows,
  serverStorageRows,
  testingRows,
  environmentRows,
};

describe('bad input fails at construction, with a message that names it', () => {
  for (const [table, rows] of Object.entries(tables)) {
    describe(table, () => {
      for (const row of rows) {
        it(row.title, () => {
          const error = failureOf(row);
          expect(error).toMatchObject({ name: 'TokenError', code: 'invalid_option', kind: 'configuration', phase: 'options' });
          expect(error.message).toContain(`"${row.named}"`);
          expect(error.message).toContain(row.words);
          expect(error.message.length).toBeLessThan(2_000);
          expect(error.cause).toBeUndefined();
          for (const output of [inspect(error, { depth: null, showHidden: true }), JSON.stringify(error), String(error)]) {
            expect(output).not.toContain(canary);
            expect(output).not.toContain(String(canaryNumber));
          }
          expect(send).not.toHaveBeenCalled();
        });
      }
    });
  }

  it.each(rejectingRows)('reencrypt rejects: %s [S5]', async (_title, args, named, words) => {
    const error: unknown = await Promise.resolve(call(reencrypt, ...args)).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: 'TokenError', code: 'invalid_option', kind: 'configuration', phase: 'options' });
    const message = String(error);
    expect(message).toContain(`"${named}"`);
    expect(message).toContain(words);
    expect(message).not.toContain(canary);
    expect(message).not.toContain(String(canaryNumber));
  });

  it('in more than 60 cases, with no case twice', () => {
    const titles = Object.values(tables).flatMap((rows) => rows.map(({ title }) => title));
    expect(titles.length).toBeGreaterThan(60);
    expect(titles.filter((title, index) => titles.indexOf(title) !== index)).toEqual([]);
  });

  it.each<[string, () => unknown]>([
    ['createAccounts', () => createAccounts(goodAccounts)],
    ['createTokenManager', () => createTokenManager(goodManager)],
    [
      'createTokenManager with a shared store and its own lock',
      () => createTokenManager({ ...goodManager, store: { ...memoryStore(), shared: true, lock: { ...localLock(), shared: true } } }),
    ],
    ['tokens.for', () => createTokenManager(goodManager).for({})],
    [
      'tokens.for with free parameters',
      () => createTokenManager(goodManager).for({ params: { tenant: 'a' }, scope: 'a b', resource: 'urn:api', audience: 'x' }),
    ],
    ['clientCredentials', () => clientCredentials(goodClient)],
    ['clientCredentials on loopback', () => clientCredentials({ ...goodClient, issuer: 'http://127.0.0.1:8080' })],
    [
      'clientCredentials on an http origin that is named',
      () => clientCredentials({ ...goodClient, issuer: 'http://as.internal:8080', allowInsecureHttp: ['http://as.internal:8080'] }),
    ],
    [
      'clientCredentials with metadata',
      () => clientCredentials({ ...goodClient, issuer: undefined, server: { issuer: 'https://as.test', token_endpoint: 'https://as.test/token?tenant=1' } }),
    ],
    ['refreshToken', () => refreshToken(goodRefresh)],
    ['refreshToken of a public client in a page', within(page, () => refreshToken({ ...goodRefresh, auth: none() }))],
    ['customGrant', () => customGrant(async () => ({ accessToken: canary }), {})],
    ['staticToken', () => staticToken({ accessToken: canary })],
    ['clientSecretBasic', () => clientSecretBasic(canary, {})],
    ['clientSecretJwt', () => clientSecretJwt(goodSecret, { audience: 'token_endpoint', typ: 'JWT' })],
    [
      'privateKeyJwt',
      () => privateKeyJwt(goodKey, { alg: 'ES256', kid: canary, x5t: goodCertificate, headers: ['x5t'], audience: 'https://as.test', typ: 'none' }),
    ],
    ['privateKeyJwt of a function', () => privateKeyJwt(() => canary, { alg: 'PS256' })],
    ['clientAssertion', () => clientAssertion(async () => canary)],
    ['mutualTls', () => mutualTls({ fetch: send, method: 'self_signed_tls_client_auth', certificate: goodCertificate })],
    ['clientSecretPost', () => clientSecretPost(`${canary} é:%`)],
    ['dpop', () => dpop({})],
    ['dpop with a key store', () => dpop({ keyStore: testKeyStore(), keyName: 'key', alg: 'EdDSA', mode: 'preferred' })],
    ['createServiceClient with dpop', () => createServiceClient({ ...goodClient, dpop: dpop() })],
    ['keyStoreContract', () => keyStoreContract(() => testKeyStore(), {})],
    ['memoryStore', () => memoryStore({})],
    ['localLock', () => localLock({})],
    [
      'jwtBearer',
      () => jwtBearer({ ...goodBearer, subject: canary, claims: { a: 1 }, scopeIn: 'assertion', expiresInMs: 3_600_000, alg: 'ES256', kid: canary }),
    ],
    ['jwtBearer of an assertion', () => jwtBearer({ ...goodBearer, key: undefined, assertion: () => canary, id: 'anna' })],
    ['tokenExchange', () => tokenExchange({ ...goodExchange, actor: goodExchange.subject, audience: ['a', 'b'], id: 'anna' })],
    ['deviceCode', () => deviceCode({ ...goodDevice, signInId: 'living-room' })],
    ['createIntrospector', () => createIntrospector({ ...goodClient, cacheMs: 0, maxEntries: 1 })],
    ['webLock', () => webLock({})],
    ['indexedDbStore', () => indexedDbStore({ name: 'app' })],
    ['indexedDbKeyStore', () => indexedDbKeyStore({ name: 'app' })],
    ['webStorageStore', () => webStorageStore(goodStorage, { prefix: 'app/', rotation: 'none' })],
    ['webCryptoCipher', () => webCryptoCipher({ keyStore: indexedDbKeyStore(), name: 'app' })],
    ['sqliteStore', () => sqliteStore(goodDatabase, { leaseMs: 100, pollMs: 1 })],
    ['redisStore', () => redisStore(goodRedis, { prefix: 'app', leaseMs: 100, subscriber: { subscribe: send, unsubscribe: send } })],
    ['postgresStore', () => postgresStore(goodPool, { schema: 'app_1', migrate: false, leaseMs: 100 })],
    ['postgresMigrations', () => postgresMigrations({ schema: 'App' })],
    ['jweCipher', () => jweCipher({ ...goodKeys, lostKeys: ['old'] })],
    ['jweCipher with a function', () => jweCipher({ keys: () => [] })],
    ['a store under jweCipher', () => encryptedStore(goodAccountStore, jweCipher(goodKeys))],
    ['encryptedStore', () => encryptedStore(memoryStore(), goodCipher)],
    ['createServiceClient', () => createServiceClient(goodClient)],
    ['service.http', () => createServiceClient(goodClient).http({ baseUrl: 'https://api.test/' })],
    ['createAuthFetch', () => createAuthFetch(goodHttp.tokens, goodFetch)],
    ['createHttpClient', () => createHttpClient(goodHttp)],
    ['virtualClock', () => virtualClock({})],
    ['fakeAuthorizationServer', () => fakeAuthorizationServer({})],
    ['storeContract', () => storeContract(() => memoryStore(), {})],
    ['lockContract', () => lockContract(() => localLock(), {})],
  ])('while the options that the tables spoil are taken: %s', (_name, make) => {
    expect(make()).toBeDefined();
    expect(send).not.toHaveBeenCalled();
  });
});
