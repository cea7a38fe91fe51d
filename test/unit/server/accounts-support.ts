import { clientSecretBasic } from 'tokenkeep';
import { type AccountEvent, type Accounts, type AccountsOptions, type Connected, createAccounts } from 'tokenkeep/server';
import { type FakeAuthorizationServer, fakeAuthorizationServer, type ServerKnobs, type VirtualClock, virtualClock } from 'tokenkeep/testing';
import { expect } from 'vitest';
import { type TestAccountStore, testAccountStore } from '../../support/account-store.js';
// Loaded at the first connection: a virtual clock that goes on meanwhile would pass what it waits for.
import '../../../src/server/connect-account.js';

export const redirectUri = 'https://app.example/connected';
export const dayMs = 86_400_000;

export interface Firm {
  readonly clock: VirtualClock;
  readonly server: FakeAuthorizationServer;
  readonly store: TestAccountStore;
  readonly accounts: Accounts;
  readonly events: AccountEvent[];
  /** Another process over the same store. */
  another(options?: Partial<AccountsOptions>): Accounts;
  connect(accountId: string, by?: Accounts): Promise<Connected>;
}

/** An application whose customers connect their accounts at a fake server. */
export function firm(
  options: Partial<AccountsOptions> = {},
  knobs: Partial<ServerKnobs> = {},
  given: { store?: TestAccountStore; clock?: VirtualClock } = {},
): Firm {
  const clock = given.clock ?? virtualClock();
  const server = fakeAuthorizationServer({ clock, knobs });
  const store = given.store ?? testAccountStore(clock);
  const events: AccountEvent[] = [];
  const another = (more: Partial<AccountsOptions> = {}): Accounts =>
    createAccounts({
      issuer: server.issuer,
      clientId: 'client',
      auth: clientSecretBasic('secret-of-the-client'),
      fetch: server.fetch,
      redirectUri,
      scope: 'openid offline_access',
      store,
      clock,
      onEvent: (event) => void events.push(event),
      ...options,
      ...more,
    });
  const accounts = another();
  return {
    clock,
    server,
    store,
    accounts,
    events,
    another,
    async connect(accountId, by = accounts) {
      const { url, transaction } = await by.authorize(accountId);
      return by.callback((await server.visit(url)) ?? '', { transaction });
    },
  };
}

export async function listed<T>(all: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const each of all) found.push(each);
  return found;
}

/** Lets as much time pass as a task needs; gives how much that was. */
export async function untilDone({ clock }: Pick<Firm, 'clock'>, task: Promise<unknown>, limitMs = 3_600_000): Promise<number> {
  let isDone = false;
  const done = (): void => {
    isDone = true;
  };
  task.then(done, done);
  let passed = 0;
  for (; !isDone && passed < limitMs; passed += 250) await clock.advance(250);
  expect(isDone).toBe(true);
  return passed;
}
