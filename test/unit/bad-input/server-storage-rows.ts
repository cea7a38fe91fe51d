import { type AccountStore, systemClock } from 'tokenkeep';
import { type JweCipherOptions, jweCipher } from 'tokenkeep/storage/jwe-cipher';
import { type PostgresPool, postgresMigrations, postgresStore } from 'tokenkeep/storage/postgres';
import { type RedisClient, redisStore } from 'tokenkeep/storage/redis';
import { type SqliteDatabase, sqliteStore } from 'tokenkeep/storage/sqlite';
import { argument, call, canary, canaryNumber, noObject, type Row, type Spoilt, spoilt } from './row.js';

const unused = (): never => {
  throw new Error('construction asks no server');
};
export const goodDatabase: SqliteDatabase = { exec: unused, prepare: unused };
export const goodRedis: RedisClient = { eval: unused };
export const goodPool: PostgresPool = { query: unused, connect: unused, options: { max: 2 } };
export const goodKeys: JweCipherOptions = { keys: [{ kid: 'k', key: new Uint8Array(32) }] };
export const goodAccountStore: AccountStore = { get: unused, set: unused, delete: unused, list: unused };

const { now, monotonicMs } = systemClock;
const nothing: readonly unknown[] = [undefined, null, canary, canaryNumber, {}];
const clocks: readonly Spoilt[] = [null, canary, {}, { now, monotonicMs }].map((given) => [
  { clock: given },
  'clock',
  'an object with now(), monotonicMs(), sleep()',
]);
const counts = (name: string): readonly Spoilt[] =>
  [0, -1, 0.5, Number.NaN, Infinity, canary, null].map((given) => [{ [name]: given }, name, 'a whole number, 1 or more']);
const leases: readonly Spoilt[] = [...counts('leaseMs'), [{ leaseMs: 99 }, 'leaseMs', 'at least 100 milliseconds', '[X15]']];

const make = {
  sqliteStore: (options: unknown) => call(sqliteStore, goodDatabase, options),
  redisStore: (options: unknown) => call(redisStore, goodRedis, options),
  postgresStore: (options: unknown) => call(postgresStore, goodPool, options),
  postgresMigrations: (options: unknown) => call(postgresMigrations, options),
  jweCipher: (options: unknown) => call(jweCipher, options),
};

const schemas: readonly Spoilt[] = ['', canary, `a"; DROP TABLE x; --${canary}`, 'a'.repeat(41), null, canaryNumber].map((schema) => [
  { schema },
  'schema',
  'a name of letters, digits and underscores',
]);
const key = new Uint8Array(32);
const badKeys: readonly unknown[] = [undefined, null, [], canary, {}];
const badKey: readonly unknown[] = [undefined, null, canary, canaryNumber, key.slice(1), {}, { type: 'secret', algorithm: { name: 'AES-GCM', length: 128 } }];

export const serverStorageRows: readonly Row[] = [
  ...[...nothing, { exec: canary, prepare: unused }].map((given) =>
    argument('sqliteStore', sqliteStore, [given], 'database', 'an object with prepare(), exec()', '[X17]'),
  ),
  ...noObject('sqliteStore', make.sqliteStore, true),
  ...spoilt('sqliteStore', make.sqliteStore, {}, [...clocks, ...leases, ...counts('pollMs'), [{ file: canary }, 'file', 'it takes leaseMs, pollMs, clock']]),
  ...[...nothing, { eval: canary }].map((given) => argument('redisStore', redisStore, [given], 'client', 'an object with eval()', '[X17]')),
  ...noObject('redisStore', make.redisStore, true),
  ...spoilt('redisStore', make.redisStore, {}, [
    ...clocks,
    ...leases,
    ...['', `${canary}\n`, canaryNumber, null].map((prefix): Spoilt => [{ prefix }, 'prefix', 'a string that is not empty']),
    ...['{a}', `${canary}{`, '}'].map((prefix): Spoilt => [{ prefix }, 'prefix', 'a string without braces']),
    ...[null, canary, {}, { subscribe: unused }].map((subscriber): Spoilt => [{ subscriber }, 'subscriber', 'an object with subscribe(), unsubscribe()']),
    [{ url: canary }, 'url', 'it takes prefix, subscriber, leaseMs, clock'],
  ]),
  ...[...nothing, { query: unused }].map((given) => argument('postgresStore', postgresStore, [given], 'pool', 'an object with query(), connect()', '[X17]')),
  argument('postgresStore', postgresStore, [{ ...goodPool, options: { max: 1 } }], 'pool', 'a pool of at least 2 clients', '[X17]'),
  ...noObject('postgresStore', make.postgresStore, true),
  ...spoilt('postgresStore', make.postgresStore, {}, [
    ...clocks,
    ...leases,
    ...schemas,
    ...[null, 'yes', 1].map((migrate): Spoilt => [{ migrate }, 'migrate', 'true or false']),
    [{ connectionString: canary }, 'connectionString', 'it takes schema, migrate, leaseMs, clock'],
  ]),
  ...noObject('postgresMigrations', make.postgresMigrations, true),
  ...spoilt('postgresMigrations', make.postgresMigrations, {}, schemas),
  ...noObject('jweCipher', make.jweCipher, false),
  ...spoilt('jweCipher', make.jweCipher, goodKeys, [
    ...badKeys.map((keys): Spoilt => [{ keys }, 'keys', 'a list of at least one { kid, key }', '[S5]']),
    ...badKey.map((given): Spoilt => [{ keys: [{ kid: 'k', key: given }] }, 'keys.key', 'a key of 256 bits', '[S5]']),
    ...[undefined, '', canaryNumber].map((kid): Spoilt => [{ keys: [{ kid, key }] }, 'keys.kid', 'a string that is not empty', '[S5]']),
    [
      {
        keys: [
          { kid: 'k', key },
          { kid: 'k', key },
        ],
      },
      'keys',
      'key ids that differ',
      '[S5]',
    ],
    ...[null, canary, [canaryNumber]].map((lostKeys): Spoilt => [{ lostKeys }, 'lostKeys', 'a list of key ids', '[S5]']),
    [{ secret: canary }, 'secret', 'it takes keys, lostKeys'],
  ]),
];

/** Calls that reject, since they are made to be awaited. */
export const rejectingRows: readonly (readonly [title: string, args: readonly unknown[], named: string, words: string])[] = [
  ...[undefined, null, canary, {}, { ...goodAccountStore, list: undefined }].map(
    (store, index) => [`a store that is none, form ${index + 1}`, [store], 'store', 'an object with get(), set(), list()'] as const,
  ),
  ...[null, [], canary, canaryNumber].map(
    (options, index) => [`no options, form ${index + 1}`, [goodAccountStore, options], 'reencrypt', 'an options object'] as const,
  ),
  ...[0, -1, 1.5, Number.NaN, canary, null].map(
    (pageSize) => [`pageSize ${String(pageSize)}`, [goodAccountStore, { pageSize }], 'pageSize', 'a whole number, 1 or more'] as const,
  ),
  ['an option it does not have', [goodAccountStore, { limit: canaryNumber }], 'limit', 'it takes pageSize, signal'],
];
