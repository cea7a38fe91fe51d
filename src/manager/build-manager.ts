import { checkBoolean, checkCount, checkDuration, checkFunction, checkPort, invalidOption } from '../core/check-option.js';
import type { ProofRequest } from '../core/grant.js';
import { digest, randomFraction } from '../core/random.js';
import type { StoreIndex } from '../core/token-store.js';
import { checkClock } from '../core/system-clock.js';
import type { TokenManagerOptions } from './create-token-manager.js';
import { Journal } from './journal.js';
import { keepTokens, type ManagerParts } from './keep-tokens.js';
import { lockOf } from './lock-of.js';
import { recordName } from './record-name.js';
import type { GrantRecord } from './state.js';
import type { Renew, RenewalTools } from './renewal-tools.js';
import { noQueue, type RequestQueue } from './request-queue.js';

/** What other rooms of this package and its tests hand in beside the options. */
export interface ManagerInternals {
  readonly renew: Renew;
  readonly endsWithStore?: boolean | undefined;
  readonly isPaused?: (() => boolean) | undefined;
  readonly indexOf?: ((record: GrantRecord) => StoreIndex) | undefined;
  /** Goes on with what was written into it before. */
  readonly journal?: Journal | undefined;
  readonly queue?: RequestQueue | undefined;
  /** Watches what the manager does with its tools. */
  readonly observed?: ((tools: RenewalTools) => RenewalTools) | undefined;
  readonly random?: (() => number) | undefined;
  /** How much earlier than others it renews, in [0, 1]. @default by chance */
  readonly spread?: number | undefined;
  readonly digest?: ((text: string) => Promise<string>) | undefined;
}

/** A manager and what it works with, from options that are checked here. @throws {TokenError} `invalid_option` */
export function managerParts(options: TokenManagerOptions, internals: ManagerInternals): ManagerParts {
  const { grant, store, onEvent } = options;
  checkGrant(grant);
  checkPort('store', store, ['get', 'set', 'delete']);
  checkPort('store.lock', store?.lock, ['run']);
  checkFunction('store.subscribe', store?.subscribe);
  checkPort('lock', options.lock, ['run']);
  checkFunction('onEvent', onEvent);
  const clock = checkClock(options.clock);
  const lock = lockOf(store, options.lock, clock);
  const { renew, endsWithStore = false, isPaused, indexOf, queue = noQueue, random = randomFraction, digest: hash = digest, observed } = internals;
  const skewMs = checkDuration('skewMs', options.skewMs, 60_000);
  const prove = grant.prove?.bind(grant);
  const oneRecord = grant.renews === 'refreshToken';
  const journal = internals.journal ?? new Journal(clock, onEvent);
  const tools: RenewalTools = {
    grant,
    oneRecord,
    clock,
    store,
    lock,
    queue,
    renew,
    endsWithStore,
    isPaused,
    indexOf,
    windows: {
      // What cannot be renewed is not tried to be before its end.
      skewMs: grant.renews === 'never' ? 0 : skewMs,
      minValidMs: checkDuration('minValidMs', options.minValidMs, 5_000),
      spread: internals.spread ?? random(),
      prove: prove && ((request: ProofRequest) => prove(request, clock)),
    },
    maxTargets: checkCount('maxTargets', options.maxTargets, 1_000),
    pause: undefined,
    nameOf: async (targetKey) => {
      const name = oneRecord ? '' : targetKey;
      // A lock that only this manager knows needs no name that others could meet.
      return !store && options.lock === undefined ? name : recordName(grant, name, hash);
    },
    random,
    digest: hash,
    report: journal.report,
  };
  return keepTokens(observed?.(tools) ?? tools, journal, checkBoolean('keepFresh', options.keepFresh, false));
}

function checkGrant(grant: unknown): void {
  checkPort('grant', grant ?? null, ['request']);
  const { id, renews, ...methods } = Object(grant);
  for (const name of ['identity', 'revoke', 'prove']) checkFunction(`grant.${name}`, methods[name]);
  if (typeof id !== 'string') throw invalidOption('grant.id', 'a string', id);
  if (!['refreshToken', 'regrant', 'never'].includes(renews)) throw invalidOption('grant.renews', '"refreshToken", "regrant" or "never"', renews);
}
