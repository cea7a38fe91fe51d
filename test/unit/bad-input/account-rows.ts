import { localLock } from 'tokenkeep';
import { createAccounts } from 'tokenkeep/server';
import { virtualClock } from 'tokenkeep/testing';
import { testAccountStore } from '../../support/account-store.js';
import { goodClient } from './protocol-rows.js';
import { argument, call, canary, canaryNumber, noObject, type Row, type Spoilt, spoilt } from './row.js';

const store = testAccountStore(virtualClock());
export const goodAccounts = { ...goodClient, redirectUri: 'https://app.example/connected', store };

const methods = 'an object with get(), set(), delete(), list()';
const count = 'a whole number, 1 or more';
const ms = 'a finite number of milliseconds, 0 or more';
const text = 'a string that is not empty and has no control characters';
const redirect = 'an absolute URI without fragment';

const options: readonly Spoilt[] = [
  ...[undefined, null, canary, {}, { ...store, list: undefined }, { ...store, get: canary }].map((given): Spoilt => [{ store: given }, 'store', methods]),
  [{ store: { ...store, lock: undefined } }, 'lock', 'needs a lock that excludes them too'],
  [{ lock: localLock() }, 'lock', 'needs a lock that excludes them too'],
  ...[null, canary, {}].map((lock): Spoilt => [{ lock }, 'lock', 'an object with run()']),
  ...[undefined, '', canary, '/connected', `https://app.example/#${canary}`, 'http://app.example/cb', `javascript:${canary}`].map(
    (redirectUri): Spoilt => [{ redirectUri }, 'redirectUri', redirect],
  ),
  ...['', canaryNumber, null, 'a\nb'].flatMap((given): Spoilt[] => [
    [{ name: given }, 'name', text],
    [{ subjectMember: given }, 'subjectMember', text],
  ]),
  ...[0, -1, 1.5, Number.NaN, '10', null].flatMap((given): Spoilt[] => [
    [{ maxAccounts: given }, 'maxAccounts', count],
    [{ refreshTokenIdleMs: given }, 'refreshTokenIdleMs', count],
    [{ preset: { idleLifetimeMs: given } }, 'preset.idleLifetimeMs', count],
  ]),
  ...[-1, Number.NaN, Number.POSITIVE_INFINITY, '60000', null].map((recheckMs): Spoilt => [{ recheckMs }, 'recheckMs', ms]),
  ...[canary, {}, null].map((onEvent): Spoilt => [{ onEvent }, 'onEvent', 'a function']),
  [{ preset: { rawMembers: canary } }, 'preset.rawMembers', 'a list of names'],
  [{ refreshToken: canary }, 'refreshToken', 'unknown option'],
  [{ redirectURI: canary }, 'redirectURI', 'it takes'],
];

const make = (given: unknown): unknown => call(createAccounts, given);
const { account } = createAccounts(goodAccounts);

export const accountRows: readonly Row[] = [
  ...noObject('createAccounts', make, false),
  ...spoilt('createAccounts', make, goodAccounts, options),
  ...['', canaryNumber, null, undefined, 'a\0b'].map((id) => argument('account', account, [id], 'accountId', text)),
  argument('account', account, ['x'.repeat(513)], 'accountId', 'at most 512 characters'),
];
