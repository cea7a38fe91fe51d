import { clientCredentials, clientSecretBasic, clientSecretPost, dpop, none, refreshToken } from 'tokenkeep';
import { createServiceClient } from 'tokenkeep/server';
import { keeping, target } from './manager-rows.js';
import { argument, call, canary, canaryNumber, noObject, type Row, type Spoilt, spoilt } from './row.js';

const auth = clientSecretPost(canary);
const metadata = { issuer: 'https://as.test', token_endpoint: 'https://as.test/token' };
export const goodClient = { issuer: 'https://as.test', clientId: 'svc', auth };
export const goodRefresh = { ...goodClient, refreshToken: canary };
const withServer = (server: unknown): object => ({ issuer: undefined, server });

const text = 'a string that is not empty and has no control characters';
const https = 'an https URL without fragment';
const insecure = 'a list of http origins';

const issuers = [
  '',
  canary,
  `/${canary}`,
  `http://${canary}.test`,
  'http://10.0.0.8:8080',
  'http://localhost.evil.test',
  `https://as.test?${canary}`,
  'https://as.test/?',
  `https://as.test/#${canary}`,
  'https://as.test/#',
  `https://user:${canary}@as.test`,
  `https://${canary}@as.test`,
  `https://as.test/${canary}\n`,
  ` https://as.test/${canary}`,
  'https:\\\\as.test',
  `ftp://${canary}.test`,
  `javascript:${canary}`,
  canaryNumber,
  null,
  ['https://as.test'],
  new URL('https://as.test'),
];
const endpoints = [
  '',
  canary,
  `http://${canary}.test/token`,
  `https://as.test/token#${canary}`,
  `https://user:${canary}@as.test/token`,
  `https://as.test/${canary}\0`,
  `https://as.test/${canary} b`,
  canaryNumber,
  null,
];

const preset = (fields: object, field: string, words: string): Spoilt => [{ preset: fields }, `preset.${field}`, words];
const presets: readonly Spoilt[] = [
  ...[null, canary, canaryNumber, [canary]].map((value): Spoilt => [{ preset: value }, 'preset', 'an options object']),
  [{ preset: { issuer: canary } }, 'issuer', 'preset: unknown option'],
  [{ preset: { scopeseparator: 'comma' } }, 'scopeseparator', 'preset: unknown option'],
  preset({ discovery: canary }, 'discovery', 'oidc or oauth'),
  preset({ rejectedToken: [null] }, 'rejectedToken', 'a list of forms'),
  preset({ rejectedToken: canary }, 'rejectedToken', 'a list of forms'),
  preset({ discovery: null }, 'discovery', 'oidc or oauth'),
  preset({ scopeSeparator: ',' }, 'scopeSeparator', 'space or comma'),
  preset({ responseFormat: 'xml' }, 'responseFormat', 'json or form'),
  preset({ tokenTypeDefault: 'bearer' }, 'tokenTypeDefault', 'Bearer or DPoP'),
  preset({ assertionAudience: canary }, 'assertionAudience', 'issuer or token_endpoint'),
  preset({ assertionTyp: canary }, 'assertionTyp', 'client-authentication+jwt or JWT or none'),
  preset({ assertionHeaders: 'kid' }, 'assertionHeaders', 'a list of kid, x5t, x5t#S256'),
  preset({ assertionHeaders: ['x5c'] }, 'assertionHeaders', 'a list of kid, x5t, x5t#S256'),
  preset({ scopeOnRefresh: true }, 'scopeOnRefresh', 'omit or required'),
  preset({ rotation: 'never' }, 'rotation', 'always or optional or none or unknown'),
  preset({ pkce: 'plain' }, 'pkce', 'required or unsupported'),
  preset({ idTokenAlgorithms: 'RS256' }, 'idTokenAlgorithms', 'a list of asymmetric algorithms'),
  preset({ idTokenAlgorithms: ['none'] }, 'idTokenAlgorithms', 'a list of asymmetric algorithms'),
  preset({ idTokenAlgorithms: ['HS256'] }, 'idTokenAlgorithms', 'a list of asymmetric algorithms'),
  preset({ idTokenSignature: canary }, 'idTokenSignature', 'jwks or tls'),
  preset({ logout: canary }, 'logout', 'oidc or none'),
  preset({ logout: { url: `http://${canary}.test`, clientIdParam: 'c', redirectParam: 'r' } }, 'logout.url', 'an https URL'),
  preset({ logout: { url: 'https://as.test', clientIdParam: '', redirectParam: 'r' } }, 'logout.clientIdParam', text),
  preset({ tokenTypeMap: null }, 'tokenTypeMap', 'an options object'),
  preset({ tokenTypeMap: ['Bearer'] }, 'tokenTypeMap', 'an options object'),
  preset({ tokenTypeMap: { token: canary } }, 'tokenTypeMap.token', 'Bearer or DPoP'),
  preset({ codeMap: canary }, 'codeMap', 'an options object'),
  preset({ codeMap: { '50173': canary } }, 'codeMap.50173', 'grant_revoked or interaction_required'),
  preset({ endpointOrigins: 'https://as.test' }, 'endpointOrigins', 'a list of origins'),
  preset({ endpointOrigins: ['https://as.test/path'] }, 'endpointOrigins', 'a list of origins'),
  preset({ endpointOrigins: [canary] }, 'endpointOrigins', 'a list of origins'),
  preset({ successStatuses: 201 }, 'successStatuses', 'a list of 2xx statuses'),
  preset({ successStatuses: [200, 302] }, 'successStatuses', 'a list of 2xx statuses'),
  preset({ successStatuses: ['200'] }, 'successStatuses', 'a list of 2xx statuses'),
  preset({ rawMembers: canary }, 'rawMembers', 'a list of names'),
  preset({ rawMembers: [canary, 5] }, 'rawMembers', 'a list of names'),
  preset({ expHint: 'true' }, 'expHint', 'true or false'),
  preset({ expiresIn: 3600 }, 'expiresIn', 'an options object'),
  preset({ expiresIn: null }, 'expiresIn', 'an options object'),
  [{ preset: { expiresIn: { unknownLifetime: 1 } } }, 'unknownLifetime', 'preset.expiresIn: unknown option'],
  preset({ expiresIn: { unknownLifetimeMs: 0 } }, 'expiresIn.unknownLifetimeMs', 'a whole number, 1 or more'),
  preset({ expiresIn: { unknownLifetimeMs: '1000' } }, 'expiresIn.unknownLifetimeMs', 'a whole number, 1 or more'),
  preset({ expiresIn: { zeroMeans: 0 } }, 'expiresIn.zeroMeans', 'expired or unknown'),
];

const either = 'either "issuer" or "server", and not both';
const server: readonly Spoilt[] = [
  [{ issuer: undefined }, 'issuer', either],
  [{ server: metadata }, 'issuer', either],
  [{ issuer: null, server: metadata }, 'issuer', either],
  ...issuers.map((issuer): Spoilt => [{ issuer }, 'issuer', https]),
  ...[null, canary, canaryNumber].map((value): Spoilt => [withServer(value), 'server', 'an options object']),
  [withServer([metadata]), 'server', 'an options object'],
  [withServer({ ...metadata, issuer: undefined }), 'server.issuer', https],
  ...issuers.map((issuer): Spoilt => [withServer({ ...metadata, issuer }), 'server.issuer', https]),
  [withServer({ issuer: 'https://as.test' }), 'server.token_endpoint', https],
  [withServer({ issuer: 'https://as.test', tokenEndpoint: 'https://as.test/token' }), 'server.token_endpoint', https],
  ...endpoints.map((token_endpoint): Spoilt => [withServer({ ...metadata, token_endpoint }), 'server.token_endpoint', https]),
  ...endpoints.map((revocation_endpoint): Spoilt => [withServer({ ...metadata, revocation_endpoint }), 'server.revocation_endpoint', https]),
  ...['', canaryNumber, null, undefined, [canary], `${canary}\t`, `${canary}\u0085`].map((clientId): Spoilt => [{ clientId }, 'clientId', text]),
  ...[null, canary, canaryNumber, {}, clientSecretPost, { method: canary }, { authenticate: canary }].map(
    (value): Spoilt => [{ auth: value }, 'auth', 'none(), clientSecretBasic(…) or another client authentication'],
  ),
  ...[null, canary, true, {}, dpop, { prove: canary, thumbprint: canary, isNew: canary }].map(
    (value): Spoilt => [{ dpop: value }, 'dpop', 'an object with prove(), thumbprint(), isNew()'],
  ),
  ...[null, canary, {}, `https://${canary}.test`].map((fetch): Spoilt => [{ fetch }, 'fetch', 'a function']),
  ...[null, canary, canaryNumber, true, {}, [null], ['']].map((allowInsecureHttp): Spoilt => [{ allowInsecureHttp }, 'allowInsecureHttp', insecure]),
  ...[
    'https://as.internal',
    'http://as.internal/path',
    'http://as.internal?a',
    'http://as.internal/#a',
    `http://user:${canary}@as.internal`,
    'as.internal',
    'http://',
    'ws://as.internal',
    '*',
  ].map((entry): Spoilt => [{ allowInsecureHttp: ['http://good.internal:8080', entry] }, 'allowInsecureHttp', insecure]),
  [{ issuer: 'http://as.internal:8081', allowInsecureHttp: ['http://as.internal:8080'] }, 'issuer', https],
  [{ clientSecret: canary }, 'clientSecret', 'unknown option'],
  [{ clientID: canary }, 'clientID', 'it takes issuer, server, clientId, auth'],
  [{ scopes: [canary] }, 'scopes', 'unknown option'],
  ...presets,
  ...target,
];

const confidential: readonly Spoilt[] = [
  [{ auth: undefined }, 'auth', 'this grant is for confidential clients only', '[G1]'],
  [{ auth: none() }, 'auth', 'this grant is for confidential clients only', '[G1]'],
];

// Each stands in a string of its own: C0, DEL and C1.
const controls = ['\0', '\t', '\n', '\r', '\x1b', '\x1f', '\x7f', '\x80', '\x85', '\x9f'];
const secretRows = [clientSecretBasic, clientSecretPost].flatMap((factory) =>
  [
    undefined,
    null,
    '',
    canaryNumber,
    -1,
    0.5,
    BigInt(canaryNumber),
    Symbol(canary),
    {},
    [canary],
    ...controls.map((control) => `${canary}${control}${canary}`),
  ].map((secret) => argument(factory.name, factory, [secret], 'secret', text)),
);

const service = (options: unknown): unknown => call(createServiceClient, options);

export const protocolRows: readonly Row[] = [
  ...noObject('clientCredentials', (options) => call(clientCredentials, options), false),
  ...spoilt('clientCredentials', (options) => call(clientCredentials, options), goodClient, [...server, ...confidential]),
  ...noObject('refreshToken', (options) => call(refreshToken, options), false),
  ...spoilt('refreshToken', (options) => call(refreshToken, options), goodRefresh, [
    ...server,
    ...[undefined, null, '', canaryNumber, [canary], `${canary}\n`, `${canary}\x7f`].map((value): Spoilt => [{ refreshToken: value }, 'refreshToken', text]),
  ]),
  ...noObject('createServiceClient', service, false),
  ...spoilt('createServiceClient', service, goodClient, [...server, ...confidential, ...keeping, [{ grant: {} }, 'grant', 'unknown option']]),
  ...secretRows,
  ...noObject('clientSecretBasic', (options) => call(clientSecretBasic, canary, options), true),
  ...spoilt('clientSecretBasic', (options) => call(clientSecretBasic, canary, options), {}, [
    ...['url', canary, '', null, 1, 'toString', '__proto__'].map((encoding): Spoilt => [{ encoding }, 'encoding', '"form", "raw" or "strict"']),
    [{ encodings: 'raw' }, 'encodings', 'it takes encoding'],
  ]),
];
