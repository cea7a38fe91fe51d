import { createTokenManager, customGrant, localLock, memoryStore, staticToken, systemClock } from 'tokenkeep';
import { argument, call, canary, canaryNumber, noObject, type Row, type Spoilt, spoilt } from './row.js';

const grant = customGrant(async () => ({ accessToken: canary }));
export const goodManager = { grant };

const store = memoryStore();
const ms = 'a finite number of milliseconds, 0 or more';
const count = 'a whole number, 1 or more';
const clock = 'an object with now(), monotonicMs(), sleep()';
const storeMethods = 'an object with get(), set(), delete()';
const { now, monotonicMs, sleep } = systemClock;

const durations = ['skewMs', 'minValidMs'].flatMap((name): Spoilt[] =>
  [-1, Number.NaN, Number.POSITIVE_INFINITY, '60000', canary, null, true, 5n].map((value) => [{ [name]: value }, name, ms]),
);

/** The options that `createServiceClient` takes too. */
export const keeping: readonly Spoilt[] = [
  ...durations,
  ...[0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '10', null].map((maxTargets): Spoilt => [{ maxTargets }, 'maxTargets', count]),
  ...['yes', canary, 0, 1, null].map((keepFresh): Spoilt => [{ keepFresh }, 'keepFresh', 'true or false']),
  ...[canary, {}, null, [() => undefined]].map((onEvent): Spoilt => [{ onEvent }, 'onEvent', 'a function']),
  ...[null, canary, {}, { ...store, get: undefined }, { ...store, set: canary }, { ...store, delete: undefined }].map(
    (given): Spoilt => [{ store: given }, 'store', storeMethods],
  ),
  [{ store: { ...store, lock: {} } }, 'store.lock', 'an object with run()'],
  [{ store: { ...store, lock: canary } }, 'store.lock', 'an object with run()'],
  [{ store: { ...store, subscribe: canary } }, 'store.subscribe', 'a function'],
  [{ store: { ...store, shared: true } }, 'lock', 'needs a lock that excludes them too'],
  [{ store: { ...store, lock: undefined, shared: true } }, 'lock', 'needs a lock that excludes them too'],
  [{ store: { ...store, shared: true }, lock: localLock() }, 'lock', 'needs a lock that excludes them too'],
  ...[null, canary, {}, { run: canary }, () => undefined].map((lock): Spoilt => [{ lock }, 'lock', 'an object with run()']),
  ...[null, canary, {}, { now, monotonicMs }, { now, sleep }, { monotonicMs, sleep }, Date].map((given): Spoilt => [{ clock: given }, 'clock', clock]),
  [{ skewMS: 1 }, 'skewMS', 'unknown option'],
  [{ onevent: () => undefined }, 'onevent', 'it takes'],
];

const given = { ...grant, id: 'g' };
const request = 'an object with request()';
const grants: readonly Spoilt[] = [
  ...[undefined, null, canary, canaryNumber, {}, { ...given, request: undefined }, { ...given, request: canary }].map(
    (value): Spoilt => [{ grant: value }, 'grant', request],
  ),
  [{ grant: { ...given, id: undefined } }, 'grant.id', 'a string'],
  [{ grant: { ...given, id: canaryNumber } }, 'grant.id', 'a string'],
  ...[undefined, null, canary, 'always', true].map(
    (renews): Spoilt => [{ grant: { ...given, renews } }, 'grant.renews', '"refreshToken", "regrant" or "never"'],
  ),
  [{ grant: { ...given, identity: canary } }, 'grant.identity', 'a function'],
  [{ grant: { ...given, revoke: {} } }, 'grant.revoke', 'a function'],
];

const scope = 'scope tokens in a string or a list';
const uris = 'absolute URIs without a fragment';
const protocolOwn = 'no name that the protocol or an option sets';

// By the name in P32, with one of each family that it names by a wildcard.
const reserved = [
  'grant_type',
  'client_id',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
  'code',
  'code_verifier',
  'refresh_token',
  'redirect_uri',
  'scope',
  'resource',
  'audience',
];

/** What a token is for: the same options for a grant and for `tokens.for()`. */
export const target: readonly Spoilt[] = [
  ...['', '  ', `"${canary}"`, `${canary}\\`, `${canary}\n`, `${canary}é`, canaryNumber, null, {}, [], [`${canary} b`], [canary, ''], [canary, 5]].map(
    (value): Spoilt => [{ scope: value }, 'scope', scope],
  ),
  ...[
    '',
    canary,
    `/${canary}`,
    `https://api.test/#${canary}`,
    `https://api.test/${canary}\n`,
    `https://api.test/${canary} b`,
    `https:\\\\${canary}.test`,
    canaryNumber,
    null,
    [],
    ['https://api.test', canary],
  ].map((resource): Spoilt => [{ resource }, 'resource', uris]),
  ...['', `${canary}\r`, `${canary}\u009f`, canaryNumber, null, [canary]].map((audience): Spoilt => [{ audience }, 'audience', 'a string that is not empty']),
  ...[null, canary, [canary], canaryNumber].map((params): Spoilt => [{ params }, 'params', 'an options object']),
  ...['', canaryNumber, null, undefined, [canary], { a: canary }].map(
    (value): Spoilt => [{ params: { tenant: value } }, 'params.tenant', 'a string that is not empty'],
  ),
  [{ params: { '': canary } }, 'params', 'a string that is not empty'],
  [{ params: { 'a\nb': canary } }, 'params', 'no control characters'],
  ...reserved.map((name): Spoilt => [{ params: { [name]: canary } }, `params.${name}`, protocolOwn, '[P32]']),
];

const tokens = createTokenManager(goodManager);
const makeTarget = (options: unknown): unknown => call(tokens.for, options);

export const managerRows: readonly Row[] = [
  ...noObject('createTokenManager', (options) => call(createTokenManager, options), false),
  ...spoilt('createTokenManager', (options) => call(createTokenManager, options), goodManager, [...keeping, ...grants]),
  ...noObject('tokens.for', makeTarget, false, 'target'),
  ...spoilt('tokens.for', makeTarget, {}, [...target, [{ scopes: canary }, 'scopes', 'it takes resource, audience, scope, params']]),
  ...noObject('memoryStore', (options) => call(memoryStore, options), true, 'memoryStore()'),
  ...spoilt('memoryStore', (options) => call(memoryStore, options), {}, [
    [{ clock: { now, monotonicMs } }, 'clock', clock],
    [{ clock: null }, 'clock', clock],
    [{ clocks: systemClock }, 'clocks', 'unknown option'],
  ]),
  ...noObject('localLock', (options) => call(localLock, options), true),
  ...spoilt('localLock', (options) => call(localLock, options), {}, [
    [{ clock: { now, sleep } }, 'clock', clock],
    [{ clock: canary }, 'clock', clock],
    [{ waitMs: 5 }, 'waitMs', 'unknown option'],
  ]),
  ...[undefined, null, canary, canaryNumber, {}].map((fn) => argument('customGrant', customGrant, [fn], 'fn', 'a function')),
  ...noObject('customGrant', (options) => call(customGrant, async () => ({ accessToken: canary }), options), true),
  ...spoilt('customGrant', (options) => call(customGrant, async () => ({ accessToken: canary }), options), {}, [
    [{ id: '' }, 'id', 'a string that is not empty'],
    [{ id: canaryNumber }, 'id', 'a string that is not empty'],
    [{ id: `${canary}\0` }, 'id', 'no control characters'],
    [{ renews: 'never' }, 'renews', '"regrant" or "refreshToken"'],
    [{ renews: canary }, 'renews', '"regrant" or "refreshToken"'],
    [{ renews: null }, 'renews', '"regrant" or "refreshToken"'],
    [{ renew: 'regrant' }, 'renew', 'it takes id, renews'],
  ]),
  ...noObject('staticToken', (options) => call(staticToken, options), false),
  ...spoilt('staticToken', (options) => call(staticToken, options), { accessToken: canary }, [
    ...[undefined, null, '', canaryNumber, {}, `Bearer ${canary}`, `${canary}\r\n`, `${canary}\u007f`, `${canary}é`].map(
      (accessToken): Spoilt => [{ accessToken }, 'accessToken', 'a token (visible ASCII characters, no space)'],
    ),
    ...[Number.NaN, Number.POSITIVE_INFINITY, '2030-01-01', canary, null, new Date(0)].map(
      (expiresAt): Spoilt => [{ expiresAt }, 'expiresAt', 'epoch milliseconds'],
    ),
    ...['bearer', canary, null, 1].map((tokenType): Spoilt => [{ tokenType }, 'tokenType', '"Bearer" or "DPoP"']),
    [{ scope: `${canary} "x"` }, 'scope', scope],
    [{ scope: null }, 'scope', scope],
    // It says nothing without the time of issue.
    [{ expiresIn: 3600 }, 'expiresIn', 'it takes accessToken, expiresAt'],
  ]),
];
