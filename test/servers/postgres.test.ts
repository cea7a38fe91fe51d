import { Pool } from 'pg';
import { type Clock, localLock } from 'tokenkeep';
import { migratePostgres, postgresStore } from 'tokenkeep/storage/postgres';
import { lockContract, storeContract } from 'tokenkeep/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { survivesHang, survivesKillAndRestart } from './support/outage.js';
import { type DatabaseServer, installed, postgresServer } from './support/database-server.js';

const command = installed('postgres', '/usr/lib/postgresql/*/bin', 'postgresql');

describe.skipIf(command === undefined)('postgresStore', () => {
  let server: DatabaseServer;
  const pools: Pool[] = [];
  beforeAll(async () => {
    server = await postgresServer(command ?? '');
    await server.start();
    pools.push(connect(), connect());
  });
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.end()));
    await server.remove();
  });

  function connect(): Pool {
    const pool = new Pool({ connectionString: server.url, max: 4 });
    pool.on('error', () => undefined);
    return pool;
  }

  let next = 0;
  const make = () => {
    const pool = pools[next++ % 2];
    if (pool === undefined) throw new Error('not started');
    return postgresStore(pool);
  };
  for (const { name, run } of storeContract(make)) it(`${name} [X17]`, run);
  for (const { name, run } of lockContract(() => make().lock ?? localLock())) it(`has a lock that ${name} [X17]`, run);

  const fresh = (schema: string) => async (clock: Clock) => {
    const pool = connect();
    pools.push(pool);
    return postgresStore(pool, { schema, leaseMs: 1_500, clock });
  };
  it('is well again after its server was killed and restarted, with nothing lost or torn [X18]', () => survivesKillAndRestart(server, fresh('killed')));
  it('bounds its calls while its server hangs, and goes on when it answers [X18]', () => survivesHang(server, fresh('hung')));

  it('keeps one client for all its locks and its news, and gives it back', async () => {
    const pool = connect();
    pools.push(pool);
    const store = postgresStore(pool);
    await store.get('x');
    const undo = store.subscribe?.('x', () => undefined);
    const end = Promise.withResolvers<void>();
    const held = Array.from({ length: 20 }, (_, index) => store.lock?.run(`one-${index}`, () => end.promise, { waitMs: 5_000 }));
    await expect.poll(() => pool.totalCount - pool.idleCount).toBe(1);
    end.resolve();
    await Promise.all(held);
    undo?.();
    await expect.poll(() => pool.totalCount - pool.idleCount, { timeout: 5_000 }).toBe(0);
  });

  it('takes tables that somebody else has made, and says so when there are none', async () => {
    const [pool] = pools;
    if (pool === undefined) throw new Error('not started');
    const store = postgresStore(pool, { schema: 'made', migrate: false });
    await expect(store.get('x')).rejects.toMatchObject({ code: 'store_unavailable' });
    await Promise.all(Array.from({ length: 4 }, () => migratePostgres(pool, { schema: 'made' })));
    expect(await store.get('x')).toBeUndefined();
    await pool.query('INSERT INTO made.tokenkeep_migrations VALUES (99)');
    await expect(migratePostgres(pool, { schema: 'made' })).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});
