import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { localLock } from 'tokenkeep';
import { type RedisClient, type RedisSubscriber, redisStore } from 'tokenkeep/storage/redis';
import { lockContract, storeContract } from 'tokenkeep/testing';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { survivesHang, survivesKillAndRestart } from './support/outage.js';
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
  ] as const)('with clients of %s', (name, connect) => {
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
    for (const { name: promise, run } of storeContract(make)) it(`${promise} [X17]`, run);
    for (const { name: promise, run } of lockContract(() => make().lock ?? localLock())) it(`has a lock that ${promise} [X17]`, run);

    it('is well again after its server was killed and restarted, with nothing lost or torn [X18]', () =>
      survivesKillAndRestart(server, async (clock) =>
        redisStore(await connect(), { subscriber: await connect(), leaseMs: 1_500, prefix: `kill-${name}`, clock }),
      ));

    it('bounds its calls while its server hangs, and goes on when it answers [X18]', () =>
      survivesHang(server, async (clock) => redisStore(await connect(), { leaseMs: 1_500, prefix: `hang-${name}`, clock })));
  });
});
