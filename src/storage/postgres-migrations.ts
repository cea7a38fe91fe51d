import { checkOptions, checkPort, invalidOption } from '../core/check-option.js';
import { borrowClient, type PostgresPool, rowsOf } from './postgres-pool.js';
import { unavailable } from '../core/unavailable.js';

export interface MigratePostgresOptions {
  /** Where the tables are. @default 'public' */
  readonly schema?: string | undefined;
}

/** The `schema` option: a plain name, so that it can be written between quotes. */
export function checkSchema(schema: unknown = 'public'): string {
  if (typeof schema !== 'string' || !/^[a-z_][a-z0-9_]{0,39}$/i.test(schema))
    throw invalidOption('schema', 'a name of letters, digits and underscores, at most 40', schema);
  return schema;
}

/** Each brings the tables one version further. Also for tools that keep migrations of their own: run them in this order, in one transaction each. */
export function postgresMigrations(options: MigratePostgresOptions = {}): readonly string[] {
  checkOptions('postgresMigrations', options, ['schema']);
  const schema = `"${checkSchema(options.schema)}"`;
  return [
    `CREATE TABLE ${schema}.tokenkeep_records (
  key text COLLATE "C" PRIMARY KEY,
  value text NOT NULL,
  version text NOT NULL,
  written_at timestamptz NOT NULL,
  account_id text,
  state text,
  due_at double precision
);
CREATE INDEX tokenkeep_records_index ON ${schema}.tokenkeep_records (key, account_id, state, due_at) WHERE account_id IS NOT NULL;
CREATE TABLE ${schema}.tokenkeep_migrations (version integer PRIMARY KEY);
INSERT INTO ${schema}.tokenkeep_migrations VALUES (1);`,
  ];
}

/**
 * Creates the tables of `postgresStore`, or brings them up to date; safe to run by several processes at once, and again. For
 * deployments whose services may not create tables: run it with a role that may, and give the store `migrate: false`.
 *
 * @throws {TokenError} `store_unavailable` when a newer version of this package made the tables; otherwise the database's own error.
 */
export async function migratePostgres(pool: PostgresPool, options: MigratePostgresOptions = {}): Promise<void> {
  checkPort('pool', pool ?? null, ['query', 'connect']);
  const migrations = postgresMigrations(options);
  const schema = checkSchema(options.schema);
  if ((await versionOf(pool, schema)) === migrations.length) return;
  const client = await borrowClient(pool);
  try {
    await client.query('BEGIN');
    await client.query("SELECT pg_advisory_xact_lock(hashtextextended('tokenkeep:migrations', 0))");
    const [found] = await rowsOf(client, 'SELECT to_regnamespace($1) IS NOT NULL AS there', [`"${schema}"`]);
    if (found?.['there'] !== true) await client.query(`CREATE SCHEMA "${schema}"`);
    for (const migration of migrations.slice(await versionOf(client, schema))) await client.query(migration);
    await client.query('COMMIT');
  } finally {
    // A client that is thrown away takes its transaction along.
    client.release(true);
  }
  if ((await versionOf(pool, schema)) > migrations.length) throw unavailable('the tables were made by a newer version of tokenkeep');
}

async function versionOf(target: Parameters<typeof rowsOf>[0], schema: string): Promise<number> {
  const [table] = await rowsOf(target, 'SELECT to_regclass($1) IS NOT NULL AS there', [`"${schema}".tokenkeep_migrations`]);
  if (table?.['there'] !== true) return 0;
  const [row] = await rowsOf(target, `SELECT coalesce(max(version), 0) AS version FROM "${schema}".tokenkeep_migrations`);
  return Number(row?.['version']);
}
