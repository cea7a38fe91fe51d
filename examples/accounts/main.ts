// Customers who connect their accounts: a list of them, a process that is killed in mid-refresh, a reconnect. The README explains it.
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
import { client, startBooks, visit } from './server.ts';

const { CHILD, ISSUER = '', FILE = '', STORE_KEY = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url') } = process.env;

function open(issuer: string, file: string): { readonly accounts: Accounts; readonly database: DatabaseSync } {
  const database = new DatabaseSync(file);
  // A short lease, so that the lock of a process that was killed is soon free.
  const store = encryptedStore(sqliteStore(database, { leaseMs: 1_500 }), jweCipher({ keys: [{ kid: '1', key: STORE_KEY }] }));
  const accounts = createAccounts({
    issuer,
    clientId: client.id,
    auth: clientSecretBasic(client.secret),
    redirectUri: client.redirectUri,
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

async function show(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tokenkeep-accounts-'));
  const server = await startBooks();
  const { accounts, database } = open(server.issuer, join(folder, 'accounts.db'));
  try {
    for (const [customer, user] of [
      ['acme', 'ada'],
      ['beta', 'bob'],
      ['corp', 'cleo'],
    ] as const)
      await connect(accounts, customer, user);
    await list(accounts, 'Three customers have connected:');

    await sleep(4_500);
    server.setTokenDelay(3_000);
    const child = fork(import.meta.filename, { env: { ...process.env, CHILD: '1', ISSUER: server.issuer, FILE: join(folder, 'accounts.db'), STORE_KEY } });
    const asked = server.tokenRequests();
    while (server.tokenRequests() === asked) await sleep(20);
    child.kill('SIGKILL');
    await once(child, 'exit');
    server.setTokenDelay(0);
    await list(accounts, 'A process was killed while it renewed the token of acme:');
    await accounts.account('acme').getToken();
    await list(accounts, 'Another one went on with it:');

    await connect(accounts, 'beta', 'mallory').catch((error: unknown) => console.log(`Mallory is not Bob: ${isTokenError(error) ? error.code : 'failed'}`));
    await accounts.disconnect('corp');
    await list(accounts, 'Corp has disconnected:');
  } finally {
    await accounts.dispose();
    database.close();
    await server.close();
    await rm(folder, { recursive: true });
  }
}

if (CHILD === undefined) await show();
else await open(ISSUER, FILE).accounts.account('acme').getToken();
