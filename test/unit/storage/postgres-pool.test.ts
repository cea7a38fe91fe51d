import { EventEmitter } from 'node:events';
import { migratePostgres, type PostgresClient, type PostgresPool, postgresStore } from 'tokenkeep/storage/postgres';
import { describe, expect, it } from 'vitest';
import { rejection } from '../manager/support.js';

/** A client whose server died while it connected: what it says comes with the last message of its greeting, before anybody can wait for it. */
class DyingClient extends EventEmitter implements PostgresClient {
  readonly released: unknown[] = [];

  query(): Promise<never> {
    return Promise.reject(new Error('Connection terminated unexpectedly'));
  }

  release(destroy?: boolean): void {
    this.released.push(destroy);
  }
}

function dyingPool(client: DyingClient, query: PostgresPool['query'] = async () => ({ rows: [] })): PostgresPool {
  return {
    query,
    connect(callback) {
      callback(undefined, client);
      // Nobody who hears it: the process ends.
      client.emit('error', new Error('terminating connection due to unexpected postmaster exit'));
    },
  };
}

describe('a client whose connection dies at once', () => {
  it('fails the lock, and not the process [X18]', async () => {
    const client = new DyingClient();
    const store = postgresStore(dyingPool(client), { migrate: false });
    await expect(store.lock?.run('name', async () => 'in', { waitMs: 1_000 })).rejects.toThrow();
    expect(client.released).toEqual([true]);
  });

  it('fails the migration, and not the process [X18]', async () => {
    const client = new DyingClient();
    await expect(migratePostgres(dyingPool(client))).rejects.toThrow('Connection terminated');
    expect(client.released).toEqual([true]);
    const store = postgresStore(dyingPool(client));
    expect(await rejection(store.get('key'))).toMatchObject({ code: 'store_unavailable' });
  });

  it('is said by a pool that gives no client', async () => {
    const pool: PostgresPool = { query: async () => ({ rows: [] }), connect: (callback) => callback(new Error('no more'), undefined) };
    await expect(migratePostgres(pool)).rejects.toThrow('no more');
  });
});
