/** What is used of a client, or a cluster client, of the package `redis`. */
export interface NodeRedisClient {
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

/** What is used of a client, or a cluster client, of the package `ioredis`. */
export interface IoRedisClient {
  eval(script: string, keys: number, ...keysAndArguments: string[]): Promise<unknown>;
  defineCommand(name: string, definition: { lua: string }): unknown;
}

export type RedisClient = NodeRedisClient | IoRedisClient;

/** A second client of the package `redis`, which does nothing but listen. */
export interface NodeRedisSubscriber {
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  unsubscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
}

/** A second client of the package `ioredis`, which does nothing but listen. */
export interface IoRedisSubscriber {
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  on(event: 'message', listener: (channel: string, message: string) => void): unknown;
  off(event: 'message', listener: (channel: string, message: string) => void): unknown;
  defineCommand(name: string, definition: { lua: string }): unknown;
}

export type RedisSubscriber = NodeRedisSubscriber | IoRedisSubscriber;

/** Runs a script; the packages agree on nothing else. */
export type RunScript = (script: string, keys: readonly string[], values?: readonly (string | number)[]) => Promise<unknown>;

export function scriptsOf(client: RedisClient): RunScript {
  return async (script, keys, values = []) => {
    const texts = values.map(String);
    return isIoRedis(client) ? client.eval(script, keys.length, ...keys, ...texts) : client.eval(script, { keys: [...keys], arguments: texts });
  };
}

/** Hears a channel until the undo is called. Both packages subscribe again when they have reconnected. */
export function hear(subscriber: RedisSubscriber, channel: string, listener: (message: string) => void): () => void {
  const quiet = (asked: Promise<unknown>): void => void asked.catch(() => undefined);
  if (!isIoRedis(subscriber)) {
    quiet(subscriber.subscribe(channel, listener));
    return () => quiet(subscriber.unsubscribe(channel, listener));
  }
  const onMessage = (from: string, message: string): void => {
    if (from === channel) listener(message);
  };
  subscriber.on('message', onMessage);
  quiet(subscriber.subscribe(channel));
  return () => {
    subscriber.off('message', onMessage);
    quiet(subscriber.unsubscribe(channel));
  };
}

function isIoRedis<T extends RedisClient | RedisSubscriber>(client: T): client is Extract<T, { defineCommand: unknown }> {
  return typeof Reflect.get(client, 'defineCommand') === 'function';
}
