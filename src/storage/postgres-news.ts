import type { Clock } from '../core/clock.js';
import { whenAborted } from '../core/waiting.js';
import { listeners } from './listeners.js';
import type { PostgresSession } from './postgres-session.js';

export interface PostgresNews {
  subscribe(key: string, listener: () => void): () => void;
  /** Tells of a change that the database told of; '' stands for any key. */
  readonly tell: (key: string) => void;
}

const firstPauseMs = 250;
const longestPauseMs = 30_000;

/** Keeps a session that listens for as long as somebody has subscribed, and takes a new one when it dies. */
export function postgresNews(clock: Clock, session: () => Promise<PostgresSession>): PostgresNews {
  let stop: AbortController | undefined;
  const heard = listeners(
    () => {
      stop = new AbortController();
      void listen(stop.signal);
    },
    () => stop?.abort(),
  );

  async function listen(stopped: AbortSignal): Promise<void> {
    let pauseMs = firstPauseMs;
    for (let first = true; !stopped.aborted; first = false) {
      try {
        const { lost, done } = await session();
        pauseMs = firstPauseMs;
        // What happened in between was told to nobody.
        if (!first) heard.tell();
        const either = AbortSignal.any([lost, stopped]);
        await new Promise<void>((resolve) => void whenAborted(either, resolve));
        done();
      } catch {
        pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      }
      await clock.sleep(pauseMs, stopped, { idle: true }).catch(() => undefined);
    }
  }

  return { subscribe: heard.add, tell: (key) => heard.tell(key === '' ? undefined : key) };
}
