import { deviceCode, jwtBearer, none, tokenExchange } from 'tokenkeep';
import { createIntrospector } from 'tokenkeep/server';
import { goodKey } from './client-auth-rows.js';
import { target } from './manager-rows.js';
import { goodClient } from './protocol-rows.js';
import { call, canary, canaryNumber, noObject, type Row, type Spoilt, spoilt } from './row.js';

const type = 'urn:ietf:params:oauth:token-type:access_token';
const text = 'a string that is not empty';
const uri = 'a token type URI';
const clock = 'an object with now(), monotonicMs(), sleep()';
const ms = 'a finite number of milliseconds';
const noTexts = ['', canaryNumber, null, [canary], `${canary}\n`, `${canary}\u0085`];

/** Options that are taken. */
export const goodBearer = { issuer: 'https://as.test', clientId: 'robot', key: goodKey };
export const goodExchange = { ...goodClient, subject: { token: canary, type } };
export const goodDevice = { issuer: 'https://as.test', clientId: 'tv', onPrompt: (): void => undefined };

const make = {
  jwtBearer: (options: unknown): unknown => call(jwtBearer, options),
  tokenExchange: (options: unknown): unknown => call(tokenExchange, options),
  deviceCode: (options: unknown): unknown => call(deviceCode, options),
  createIntrospector: (options: unknown): unknown => call(createIntrospector, options),
};

// An exchange may name several audiences.
const severalAudiences = target.filter(([changes]) => !('audience' in changes && Array.isArray(changes.audience)));
const server: readonly Spoilt[] = [
  [{ issuer: undefined }, 'issuer', 'either "issuer" or "server", and not both'],
  [{ issuer: `http://${canary}.test` }, 'issuer', 'an https URL', '[P2]'],
  [{ clientId: `${canary}\n` }, 'clientId', text],
  [{ auth: canary }, 'auth', 'none()'],
  [{ clientSecret: canary }, 'clientSecret', 'unknown option'],
];

export const grantRows: readonly Row[] = [
  ...noObject('jwtBearer', make.jwtBearer, false),
  ...spoilt('jwtBearer', make.jwtBearer, goodBearer, [
    ...server,
    ...target,
    [{ key: undefined }, 'key', 'either "key" or "assertion", and not both', '[G8]'],
    [{ assertion: () => canary }, 'key', 'either "key" or "assertion", and not both', '[G8]'],
    ...[canary, canaryNumber, null, {}].map((assertion): Spoilt => [{ key: undefined, assertion }, 'assertion', 'a function', '[G8]']),
    ...[canaryNumber, null, {}, { kty: 'oct', k: canary }].map((key): Spoilt => [{ key }, 'key', 'a private key', '[G8]']),
    [{ key: canary }, 'key', 'PKCS #8 in PEM', '[G8]'],
    ...['none', 'HS256', canary, null].map((alg): Spoilt => [{ alg }, 'alg', 'RS256', '[P9]']),
    ...noTexts.map((subject): Spoilt => [{ subject }, 'subject', text]),
    ...[-1, Number.NaN, '300000', null, Number.POSITIVE_INFINITY].map((expiresInMs): Spoilt => [{ expiresInMs }, 'expiresInMs', ms]),
    ...[0, 999, 3_600_001].map((expiresInMs): Spoilt => [{ expiresInMs }, 'expiresInMs', '1 000 to 3 600 000', '[G8]']),
    ...['header', canary, null].map((scopeIn): Spoilt => [{ scopeIn }, 'scopeIn', '"parameter" or "assertion"']),
    ...[canary, [canary], null].map((claims): Spoilt => [{ claims }, 'claims', 'an options object']),
    ...['iss', 'sub', 'aud', 'iat', 'exp', 'jti'].map((name): Spoilt => [{ claims: { [name]: canary } }, `claims.${name}`, 'no claim that an option']),
    [{ id: canary }, 'id', 'nothing beside "key"'],
    [{ key: undefined, assertion: () => canary, id: '' }, 'id', text],
    ...['alg', 'kid', 'x5t', 'subject', 'expiresInMs', 'claims', 'scopeIn'].map(
      (name): Spoilt => [{ key: undefined, assertion: () => canary, [name]: canary }, name, 'nothing without "key"'],
    ),
    [{ params: { assertion: canary } }, 'params.assertion', 'no name that the protocol', '[P32]'],
  ]),
  ...noObject('tokenExchange', make.tokenExchange, false),
  ...spoilt('tokenExchange', make.tokenExchange, goodExchange, [
    ...server,
    ...severalAudiences,
    ...[['', canary], [canaryNumber], [`${canary}\n`]].map((audience): Spoilt => [{ audience }, 'audience', text]),
    ...[undefined, null, canary, canaryNumber, [canary]].map((subject): Spoilt => [{ subject }, 'subject', 'an options object', '[G6]']),
    ...[undefined, ...noTexts].map((token): Spoilt => [{ subject: { token, type } }, 'subject.token', text, '[G6]']),
    ...[undefined, 'access_token', canary, canaryNumber, null].map((bad): Spoilt => [{ subject: { token: canary, type: bad } }, 'subject.type', uri, '[G6]']),
    [{ subject: { token: canary, type, expiresIn: canary } }, 'expiresIn', 'it takes token, type'],
    [{ actor: canary }, 'actor', 'an options object', '[G6]'],
    [{ actor: { type } }, 'actor.token', text, '[G6]'],
    [{ actor: { token: canary } }, 'actor.type', uri, '[G6]'],
    ...['access_token', canary, canaryNumber, null].map((value): Spoilt => [{ requestedTokenType: value }, 'requestedTokenType', uri]),
    ...noTexts.map((id): Spoilt => [{ id }, 'id', text]),
    ...['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type'].map(
      (name): Spoilt => [{ params: { [name]: canary } }, `params.${name}`, 'no name that the protocol', '[P32]'],
    ),
  ]),
  ...noObject('deviceCode', make.deviceCode, false),
  ...spoilt('deviceCode', make.deviceCode, goodDevice, [
    ...server,
    ...target,
    ...[undefined, null, canary, {}].map((onPrompt): Spoilt => [{ onPrompt }, 'onPrompt', 'a function', '[G4]']),
    ...noTexts.map((signInId): Spoilt => [{ signInId }, 'signInId', text]),
    ...[null, {}, canary].map((value): Spoilt => [{ clock: value }, 'clock', clock]),
    [{ deviceCode: canary }, 'deviceCode', 'unknown option'],
    [{ params: { device_code: canary } }, 'params.device_code', 'no name that the protocol', '[P32]'],
  ]),
  ...noObject('createIntrospector', make.createIntrospector, false),
  ...spoilt('createIntrospector', make.createIntrospector, goodClient, [
    ...server,
    ...[undefined, none()].map((auth): Spoilt => [{ auth }, 'auth', 'client authentication', '[G10]']),
    ...[-1, Number.NaN, '5', null].map((cacheMs): Spoilt => [{ cacheMs }, 'cacheMs', ms]),
    [{ cacheMs: 60_001 }, 'cacheMs', 'milliseconds from 0 to 60 000', '[G10]'],
    ...[0, 0.5, '5', null].map((maxEntries): Spoilt => [{ maxEntries }, 'maxEntries', 'a whole number, 1 or more']),
    [{ clock: {} }, 'clock', clock],
    [{ scope: canary }, 'scope', 'unknown option'],
  ]),
];
