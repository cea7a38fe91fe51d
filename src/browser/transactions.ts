import { parseObject } from '../core/parse-object.js';
import { randomId } from '../core/random.js';
import type { Clock } from '../core/clock.js';
import { unavailable } from '../core/unavailable.js';
import type { Stored, TokenStore } from '../core/token-store.js';
import { askStore } from '../manager/ask-store.js';
import { type AuthorizationTransaction, maxTransactions, parseTransaction, transactionTtlMs } from '../protocol/authorization/authorization-transaction.js';

const writes = 5;

/** The sign-ins of one session that are under way, in all tabs: at most ten, for ten minutes. All throw `store_unavailable`. (`standards.md` A3) */
export interface Transactions {
  add(transaction: AuthorizationTransaction): Promise<void>;
  /** Looks for one, and leaves it. */
  find(state: string): Promise<AuthorizationTransaction | undefined>;
  /** Takes one out, for good; undefined when nobody began it, it is too old, or it was taken already. */
  take(state: string): Promise<AuthorizationTransaction | undefined>;
}

export function transactionsIn(chosen: () => Promise<TokenStore>, key: string, clock: Clock): Transactions {
  const parse = (stored: Stored | undefined): readonly AuthorizationTransaction[] => {
    const { list } = parseObject(stored?.value) ?? {};
    return (Array.isArray(list) ? list : []).flatMap((each) => parseTransaction(JSON.stringify(each)) ?? []);
  };

  // One value for all, so that their number is bounded; a lost compare-and-swap looks again.
  async function change<T>(update: (now: readonly AuthorizationTransaction[]) => readonly [readonly AuthorizationTransaction[], T]): Promise<T> {
    const store = await chosen();
    for (let tries = 0; tries < writes; tries++) {
      const stored = await store.get(key);
      const known = parse(stored);
      const [next, result] = update(known.filter(({ createdAt }) => clock.now() - createdAt <= transactionTtlMs));
      if (next.length === known.length && next.every((each, index) => each === known[index])) return result;
      if (await store.set(key, JSON.stringify({ list: next }), { expected: stored?.version, next: randomId() }))
        // What could not be written where it belongs went into this page's memory, which does not come back from the server.
        return (await chosen()) === store ? result : change(update);
    }
    throw unavailable('the sign-ins under way keep changing under this write');
  }

  return {
    add: (transaction) => askStore(clock, () => change((known) => [[...known, transaction].slice(-maxTransactions), undefined])),
    find: (state) => askStore(clock, async () => parse(await (await chosen()).get(key)).find((each) => each.state === state)),
    take: (state) => askStore(clock, () => change((known) => [known.filter((each) => each.state !== state), known.find((each) => each.state === state)])),
  };
}
