import { disposedError } from '../manager/failures.js';
import { accountManagers } from './account-managers.js';
import { indexState } from './account-index.js';
import { isUnknown, readAccount, subjectOf, visible } from './account-record.js';
import { checkAccountId, setUpAccounts } from './account-setup.js';
import type { AccountDetails, Accounts, AccountsOptions } from './accounts.js';
import { allAccounts, infoOf, pageOfAccounts } from './list-accounts.js';
import { sweepAccounts } from './sweep.js';

/**
 * Keeps one refresh token per connected customer in a durable store: connected through the authorization code flow with PKCE
 * (RFC 6749 §4.1, RFC 7636), renewed as any token is, used in time where it would expire unused. Safe for many processes.
 * Several of them, for several servers, may share a store.
 *
 * @throws {TokenError} `invalid_option`
 */
export function createAccounts(options: AccountsOptions): Accounts {
  const setup = setUpAccounts(options);
  const managers = accountManagers(setup);
  const tools = { setup, managers };
  // A process that connects nobody starts without the code flow, and so does a service that shares this entry.
  const connecting = () => import('./connect-account.js');
  const gone = new AbortController();
  const sweeps = new Set<Promise<unknown>>();
  let disposed: Promise<void> | undefined;

  async function idOf(accountId: string): Promise<string> {
    if (disposed) throw disposedError();
    return checkAccountId(accountId);
  }

  async function details(accountId: string): Promise<AccountDetails | undefined> {
    return managers.use(await idOf(accountId), async (kept) => {
      const record = await readAccount(kept);
      const info = infoOf({ key: '', ...setup.indexOf(accountId, record) }, setup);
      if (isUnknown(record) || info === undefined) return undefined;
      const subject = subjectOf(record, setup);
      return { ...info, ...(subject !== undefined && { subject }), scope: record.tokens[0]?.token.scope ?? [], raw: visible(record.raw, setup) };
    });
  }

  async function disconnect(accountId: string): Promise<void> {
    await managers.use(await idOf(accountId), async (kept) => {
      const record = await readAccount(kept);
      // What was never there, or is gone, leaves no tombstone.
      if (isUnknown(record) || indexState(record) === 'disconnected') return;
      await kept.tokens.revoke();
    });
  }

  function dispose(): Promise<void> {
    if (!disposed) {
      gone.abort(disposedError());
      disposed = Promise.allSettled(sweeps).then(() => managers.dispose());
    }
    return disposed;
  }

  return {
    async authorize(accountId, wanted = {}) {
      const id = await idOf(accountId);
      return (await connecting()).beginConnection(id, wanted, tools);
    },
    async callback(request, given) {
      if (disposed) throw disposedError();
      return (await connecting()).finishConnection(request, given, tools);
    },
    async import(accountId, account) {
      const id = await idOf(accountId);
      return (await connecting()).importAccount(id, account, tools);
    },
    account: (accountId) => managers.handle(checkAccountId(accountId)),
    list: (query = {}) => allAccounts(query, setup),
    page: (query = {}) => pageOfAccounts(query, setup),
    details,
    disconnect,
    async sweep(wanted = {}) {
      if (disposed) throw disposedError();
      const sweep = sweepAccounts(wanted, setup, managers, gone.signal);
      sweeps.add(sweep);
      try {
        return await sweep;
      } finally {
        sweeps.delete(sweep);
      }
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}
