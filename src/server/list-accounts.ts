import { checkCount, checkOptions, checkString, invalidOption } from '../core/check-option.js';
import type { StorePage } from '../core/token-store.js';
import { indexStates, type IndexState } from './account-index.js';
import { type AccountSetup, connectionPrefix } from './account-setup.js';
import type { AccountInfo, AccountPage, AccountQuery, AccountState, ReconnectReason } from './accounts.js';

type Entry = StorePage['entries'][number];

/** A page of accounts. Its cursor tells which of several states comes next, and the store's own cursor in there. @throws {TokenError} */
export async function pageOfAccounts(query: AccountQuery & { readonly cursor?: string | undefined }, setup: AccountSetup): Promise<AccountPage> {
  checkOptions('page', query, ['state', 'limit', 'cursor']);
  const limit = checkCount('limit', query.limit, 100);
  const states = statesOf(query.state);
  const [place, inside] = readCursor(query.cursor, states.length);
  const page = await setup.stored(() =>
    setup.store.list({ ...(states[place] !== undefined && { state: states[place] }), limit, ...(inside !== undefined && { cursor: inside }) }),
  );
  const own = await Promise.all(page.entries.map(async (entry) => ((await isOwn(entry, setup)) ? (infoOf(entry, setup) ?? []) : [])));
  const accounts = own.flat().filter(({ state }) => query.state === undefined || state === query.state);
  const next = page.cursor === undefined ? (place + 1 < states.length ? `${place + 1}:` : undefined) : `${place}:${page.cursor}`;
  return { accounts, ...(next !== undefined && { cursor: next }) };
}

/** All of them, page after page. @throws {TokenError} */
export async function* allAccounts(query: AccountQuery, setup: AccountSetup): AsyncGenerator<AccountInfo> {
  checkOptions('list', query, ['state', 'limit']);
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const page: AccountPage = await pageOfAccounts({ ...query, ...(cursor !== '' && { cursor }) }, setup);
    yield* page.accounts;
    cursor = page.cursor;
  }
}

/** Entries of some states that are due, for the sweep: those of others in the same store are left out. */
export async function* dueEntries(state: IndexState, setup: AccountSetup): AsyncGenerator<Entry> {
  const dueBefore = setup.clock.now();
  let cursor: string | undefined;
  do {
    const page: StorePage = await setup.stored(() => setup.store.list({ state, dueBefore, limit: 500, ...(cursor !== undefined && { cursor }) }));
    for (const entry of page.entries) if (await isOwn(entry, setup)) yield entry;
    cursor = page.cursor;
  } while (cursor !== undefined);
}

// The index lies in clear, beside records of others; the name of a record follows from whose it is.
async function isOwn({ key, accountId, state }: Entry, setup: AccountSetup): Promise<boolean> {
  return state === 'connecting' ? key.startsWith(connectionPrefix) : key === (await setup.keyOf(accountId));
}

/** What can be seen of an entry; undefined for what is no account any more, or not yet. */
export function infoOf({ accountId, state, dueAt }: Entry, { clock }: AccountSetup): AccountInfo | undefined {
  const due = dueAt === undefined ? {} : { dueAt };
  // Its access token may still be good.
  if (state === 'no_refresh_token' && dueAt !== undefined && dueAt > clock.now()) return { accountId, state: 'healthy' };
  if (state === 'healthy' || state === 'renewing') return { accountId, state, ...due };
  const reason = indexStates.needs_reconnect.find((known): known is ReconnectReason => known === state);
  return reason && { accountId, state: 'needs_reconnect', reason };
}

function statesOf(state: AccountState | undefined): readonly (IndexState | undefined)[] {
  if (state === undefined) return [undefined];
  if (!Object.hasOwn(indexStates, state)) throw invalidOption('state', Object.keys(indexStates).join(' or '), state);
  return state === 'healthy' ? [...indexStates.healthy, 'no_refresh_token'] : indexStates[state];
}

function readCursor(cursor: string | undefined, states: number): readonly [number, string | undefined] {
  if (cursor === undefined) return [0, undefined];
  const [, place = '', inside = ''] = /^(\d):(.*)$/s.exec(checkString('cursor', cursor)) ?? [];
  if (place === '' || Number(place) >= states) throw invalidOption('cursor', 'the cursor of a page with the same state', cursor);
  return [Number(place), inside || undefined];
}
