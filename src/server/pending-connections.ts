import { parseObject } from '../core/parse-object.js';
import { randomId, randomSecret } from '../core/random.js';
import { type AuthorizationTransaction, parseTransaction, transactionTtlMs } from '../protocol/authorization/authorization-transaction.js';
import type { AccountSetup } from './account-setup.js';
import { callbackRefused } from './callback-refused.js';

/** A connection that was begun. */
export interface PendingConnection {
  readonly accountId: string;
  readonly returnTo: string | undefined;
  readonly transaction: AuthorizationTransaction;
}

/** The connections that are under way, each under the digest of a handle that its user alone has. (`standards.md` A3, A4) */
export interface PendingConnections {
  /** Keeps one; gives its handle. @throws {TokenError} `store_unavailable` */
  add(transaction: AuthorizationTransaction, accountId: string): Promise<string>;
  /** Takes it out for good. @throws {TokenError} `callback_refused` when nobody began it, it was taken before, or is too old; `store_unavailable` */
  take(handle: unknown): Promise<PendingConnection>;
}

export function pendingConnections({ store, clock, stored, connectionKey }: AccountSetup): PendingConnections {
  return {
    async add(transaction, accountId) {
      const handle = randomSecret();
      const index = { accountId, state: 'connecting', dueAt: clock.now() + transactionTtlMs };
      const key = await connectionKey(handle);
      await stored(() => store.set(key, JSON.stringify(transaction), { expected: undefined, next: randomId(), index }));
      return handle;
    },

    async take(handle) {
      if (typeof handle !== 'string' || !/^[\w-]{43}$/.test(handle)) throw callbackRefused('there is no transaction for it: its cookie is missing');
      const key = await connectionKey(handle);
      const known = await stored(() => store.get(key));
      // Whoever removes it has it.
      const taken = known !== undefined && (await stored(() => store.delete(key, known.version)));
      const transaction = taken ? parseTransaction(known.value) : undefined;
      const { accountId, returnTo } = parseObject(transaction?.appState) ?? {};
      if (transaction === undefined || typeof accountId !== 'string') throw callbackRefused('nobody began this sign-in, or it was finished before');
      if ((known?.ageMs ?? 0) > transactionTtlMs) throw callbackRefused('the sign-in took longer than ten minutes');
      return { accountId, returnTo: typeof returnTo === 'string' ? returnTo : undefined, transaction };
    },
  };
}
