import { setTimeout as sleep } from 'node:timers/promises';
import { clientSecretBasic, type JournalEntry, type TokenSource } from 'tokenkeep';
import { createServiceClient } from 'tokenkeep/server';
import type { Account } from './account.ts';

export interface ServiceOptions {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly resource: string;
  readonly apiUrl: string;
  readonly skewMs: number;
  readonly account: Account;
}

const workers = 5;
const pauseMs = 160;

/** A service that calls the API until it is told to stop. That it needs a token is said once, here. */
export async function runService(options: ServiceOptions, stop: AbortSignal): Promise<void> {
  const { account } = options;
  await using client = createServiceClient({
    issuer: options.issuer,
    clientId: options.clientId,
    auth: clientSecretBasic(options.clientSecret),
    resource: options.resource,
    scope: 'orders:read',
    skewMs: options.skewMs,
    onEvent: (entry: JournalEntry) => account.happened(entry),
  });
  const api = client.http({ baseUrl: options.apiUrl, tokens: watched(client.tokens, account) });

  const work = async (worker: number): Promise<void> => {
    while (!stop.aborted) {
      await api.get('/orders').then(
        () => account.answered(),
        (error: unknown) => account.failed(error),
      );
      await sleep(pauseMs + 7 * worker);
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  // What has been requested is still received, so that the books balance.
  while (client.tokens.snapshot().status === 'renewing') await sleep(10);
}

// A token source is one method: whatever is worth knowing about each use goes around it.
function watched(tokens: TokenSource, account: Account): TokenSource {
  return {
    async getToken(options) {
      const handedOut = account.asks(options?.invalidToken !== undefined);
      const token = await tokens.getToken(options);
      handedOut(token);
      return token;
    },
  };
}
