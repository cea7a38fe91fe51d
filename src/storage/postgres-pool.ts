export interface PostgresResult {
  readonly rows: readonly unknown[];
}

/** What is used of a client that a `pg.Pool` lends. */
export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<PostgresResult>;
  release(destroy?: boolean): void;
  on(event: 'notification', listener: (message: { payload?: string | undefined }) => void): unknown;
  on(event: 'error' | 'end', listener: () => void): unknown;
}

/** What is used of a `pg.Pool`. */
export interface PostgresPool {
  query(text: string, values?: unknown[]): Promise<PostgresResult>;
  connect(callback: (error: unknown, client: PostgresClient | undefined) => void): unknown;
  readonly options?: { readonly max?: number | undefined } | undefined;
}

export type PostgresRow = Readonly<Record<string, unknown>>;

const attempts = 5;

/** Borrows a client, and hears its errors from the first moment on: one that nobody hears ends the process. It is to be released as destroyed. */
export function borrowClient(pool: PostgresPool): Promise<PostgresClient> {
  return new Promise((resolve, reject) => {
    pool.connect((error, client) => {
      if (!client) return reject(error);
      client.on('error', () => undefined);
      resolve(client);
    });
  });
}

/** Runs one statement. One that a stricter isolation level refuses runs again: somebody else was first, and it looks anew. */
export async function rowsOf(target: PostgresPool | PostgresClient, text: string, values: unknown[] = []): Promise<readonly PostgresRow[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return (await target.query(text, values)).rows.map((row) => ({ ...Object(row) }));
    } catch (error) {
      if (Object(error).code !== '40001' || attempt === attempts) throw error;
    }
  }
}
