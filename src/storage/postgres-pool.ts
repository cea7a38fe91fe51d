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
  connect(): Promise<PostgresClient>;
  readonly options?: { readonly max?: number | undefined } | undefined;
}

export type PostgresRow = Readonly<Record<string, unknown>>;

const attempts = 5;

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
