import type { Clock } from '../core/clock.js';
import { withTimeLimit } from '../core/waiting.js';
import { borrowClient, type PostgresClient, type PostgresPool, type PostgresRow, rowsOf } from './postgres-pool.js';
import { unavailable } from '../core/unavailable.js';

/** One connection that lives as long as somebody uses it. */
export interface PostgresSession {
  query(text: string, values?: unknown[]): Promise<readonly PostgresRow[]>;
  /** Aborts when the connection has died, or does not answer. */
  readonly lost: AbortSignal;
  /** For each `use()` once. */
  done(): void;
}

export interface PostgresSessionOptions {
  readonly pool: PostgresPool;
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly channel: string;
  readonly onNews: (payload: string) => void;
}

const lingerMs = 1_000;

/**
 * The one client that a store keeps for all its locks and for its news, borrowed at the first use and given back a second after the
 * last. The server ends a session that was silent for `leaseMs`, so a process that hangs does not keep its locks; the client asks the
 * server three times as often, so a server that hangs is noticed too.
 */
export function postgresSession({ pool, clock, leaseMs, channel, onNews }: PostgresSessionOptions): () => Promise<PostgresSession> {
  let open: { readonly client: PostgresClient; readonly lost: AbortController } | undefined;
  let opening: Promise<NonNullable<typeof open>> | undefined;
  let users = 0;

  function close(session: typeof open): void {
    if (open === session) open = undefined;
    if (!session || session.lost.signal.aborted) return;
    session.lost.abort();
    // Destroyed, not reused: that frees its locks and undoes its settings.
    session.client.release(true);
  }

  async function connect(): Promise<NonNullable<typeof open>> {
    const client = await borrowClient(pool);
    const session = { client, lost: new AbortController() };
    client.on('error', () => close(session));
    client.on('end', () => close(session));
    client.on('notification', ({ payload = '' }) => onNews(payload));
    try {
      await rowsOf(
        client,
        `SELECT set_config('application_name', 'tokenkeep', false),
           CASE WHEN current_setting('server_version_num')::int >= 140000 THEN set_config('idle_session_timeout', $1, false) END`,
        [String(leaseMs)],
      );
      await client.query(`LISTEN "${channel}"`);
    } catch (error) {
      close(session);
      throw error;
    }
    open = session;
    void watch(session);
    letGo();
    return session;
  }

  async function watch(session: NonNullable<typeof open>): Promise<void> {
    const { signal } = session.lost;
    const silent = (): Error => unavailable('PostgreSQL did not answer');
    try {
      for (;;) {
        await clock.sleep(leaseMs / 3, signal, { idle: true });
        await withTimeLimit(clock, (leaseMs * 2) / 3, () => session.client.query('SELECT 1'), silent, signal);
      }
    } catch {
      close(session);
    }
  }

  function letGo(): void {
    if (users > 0 || !open) return;
    const session = open;
    clock.sleep(lingerMs, session.lost.signal, { idle: true }).then(
      () => users === 0 && close(session),
      () => undefined,
    );
  }

  return async () => {
    users++;
    let used = true;
    const done = (): void => {
      if (used) users--;
      used = false;
      letGo();
    };
    try {
      opening ??= (open ? Promise.resolve(open) : connect()).finally(() => {
        opening = undefined;
      });
      const { client, lost } = await opening;
      return { query: (text, values) => rowsOf(client, text, values), lost: lost.signal, done };
    } catch (error) {
      done();
      throw error;
    }
  };
}
