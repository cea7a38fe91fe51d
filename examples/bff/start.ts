// Opens what the backend needs, serves it, and closes it.
import { DatabaseSync } from 'node:sqlite';
import { clientSecretBasic } from 'tokenkeep';
import { type AccountsOptions, createAccounts } from 'tokenkeep/server';
import { encryptedStore } from 'tokenkeep/storage/encrypted';
import { jweCipher } from 'tokenkeep/storage/jwe-cipher';
import { sqliteStore } from 'tokenkeep/storage/sqlite';
import { createBackend } from './backend.ts';
import { serve } from './serve.ts';
import { openSessions, type SessionLimits } from './sessions.ts';

/** The authorization server, as it knows this client, and the API. */
export interface Servers extends Pick<AccountsOptions, 'scope' | 'resource' | 'preset'> {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly apiUrl: string;
}

export interface StartOptions extends SessionLimits {
  /** 0 takes a free one. */
  readonly port: number;
  /** Where users find it. @default http://localhost, at that port */
  readonly origin?: string | undefined;
  /** Of SQLite; ':memory:' forgets everybody at the end. */
  readonly file: string;
  /** 32 bytes in base64url, under which the tokens in the file are encrypted. */
  readonly storeKey: string;
  readonly servers: (origin: string) => Promise<Servers>;
}

export interface Backend {
  readonly origin: string;
  /** Revokes and removes what users left behind who closed the browser without signing out. */
  tidy(): Promise<void>;
  close(): Promise<void>;
}

export async function startBackend({ port, origin: given, file, storeKey, servers, ...limits }: StartOptions): Promise<Backend> {
  const site = await serve(port);
  const origin = given ?? `http://localhost:${site.port}`;
  const { clientSecret, apiUrl, ...client } = await servers(origin);
  const database = new DatabaseSync(file);
  const sessions = openSessions(database, limits);
  const accounts = createAccounts({
    ...client,
    auth: clientSecretBasic(clientSecret),
    redirectUri: `${origin}/callback`,
    store: encryptedStore(sqliteStore(database), jweCipher({ keys: [{ kid: '1', key: storeKey }] })),
  });
  site.answer(origin, createBackend({ accounts, sessions, apiUrl }));

  async function tidy(): Promise<void> {
    for (const accountId of sessions.accountsLeft()) {
      await accounts.disconnect(accountId);
      sessions.forget(accountId);
    }
    await accounts.sweep();
  }
  const timer = setInterval(() => void tidy().catch((error: unknown) => console.error(String(error))), 60_000);

  return {
    origin,
    tidy,
    async close() {
      clearInterval(timer);
      await site.close();
      await accounts.dispose();
      database.close();
    },
  };
}
