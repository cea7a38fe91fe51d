import { memoryStore } from 'tokenkeep';
import { fakeAuthorizationServer, keyStoreContract, lockContract, storeContract, virtualClock } from 'tokenkeep/testing';
import { argument, call, canary, canaryNumber, noObject, type Row, type Spoilt, spoilt } from './row.js';

const ms = 'a finite number of milliseconds';
const clock = virtualClock();
const server = fakeAuthorizationServer();

const contractRows = [storeContract, lockContract, keyStoreContract].flatMap((factory) => {
  const { name } = factory;
  const make = (options: unknown): unknown => call(factory, memoryStore, options);
  return [
    ...[undefined, null, canary, memoryStore()].map((value) => argument(name, factory, [value], name, 'a function')),
    ...noObject(name, make, true),
    ...spoilt(name, make, {}, [
      [{ pass: canary }, 'pass', 'a function'],
      [{ limitMs: -1 }, 'limitMs', ms],
      [{ limitMs: '5000' }, 'limitMs', ms],
      [{ limit: 5 }, 'limit', 'it takes pass, limitMs'],
    ]),
  ];
});

export const testingRows: readonly Row[] = [
  ...noObject('virtualClock', (options) => call(virtualClock, options), true, 'virtualClock()'),
  ...spoilt('virtualClock', (options) => call(virtualClock, options), {}, [
    ...[-1, Number.NaN, Number.POSITIVE_INFINITY, '0', null, new Date(0)].map((now): Spoilt => [{ now }, 'now', ms]),
    [{ nowMs: 0 }, 'nowMs', 'it takes now'],
  ]),
  ...[Number.NaN, Number.NEGATIVE_INFINITY, '5', undefined].map((value) => argument('jumpWall', (given: number) => clock.jumpWall(given), [value], 'ms', ms)),
  ...[-1, Number.NaN, '5', null].map((value) => argument('suspend', (given: number) => clock.suspend(given), [value], 'ms', ms)),
  ...noObject('fakeAuthorizationServer', (options) => call(fakeAuthorizationServer, options), true, 'fakeAuthorizationServer()'),
  ...spoilt('fakeAuthorizationServer', (options) => call(fakeAuthorizationServer, options), {}, [
    ...['', canary, canaryNumber, null].map((issuer): Spoilt => [{ issuer }, 'issuer', 'a URL']),
    ...[canary, null].map((trapOrigin): Spoilt => [{ trapOrigin }, 'trapOrigin', 'a URL']),
    ...['https://api.test', null, [canary], ['https://api.test/v1']].map((apiOrigins): Spoilt => [{ apiOrigins }, 'apiOrigins', 'a list of origins']),
    [{ clock: {} }, 'clock', 'an object with now(), monotonicMs(), sleep()'],
    [{ clients: [canary] }, 'clients', 'an options object'],
    [{ clients: canary }, 'clients', 'an options object'],
    [{ clients: { svc: canaryNumber } }, 'clients.svc', 'an options object'],
    [{ clients: { svc: { secret: `${canary}\n` } } }, 'clients.svc.secret', 'a string'],
    [{ clients: { svc: { keys: canary } } }, 'clients.svc.keys', 'a list of public keys'],
    [{ clients: { svc: { certificates: canary } } }, 'clients.svc.certificates', 'a list of certificates'],
    [{ clients: { svc: { certificates: [canary] } } }, 'clients.svc.certificates', 'a certificate in PEM'],
    [{ clients: { svc: { password: canary } } }, 'password', 'it takes secret'],
    [{ grants: { password: canary } }, 'grants.password', 'a function'],
    [{ random: 0.5 }, 'random', 'a function'],
    [{ assertionIssuers: canary }, 'assertionIssuers', 'an options object'],
    [{ knobs: canary }, 'knobs', 'an options object'],
    [{ knobs: { expires_in: 5 } }, 'knobs.expires_in', 'one of the knobs'],
    [{ knob: {} }, 'knob', 'it takes issuer'],
  ]),
  ...[null, canary, undefined].map((changes) => argument('set', (given: object) => server.set(given), [changes], 'knobs', 'an options object')),
  argument('forNext', () => call(server.forNext, 1, { latency: 5 }), [], 'knobs.latency', 'one of the knobs'),
  argument('setSecret', () => server.setSecret('client', canary), [], 'clients', 'a list of clients'),
  argument('setClient', () => server.setClient('client', canary), [], 'clients', 'a list of clients'),
  argument('fetchWithCertificate', (given: string) => server.fetchWithCertificate(given), [canary], 'certificate', 'a certificate in PEM'),
  ...contractRows,
];
