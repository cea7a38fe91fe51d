import ky from 'ky';
import { clientSecretPost, systemClock } from 'tokenkeep';
import { createAuthFetch, createHttpClient, rejectedToken } from 'tokenkeep/http';
import { createServiceClient } from 'tokenkeep/server';
import { argument, call, canary, canaryNumber, noObject, type Row, type Spoilt, spoilt } from './row.js';

const tokens = { getToken: () => Promise.reject(new Error('nobody asks')) };
export const goodFetch = { allow: ['https://api.test'] };
export const goodHttp = { tokens, baseUrl: 'https://api.test/' };

const list = 'a list of origins or URL prefixes';
const entry = 'https origins or URL prefixes; http only on loopback or in "allowInsecureHttp"';
const { now, monotonicMs } = systemClock;

const entries = [
  '',
  canary,
  `/${canary}`,
  '*',
  'api.test',
  '//api.test',
  'https://*.api.test',
  'https://api.test/*',
  `https://user:${canary}@api.test`,
  `https://${canary}@api.test`,
  `https://api.test/?${canary}`,
  'https://api.test/?',
  `https://api.test/#${canary}`,
  'https:\\\\api.test',
  'https://api.test\\@evil.test',
  'https://api.test/%2e%2e/admin',
  'https://api.test/a%2Fb',
  'https://api.test\n',
  ' https://api.test',
  `http://${canary}.test`,
  'http://localhost.evil.test',
  'ws://api.test',
  'file:///etc',
  canaryNumber,
  null,
  undefined,
  /api/,
  new URL('https://api.test'),
];

const fetching: readonly Spoilt[] = [
  ...entries.map((value): Spoilt => [{ allow: ['https://good.test', value] }, 'allow', entry]),
  [{ allow: [] }, 'allow', list],
  [{ allow: null }, 'allow', list],
  [{ allow: 'https://api.test' }, 'allow', list],
  [{ allow: { 0: 'https://api.test' } }, 'allow', list],
  [{ allow: ['http://api.internal:81'], allowInsecureHttp: ['http://api.internal'] }, 'allow', entry],
  ...[canary, null, true, 'Refuse', ''].map((allowOutside): Spoilt => [{ allowOutside }, 'allowOutside', '"plain" or "refuse"']),
  ...['yes', 1, null, canaryNumber].map((replayBody): Spoilt => [{ replayBody }, 'replayBody', 'true or false']),
  ...['fetch', 'onChallenge', 'isTokenRejected', 'onEvent'].flatMap((name) =>
    [null, canary, {}].map((value): Spoilt => [{ [name]: value }, name, 'a function']),
  ),
  ...[null, canary, {}, { concern: () => true }].map((alsoRejected): Spoilt => [{ alsoRejected }, 'alsoRejected', 'an object with concern(), matches()']),
  ...[null, canary, {}, { now }, { monotonicMs }].map((clock): Spoilt => [{ clock }, 'clock', 'an object with now(), monotonicMs()']),
  ...[null, canary, ['https://api.test'], ['http://api.test/v1'], [`http://u:${canary}@api.test`], [canaryNumber]].map(
    (allowInsecureHttp): Spoilt => [{ allowInsecureHttp }, 'allowInsecureHttp', 'a list of http origins'],
  ),
];

const noRetry = 'a list without 401';
const client: readonly Spoilt[] = [
  ...fetching,
  [{ baseUrl: undefined }, 'allow', 'or an absolute "prefix" or "baseUrl"'],
  [{ baseUrl: '/api' }, 'allow', 'or an absolute "prefix" or "baseUrl"'],
  [{ baseUrl: undefined, prefix: canary }, 'allow', 'or an absolute "prefix" or "baseUrl"'],
  [{ baseUrl: `http://${canary}.test/` }, 'allow', entry],
  [{ retry: { statusCodes: [401, 503] } }, 'retry.statusCodes', noRetry],
  [{ ky: ky.create({ retry: { statusCodes: [401] } }) }, 'retry.statusCodes', noRetry],
  ...[null, canary, {}, () => undefined, { extend: () => undefined }].map((given): Spoilt => [{ ky: given }, 'ky', 'a ky instance']),
];
const sources = [null, canary, canaryNumber, {}, { getToken: canary }, () => canary];

const authFetch = (options: unknown): unknown => call(createAuthFetch, tokens, options);
const httpClient = (options: unknown): unknown => call(createHttpClient, options);
const service = createServiceClient({ issuer: 'https://as.test', clientId: 'svc', auth: clientSecretPost(canary) });
const serviceHttp = (options: unknown): unknown => call(service.http, options);

const forms: readonly Spoilt[] = [
  [{ header: canary }, 'header', 'rejectedToken: unknown option'],
  ...[undefined, 100, 600, canary].map((status): Spoilt => [{ status }, 'rejectedToken.status', 'a status from 200 to 599']),
  ...['path', 'headerError'].map((name): Spoilt => [{ [name]: '' }, `rejectedToken.${name}`, 'a string that is not empty']),
  [{ path: 'error' }, 'rejectedToken', '"path" and "equals" together'],
  [{ equals: canary }, 'rejectedToken', '"path" and "equals" together'],
  [{ status: 200 }, 'rejectedToken', 'more than the status of a success'],
];
const form = (options: unknown): unknown => call(rejectedToken, [options]);

export const httpRows: readonly Row[] = [
  ...[null, canary, {}].map((given) => argument('rejectedToken', rejectedToken, [given], 'rejectedToken', 'a list of forms')),
  ...spoilt('rejectedToken', form, { status: 401 }, forms),
  ...[...sources, undefined].map((source) => argument('createAuthFetch', createAuthFetch, [source, goodFetch], 'tokens', 'an object with getToken()')),
  ...noObject('createAuthFetch', authFetch, false),
  ...spoilt('createAuthFetch', authFetch, goodFetch, [
    ...fetching,
    [{ allow: undefined }, 'allow', list],
    [{ allowed: ['https://api.test'] }, 'allowed', 'unknown option'],
    [{ onevent: () => canary }, 'onevent', 'it takes allow, allowOutside'],
  ]),
  ...noObject('createHttpClient', httpClient, false),
  ...spoilt('createHttpClient', httpClient, goodHttp, [
    ...client,
    ...[...sources, undefined].map((value): Spoilt => [{ tokens: value }, 'tokens', 'an object with getToken()']),
  ]),
  ...noObject('service.http', serviceHttp, false, 'http'),
  ...spoilt('service.http', serviceHttp, { baseUrl: 'https://api.test/' }, [
    ...client,
    ...sources.map((value): Spoilt => [{ tokens: value }, 'tokens', 'an object with getToken()']),
  ]),
];
