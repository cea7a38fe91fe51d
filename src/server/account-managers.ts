import type { JournalEntry, TokenEvent } from '../core/events.js';
import { buildManager, type KeptTokens } from '../manager/kept-tokens.js';
import { disposedError } from '../manager/failures.js';
import { Journal } from '../manager/journal.js';
import { renew } from '../manager/renew.js';
import type { Renew } from '../manager/renewal-tools.js';
import type { TokenManager } from '../manager/token-manager.js';
import { TokenError } from '../core/errors.js';
import { accountHandle } from './account-handle.js';
import { reconnectReason } from './account-index.js';
import { isUnknown } from './account-record.js';
import type { AccountSetup } from './account-setup.js';
import type { AccountEvent, ReconnectReason } from './accounts.js';
import { type Diagnostics, diagnosticsOf } from './diagnostics.js';
import { EndpointPace, pacedGrant } from './endpoint-pace.js';
import { tokenEndpointQueue } from './token-endpoint-queue.js';

/** The managers of the accounts that are in use: bounded, the least recently used goes first, but none that is busy or watched. */
export interface AccountManagers {
  handle(accountId: string): TokenManager;
  /** The account's manager, kept in memory. */
  live(accountId: string): KeptTokens;
  /** The account's manager if it is in memory, else one for this task alone; it stays when it `renews` and the store does not take the result. */
  use<T>(accountId: string, task: (kept: KeptTokens) => Promise<T>, renews?: boolean): Promise<T>;
  /** Tells whoever listens of what no manager reports. */
  tell(event: AccountEvent): void;
  dispose(): Promise<void>;
}

/** One account in memory. */
export interface LiveAccount {
  readonly kept: KeptTokens;
  /** How many listeners its snapshots have. */
  watchers: number;
  /** When it was last known to say what the store says. */
  confirmedMs: number;
}

// A dead account may have been connected again in another process.
const deadMs = 1_000;
// Soon after the store is back: whoever else comes first sends what was spent.
const firstOfferMs = 100;
const longestOfferMs = 1_000;

export function accountManagers(setup: AccountSetup): AccountManagers {
  const { options, clock, store, maxAccounts, recheckMs } = setup;
  const { skewMs, minValidMs, lock } = options;
  const pace = new EndpointPace(clock);
  const queue = tokenEndpointQueue(clock, pace);
  // In the order of use: a Map keeps the order of insertion.
  const accounts = new Map<string, LiveAccount>();
  const leaving = new Set<Promise<void>>();
  let latest: { readonly accountId: string; readonly account: LiveAccount } | undefined;
  const offered = new Set<KeptTokens>();
  // Of accounts that have got another manager before the store took what this one has.
  const replaced = new Set<KeptTokens>();
  const gone = new AbortController();
  let isDisposed = false;

  const { issuer, clientId } = setup.server;
  const diagnosticsFor = (accountId: string): Diagnostics => diagnosticsOf({ issuer, clientId, accountId });

  function tell(event: AccountEvent, { event: publish }: Diagnostics = diagnosticsFor(event.accountId)): void {
    setup.tell(event);
    publish(event);
  }

  function build(accountId: string): KeptTokens {
    const own: { kept?: KeptTokens } = {};
    const diagnostics = diagnosticsFor(accountId);
    const hear = (entry: JournalEntry): void => {
      setup.tell({ ...entry, accountId });
      if (entry.type === 'storage_error' && own.kept) void offerAgain(own.kept);
      const reason = reasonOf(entry, own.kept);
      if (reason !== undefined) tell({ type: 'needs_reconnect', reason, at: entry.at, accountId }, diagnostics);
    };
    own.kept = buildManager(
      { grant: pacedGrant(setup.grantOf(accountId), pace), store, lock, clock, skewMs, minValidMs },
      {
        renew: renewConnected,
        queue,
        journal: new Journal(clock, hear),
        indexOf: (record) => setup.indexOf(accountId, record),
        observed: diagnostics.observed,
      },
    );
    return own.kept;
  }

  // What the store did not take lies in this memory alone: another process would send the refresh token that was spent.
  async function offerAgain(kept: KeptTokens): Promise<void> {
    if (offered.has(kept)) return;
    offered.add(kept);
    for (let pauseMs = firstOfferMs; kept.isUnsaved() && offered.has(kept); pauseMs = Math.min(pauseMs * 2, longestOfferMs)) {
      await clock.sleep(pauseMs, gone.signal, { idle: true }).catch(() => undefined);
      // Callers are served meanwhile, and have heard that the store fails.
      if (offered.has(kept)) await kept.read().catch(() => undefined);
    }
    offered.delete(kept);
    if (replaced.delete(kept)) await leave(kept);
  }

  function leave(kept: KeptTokens): Promise<void> {
    offered.delete(kept);
    const last = kept.isUnsaved() ? kept.read().catch(() => undefined) : Promise.resolve();
    const left = last.then(() => kept.tokens.dispose()).finally(() => leaving.delete(left));
    leaving.add(left);
    return left;
  }

  const newAccount = (kept: KeptTokens): LiveAccount => ({ kept, watchers: 0, confirmedMs: clock.monotonicMs() });

  function makeRoom(): void {
    for (const [accountId, { kept, watchers }] of accounts) {
      if (accounts.size < maxAccounts) return;
      if (watchers > 0 || kept.isBusy()) continue;
      accounts.delete(accountId);
      void leave(kept);
    }
  }

  function liveAccount(accountId: string): LiveAccount {
    if (isDisposed) throw disposedError();
    let account = latest?.accountId === accountId ? latest.account : accounts.get(accountId);
    if (account && account === latest?.account) return account;
    if (!account) {
      makeRoom();
      account = newAccount(build(accountId));
    }
    accounts.delete(accountId);
    accounts.set(accountId, account);
    latest = { accountId, account };
    return account;
  }

  // Other processes write too, and not every store tells.
  function confirmed(accountId: string): LiveAccount {
    const account = liveAccount(accountId);
    const { kept } = account;
    const now = clock.monotonicMs();
    const age = now - account.confirmedMs;
    const { ended, refreshToken } = kept.record();
    const isDead = ended !== undefined || refreshToken === undefined;
    if (age < (isDead ? deadMs : recheckMs) || (age < recheckMs && kept.isBusy())) return account;
    account.confirmedMs = now;
    void kept.recheck();
    return account;
  }

  return {
    handle: (accountId) => accountHandle(() => confirmed(accountId)),
    live: (accountId) => liveAccount(accountId).kept,
    tell: (event) => tell(event),
    async use(accountId, task, renews = false) {
      if (isDisposed) throw disposedError();
      const known = accounts.get(accountId);
      if (known) return task(known.kept);
      const kept = build(accountId);
      try {
        return await task(kept);
      } finally {
        if (!renews || !kept.isUnsaved() || isDisposed) await leave(kept);
        else if (accounts.has(accountId)) replaced.add(kept);
        else accounts.set(accountId, newAccount(kept));
      }
    },
    async dispose() {
      isDisposed = true;
      gone.abort();
      latest = undefined;
      for (const kept of [...[...accounts.values()].map((account) => account.kept), ...replaced]) void leave(kept);
      accounts.clear();
      replaced.clear();
      await Promise.all(leaving);
    },
  };
}

// Nobody connected it, or without a refresh token: then there is nothing to send, and nothing to write.
const renewConnected: Renew = async (entry, flight, tools) => {
  const { ended, refreshToken, tokens } = entry.keeper.record;
  if (ended !== undefined || refreshToken !== undefined) return renew(entry, flight, tools);
  const why = tokens.length > 0 ? 'the server gave no refresh token; it has to be connected again' : 'nobody has connected this account';
  throw new TokenError('login_required', why, { phase: 'token' });
};

function reasonOf(event: TokenEvent, kept: KeptTokens | undefined): ReconnectReason | undefined {
  if (event.type === 'session_ended') return event.elsewhere ? undefined : reconnectReason(event.reason);
  const isLost = event.type === 'renewal_failed' && event.error.code === 'login_required' && kept !== undefined && !isUnknown(kept.record());
  return isLost ? 'no_refresh_token' : undefined;
}
