import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { localLock } from 'tokenkeep';
import { type RedisClient, type RedisSubscriber, redisStore } from 'tokenkeep/storage/redis';
import { lockContract, storeContract } from 'tokenkeep/testing';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type DatabaseServer, installed, redisServer } from './support/database-server.js';

const command = installed('redis-server', '/usr/bin', 'redis-server');

describe.skipIf(command === undefined)('redisStore', () => {
  let server: DatabaseServer;
  const closings: (() => unknown)[] = [];
  beforeAll(async () => {
    server = await redisServer(command ?? '');
    await server.start();
  });
  afterAll(async () => {
    for (const close of closings) close();
    await server.remove();
  });

  async function nodeRedis() {
    const client = createClient({ url: server.url, socket: { reconnectStrategy: 50 } });
    client.on('error', () => undefined);
    await client.connect();
    closings.push(() => client.destroy());
    return client;
  }
  async function ioRedis() {
    const client = new Redis(server.url, { retryStrategy: () => 50 });
    client.on('error', () => undefined);
    closings.push(() => client.disconnect());
    return client;
  }

  describe.each([
    ['redis', nodeRedis],
    ['ioredis', ioRedis],
  ] as const)('with clients of %s', (_name, connect) => {
    let clients: { client: RedisClient; subscriber: RedisSubscriber }[];
    let next = 0;
    beforeAll(async () => {
      clients = await Promise.all([1, 2].map(async () => ({ client: await connect(), subscriber: await connect() })));
    });
    const make = () => {
      const { client, subscriber } = clients[next++ % clients.length] ?? { client: undefined, subscriber: undefined };
      if (client === undefined) throw new Error('not connected');
      return redisStore(client, { subscriber });
    };
    for (const { name, run } of storeContract(make)) it(`${name} [X17]`, run);
    for (const { name, run } of lockContract(() => make().lock ?? localLock())) it(`has a lock that ${name} [X17]`, run);
  });
});
