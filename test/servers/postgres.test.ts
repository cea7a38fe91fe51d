import { Pool } from 'pg';
import { localLock } from 'tokenkeep';
import { postgresStore } from 'tokenkeep/storage/postgres';
import { lockContract, storeContract } from 'tokenkeep/testing';
import { afterAll, beforeAll, describe, it } from 'vitest';
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
});
