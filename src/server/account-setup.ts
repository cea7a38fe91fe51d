import { checkCount, checkDuration, checkFunction, checkOptions, checkPort, checkString, invalidOption } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import type { Grant, GrantContext } from '../core/grant.js';
import { isolated } from '../core/isolated.js';
import type { Lock } from '../core/lock.js';
import { digest, randomFraction } from '../core/random.js';
import { checkInsecureOrigins } from '../core/secure-url.js';
import { checkClock } from '../core/system-clock.js';
import { checkTokenParameters, type TokenParameters } from '../core/token-parameters.js';
import type { AccountStore, StoreIndex } from '../core/token-store.js';
import { askStore } from '../manager/ask-store.js';
import { lockOf } from '../manager/lock-of.js';
import { recordName } from '../manager/record-name.js';
import type { GrantRecord } from '../manager/state.js';
import { checkRedirectUri } from '../protocol/authorization/redirect-uri.js';
import { signedInGrant } from '../protocol/authorization/signed-in-grant.js';
import { type AuthorizationServer, checkAuthorizationServer } from '../protocol/issuer/authorization-server.js';
import { checkPreset } from '../protocol/issuer/check-preset.js';
import { endMembers } from '../protocol/wire/refresh-token-end.js';
import { accountIndex, type IndexTools } from './account-index.js';
import type { AccountEvent, AccountsOptions } from './accounts.js';

const optionNames = [
  ...['redirectUri', 'scope', 'resource', 'audience', 'params', 'store', 'lock', 'clock', 'skewMs', 'minValidMs'],
  ...['name', 'refreshTokenIdleMs', 'subjectMember', 'maxAccounts', 'recheckMs', 'onEvent'],
];

/** What the keys of connections under way begin with. */
export const connectionPrefix = 'tokenkeep:1:connection:';

/** What the parts of one `createAccounts` share. */
export interface AccountSetup extends IndexTools {
  readonly options: AccountsOptions;
  readonly server: AuthorizationServer;
  readonly defaults: TokenParameters;
  readonly redirectUri: string;
  readonly store: AccountStore;
  readonly lock: Lock;
  readonly clock: Clock;
  readonly maxAccounts: number;
  readonly recheckMs: number;
  readonly subjectMember: string | undefined;
  /** The members of a response that the application asked for. */
  readonly rawMembers: readonly string[];
  grantOf(accountId: string): Grant;
  /** What an account's record is called. Others in the same store have other names. */
  keyOf(accountId: string): Promise<string>;
  /** What lies in clear beside an account's record. */
  indexOf(accountId: string, record: GrantRecord): StoreIndex;
  /** The key of a connection under way, and the name of the sweep's lock. */
  connectionKey(handle: string): Promise<string>;
  sweepName(): Promise<string>;
  /** One call to the store, in its time. @throws {TokenError} `store_unavailable` */
  stored<T>(call: () => Promise<T>): Promise<T>;
  context(signal?: AbortSignal): GrantContext;
  tell(event: AccountEvent): void;
}

/** @throws {TokenError} `invalid_option` */
export function setUpAccounts(options: AccountsOptions): AccountSetup {
  checkOptions('createAccounts', options);
  const { redirectUri, scope, resource, audience, params, store, lock, clock: _, skewMs, minValidMs, name, ...rest } = options;
  const { refreshTokenIdleMs, subjectMember, maxAccounts, recheckMs, onEvent, ...server } = rest;
  const preset = checkPreset(options.preset);
  const rawMembers = preset.rawMembers ?? [];
  const members = [...new Set([...rawMembers, ...endMembers, ...(subjectMember === undefined ? [] : [checkString('subjectMember', subjectMember)])])];
  const as = checkAuthorizationServer('createAccounts', { ...server, preset: { ...preset, rawMembers: members } }, optionNames);
  const clock = checkClock(options.clock);
  const defaults = checkTokenParameters({ scope, resource, audience, params });
  checkPort('store', store ?? null, ['get', 'set', 'delete', 'list']);
  checkPort('lock', lock, ['run']);
  checkFunction('onEvent', onEvent);
  const held = lockOf(store, lock, clock);
  const own = [as.issuer, as.clientId, name === undefined ? 'default' : checkString('name', name)];
  const base = signedInGrant(as, defaults);
  // Neither the scope nor a key names the record: a release that asks for more, or renews its certificate, loses no account.
  const { identity: _identity, ...grant } = base;
  const idOf = (accountId: string): string => JSON.stringify(['account', ...own, accountId]);
  const tools: IndexTools = {
    clock,
    random: randomFraction,
    refreshTokenIdleMs: refreshTokenIdleMs === undefined ? undefined : checkCount('refreshTokenIdleMs', refreshTokenIdleMs, 1),
    preset,
  };
  return {
    options,
    server: as,
    defaults,
    redirectUri: checkRedirectUri(redirectUri, checkInsecureOrigins(options.allowInsecureHttp)),
    store,
    lock: held,
    ...tools,
    maxAccounts: checkCount('maxAccounts', maxAccounts, 1_000),
    recheckMs: checkDuration('recheckMs', recheckMs, 60_000),
    subjectMember,
    rawMembers,
    grantOf: (accountId) => ({ ...grant, id: idOf(accountId) }),
    keyOf: (accountId) => recordName({ id: idOf(accountId) }),
    indexOf: (accountId, record) => accountIndex(accountId, record, tools),
    connectionKey: async (handle) => `${connectionPrefix}${await digest(JSON.stringify([...own, handle]))}`,
    sweepName: async () => `tokenkeep:1:sweep:${await digest(JSON.stringify(own))}`,
    stored: (call) => askStore(clock, call),
    context: (signal = new AbortController().signal) => ({ target: {}, clock, signal, report: () => undefined }),
    tell: (event) => isolated(onEvent, event),
  };
}

/** The application's name of an account. @throws {TokenError} `invalid_option` */
export function checkAccountId(accountId: unknown): string {
  const id = checkString('accountId', accountId);
  if (id.length > 512) throw invalidOption('accountId', 'at most 512 characters', accountId);
  return id;
}
