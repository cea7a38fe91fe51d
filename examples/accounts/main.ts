// Customers who connect their accounts: a list of them, a process that is killed in mid-refresh, a reconnect. The README explains it.
// With --page the same by hand, on a page.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { clientSecretBasic, isTokenError } from 'tokenkeep';
import { type Accounts, createAccounts } from 'tokenkeep/server';
import { encryptedStore } from 'tokenkeep/storage/encrypted';
import { jweCipher } from 'tokenkeep/storage/jwe-cipher';
import { sqliteStore } from 'tokenkeep/storage/sqlite';
import { renew, startListPage } from './list-page.ts';
import { type Books, client, redirectUri, startBooks, visit } from './server.ts';

const { CHILD, ISSUER = '', FILE = '', STORE_KEY = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url') } = process.env;

function open(issuer: string, file: string): { readonly accounts: Accounts; readonly database: DatabaseSync } {
  const database = new DatabaseSync(file);
  // A short lease, so that the lock of a process that was killed is soon free.
  const store = encryptedStore(sqliteStore(database, { leaseMs: 1_500 }), jweCipher({ keys: [{ kid: '1', key: STORE_KEY }] }));
  const accounts = createAccounts({
    issuer,
    clientId: client.id,
    auth: clientSecretBasic(client.secret),
    redirectUri,
    scope: 'openid offline_access',
    store,
    onEvent: (event) => void (event.type === 'needs_reconnect' && console.log(`  ! ${event.accountId} has to connect again: ${event.reason}`)),
    preset: { idTokenAlgorithms: ['ES256'] },
  });
  return { accounts, database };
}

async function list(accounts: Accounts, title: string): Promise<void> {
  console.log(title);
  for await (const { accountId, state, reason } of accounts.list()) console.log(`  ${accountId.padEnd(6)} ${state}${reason ? ` (${reason})` : ''}`);
}

async function connect(accounts: Accounts, customer: string, user: string): Promise<void> {
  const { url, transaction } = await accounts.authorize(customer, { loginHint: user });
  // In a web application the transaction is a cookie, and these are two requests.
  await accounts.callback(await visit(url), { transaction });
}

/** Everything that this process holds, and what closes it. */
async function stage() {
  const folder = await mkdtemp(join(tmpdir(), 'tokenkeep-accounts-'));
  const file = join(folder, 'accounts.db');
  const server = await startBooks();
  const { accounts, database } = open(server.issuer, file);
  return {
    accounts,
    server,
    kill: (customer: string) => killInMidRefresh(customer, server, file),
    async close() {
      await accounts.dispose();
      database.close();
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** Another process begins to renew the account's token, and is killed while the server is about to answer. */
async function killInMidRefresh(customer: string, server: Books, file: string): Promise<void> {
  server.setTokenDelay(3_000);
  const child = fork(import.meta.filename, { env: { ...process.env, CHILD: customer, ISSUER: server.issuer, FILE: file, STORE_KEY } });
  const gone = once(child, 'exit');
  const asked = server.tokenRequests();
  while (server.tokenRequests() === asked && child.exitCode === null) await sleep(20);
  child.kill('SIGKILL');
  await gone;
  server.setTokenDelay(0);
}

async function show(): Promise<void> {
  const { accounts, kill, close } = await stage();
  try {
    for (const [customer, user] of [
      ['acme', 'ada'],
      ['beta', 'bob'],
      ['corp', 'cleo'],
    ] as const)
      await connect(accounts, customer, user);
    await list(accounts, 'Three customers have connected:');

    await kill('acme');
    await list(accounts, 'A process was killed while it renewed the token of acme:');
    await renew(accounts, 'acme');
    await list(accounts, 'Another one went on with it:');

    await connect(accounts, 'beta', 'mallory').catch((error: unknown) => console.log(`Mallory is not Bob: ${isTokenError(error) ? error.code : 'failed'}`));
    await accounts.disconnect('corp');
    await list(accounts, 'Corp has disconnected:');
  } finally {
    await close();
  }
}

async function watch(): Promise<void> {
  const { close, ...parts } = await stage();
  const page = await startListPage(parts);
  console.log(`Connect customers, watch them, kill a process: ${page.url}   Ctrl-C ends it`);
  await Promise.race((['SIGINT', 'SIGTERM'] as const).map((signal) => once(process, signal)));
  await page.close();
  await close();
}

if (CHILD !== undefined) await renew(open(ISSUER, FILE).accounts, CHILD);
else if (process.argv.includes('--page')) await watch();
else await show();
