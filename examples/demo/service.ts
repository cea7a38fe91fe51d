import { setTimeout as sleep } from 'node:timers/promises';
import { type AccessToken, type Clock, clientSecretBasic, type JournalEntry, type TokenManager, type TokenSource } from 'tokenkeep';
import { createServiceClient } from 'tokenkeep/server';

export interface ServiceOptions {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly resource: string;
  readonly apiUrl: string;
  readonly skewMs: number;
  readonly minValidMs?: number;
  readonly clock?: Clock;
  /** Carries the token requests. @default the global one */
  readonly fetch?: typeof fetch;
  readonly watcher: ServiceWatcher;
}

/** Looks on while the service works. */
export interface ServiceWatcher {
  /** Before the first call. */
  starts?(tokens: TokenManager): void;
  /** A call asks for its token, `again` after a 401. What comes back is told when the call has it. */
  asks(again: boolean): (token: AccessToken) => void;
  /** A call has its answer. */
  answered(): void;
  failed(error: unknown): void;
  happened(entry: JournalEntry): void;
}

const workers = 5;
const pauseMs = 160;

/** A service that calls the API until it is told to stop. That it needs a token is said once, here. */
export async function runService(options: ServiceOptions, stop: AbortSignal): Promise<void> {
  const { watcher } = options;
  await using client = createServiceClient({
    issuer: options.issuer,
    clientId: options.clientId,
    auth: clientSecretBasic(options.clientSecret),
    resource: options.resource,
    scope: 'orders:read',
    skewMs: options.skewMs,
    minValidMs: options.minValidMs,
    clock: options.clock,
    fetch: options.fetch,
    onEvent: (entry: JournalEntry) => watcher.happened(entry),
  });
  watcher.starts?.(client.tokens);
  const api = client.http({ baseUrl: options.apiUrl, tokens: watched(client.tokens, watcher) });

  const work = async (worker: number): Promise<void> => {
    while (!stop.aborted) {
      await api.get('/orders').then(
        () => watcher.answered(),
        (error: unknown) => watcher.failed(error),
      );
      await sleep(pauseMs + 7 * worker);
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  // What has been requested is still received, so that the books balance.
  while (client.tokens.snapshot().status === 'renewing') await sleep(10);
}

// A token source is one method: whatever is worth knowing about each use goes around it.
function watched(tokens: TokenSource, watcher: ServiceWatcher): TokenSource {
  return {
    async getToken(options) {
      const handedOut = watcher.asks(options?.invalidToken !== undefined);
      const token = await tokens.getToken(options);
      handedOut(token);
      return token;
    },
  };
}
