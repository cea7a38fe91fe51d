import { checkOptions, checkPort, checkString, invalidOption } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import { parseObject } from '../core/parse-object.js';
import { randomId } from '../core/random.js';
import { checkClock } from '../core/system-clock.js';
import type { AccountStore, StorePage } from '../core/token-store.js';
import { checkLease, freeLease, type Lease, leaseLock } from '../locks/lease-lock.js';
import { answering } from './answering.js';
import { listeners } from './listeners.js';
import { hear, type RedisClient, type RedisSubscriber, scriptsOf } from './redis-client.js';
import { extendLock, readIndex, readRecord, releaseLock, removeRecord, takeLock, writeRecord } from './redis-scripts.js';
import { checkQuery, indexEntry, pageOf } from './store-query.js';
import { storedAge } from './stored-age.js';

export type { IoRedisClient, IoRedisSubscriber, NodeRedisClient, NodeRedisSubscriber, RedisClient, RedisSubscriber } from './redis-client.js';

export interface RedisStoreOptions {
  /**
   * Begins each key, as the hash tag of clusters: all that belongs together lies on one node. Whoever uses the same one shares its records.
   * @default 'tokenkeep'
   */
  readonly prefix?: string | undefined;
  /** A second client, which hears of writes at once; it can do nothing else meanwhile. Left out: the store has no `subscribe`. */
  readonly subscriber?: RedisSubscriber | undefined;
  /** A process that dies or hangs with a lock keeps it for this long, in milliseconds. @default 15_000 */
  readonly leaseMs?: number | undefined;
  /** Measures waits. Ages and leases are measured by the server's clock. @default the system's clock */
  readonly clock?: Clock | undefined;
}

const rowsPerScript = 500;

/**
 * A store in Redis 6.2 or newer (or Valkey), for processes on many machines, with a lock across them. Takes a connected client of the package
 * `redis` or `ioredis`, or one of their cluster clients, and never closes it.
 *
 * Values lie there as they are: put `encryptedStore` around it. Every failure is a `TokenError` `store_unavailable`; no call waits
 * longer than 5 s. The server must not evict keys (`maxmemory-policy noeviction`).
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): AccountStore {
  checkPort('client', client ?? null, ['eval']);
  checkOptions('redisStore', options, ['prefix', 'subscriber', 'leaseMs', 'clock']);
  const { prefix = 'tokenkeep', subscriber } = options;
  if (/[{}]/.test(checkString('prefix', prefix))) throw invalidOption('prefix', 'a string without braces', prefix);
  checkPort('subscriber', subscriber, ['subscribe', 'unsubscribe']);
  const clock = checkClock(options.clock);
  const leaseMs = checkLease(options.leaseMs);
  const run = scriptsOf(client);
  const ask = answering('Redis', clock);

  const named = (name: string): string => `{${prefix}}:${name}`;
  const channel = named('changes');
  const [names, index] = [named('names'), named('index')];
  const recordKeys = (key: string): string[] => [named(`record:${key}`), names, index];
  const done = async (asked: Promise<unknown>): Promise<boolean> => Number(await asked) === 1;

  let deafen: (() => void) | undefined;
  const heard = listeners(
    () => {
      deafen = subscriber && hear(subscriber, channel, (key) => heard.tell(key));
    },
    () => deafen?.(),
  );

  return {
    shared: true,

    lock: leaseLock({
      clock,
      leaseMs,
      take(name) {
        const owner = randomId();
        const keys = [named(`lock:${name}`)];
        const lease: Lease = { extend: () => done(run(extendLock, keys, [owner, leaseMs])), release: () => run(releaseLock, keys, [owner]) };
        return ask(async () => ((await done(run(takeLock, keys, [owner, leaseMs]))) ? lease : undefined), freeLease);
      },
    }),

    async get(key) {
      const found = await ask(() => run(readRecord, recordKeys(key).slice(0, 1)));
      if (!Array.isArray(found)) return undefined;
      const [value, version, now, at] = found.map(String);
      return { value: value ?? '', version: version ?? '', ageMs: storedAge(Number(now), Number(at)) };
    },

    set(key, value, { expected, next, index: entry, ageMs = 0 }) {
      const values = [expected === undefined ? '-' : `=${expected}`, key, channel, value, next, ageMs, entry ? JSON.stringify(entry) : ''];
      return ask(() => done(run(writeRecord, recordKeys(key), values)));
    },

    delete: (key, expected) => ask(() => done(run(removeRecord, recordKeys(key), [`=${expected}`, key, channel]))),

    async list(query) {
      const { dueBefore = Infinity, state, cursor, limit } = checkQuery(query);
      const fits = (entry: StorePage['entries'][number]): boolean =>
        (state === undefined || entry.state === state) && (query.dueBefore === undefined || (entry.dueAt ?? Infinity) < dueBefore);
      const found: StorePage['entries'][number][] = [];
      // In pieces: a script holds everybody else up.
      for (let from = cursor === undefined ? '-' : `(${cursor}`; ; ) {
        const answer = await ask(() => run(readIndex, [names, index], [from, rowsPerScript]));
        const rows = Array.isArray(answer) ? answer.map(String) : [];
        for (let at = 0; at < rows.length && found.length <= limit; at += 2) {
          const { accountId, state: stateOf, dueAt } = parseObject(rows[at + 1]) ?? {};
          const entry = indexEntry(rows[at], accountId, stateOf, dueAt);
          if (accountId !== undefined && fits(entry)) found.push(entry);
        }
        if (found.length > limit || rows.length < 2 * rowsPerScript) return pageOf(found, limit);
        from = `(${rows.at(-2)}`;
      }
    },

    ...(subscriber && { subscribe: heard.add }),
  };
}
