import {
  checkBoolean,
  checkCount,
  checkDuration,
  checkFunction,
  checkOptions,
  checkPort,
  checkResource,
  checkScope,
  checkString,
  invalidOption,
} from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import type { KeyStore } from '../core/key-store.js';
import { checkInsecureOrigins } from '../core/secure-url.js';
import { checkClock } from '../core/system-clock.js';
import type { TokenStore } from '../core/token-store.js';
import { Journal } from '../manager/journal.js';
import { checkRedirectUri } from '../protocol/authorization/redirect-uri.js';
import { encryptedStore } from '../storage/encrypted.js';
import { indexedDbKeyStore } from '../storage/indexed-db-key-store.js';
import { defaultDatabase, indexedDbRecords } from '../storage/indexed-db-records.js';
import { webCryptoCipher } from '../storage/web-crypto-cipher.js';
import type { SessionOptions } from './session.js';

/** What the parts of one session share. */
export interface SessionSetup {
  readonly options: SessionOptions;
  readonly clock: Clock;
  readonly journal: Journal;
  /** Names the session's record. The scope is not in it: a release that asks for more signs nobody out. */
  readonly grantId: string;
  /** Reads, and if need be removes, what is stored. */
  readonly records: Pick<TokenStore, 'get' | 'delete'>;
  readonly keyStore: KeyStore;
  readonly skewMs: number;
  readonly minValidMs: number;
}

const optionNames = [
  ...['issuer', 'server', 'clientId', 'auth', 'fetch', 'preset', 'allowInsecureHttp', 'redirectUri', 'scope', 'resource', 'audience', 'params', 'name', 'dpop'],
  ...['skewMs', 'minValidMs', 'store', 'lock', 'clock', 'keepFresh', 'maxTargets', 'onEvent', 'worker'],
];

/**
 * Checks what can be checked without the code that talks to the server, which checks the rest when it is loaded. Touches
 * nothing of the browser.
 * @throws {TokenError} `invalid_option`
 */
export function setUpSession(options: SessionOptions): SessionSetup {
  checkOptions('createSession', options, optionNames);
  const { issuer, server, onEvent, name = 'default' } = options;
  const dpop = checkBoolean('dpop', options.dpop, false);
  const clientId = checkString('clientId', options.clientId);
  if ((issuer === undefined) === (server === undefined)) throw invalidOption('issuer', 'either "issuer" or "server", and not both', issuer);
  const named = checkString(issuer === undefined ? 'server.issuer' : 'issuer', issuer ?? server?.issuer);
  checkRedirectUri(options.redirectUri, checkInsecureOrigins(options.allowInsecureHttp));
  checkScope('scope', options.scope);
  checkResource('resource', options.resource);
  checkString('name', name);
  checkFunction('fetch', options.fetch);
  checkFunction('onEvent', onEvent);
  if (options.worker !== false) checkFunction('worker', options.worker);
  checkPort('store', options.store, ['get', 'set', 'delete']);
  if (options.store?.mayBeStale === true && options.preset?.rotation !== 'none')
    throw invalidOption('store', 'one where tabs see each write at once; localStorage only where preset.rotation is "none"', options.store);
  checkPort('lock', options.lock, ['run']);
  checkBoolean('keepFresh', options.keepFresh, false);
  checkCount('maxTargets', options.maxTargets, 1);
  // Tokens and keys do not belong on a page that everyone on the way can change. (`standards.md` S19)
  if (globalThis.isSecureContext === false) throw invalidOption('createSession', 'a page on https or localhost', undefined);
  const clock = checkClock(options.clock);
  const journal = new Journal(clock, onEvent);
  const keyStore = indexedDbKeyStore();
  return {
    options,
    clock,
    journal,
    grantId: JSON.stringify(['session', named, clientId, name, dpop]),
    records: options.store ?? encryptedStore(indexedDbRecords(defaultDatabase), webCryptoCipher({ keyStore })),
    keyStore,
    skewMs: checkDuration('skewMs', options.skewMs, 60_000),
    minValidMs: checkDuration('minValidMs', options.minValidMs, 5_000),
  };
}
