import PQueue from 'p-queue';
import type { Clock } from '../core/clock.js';
import { systemClock } from '../core/system-clock.js';
import type { QueueWish, RequestQueue } from '../manager/request-queue.js';
import { EndpointPace, leftAlone } from './endpoint-pace.js';

const requestsAtOnce = 8;
// Of as many renewals in a row that somebody waits for, the next one is one that nobody waits for.
const turnsInARow = 7;
// Who would have to wait longer is told at once.
const longestHoldMs = 30_000;
const stepMs = 1_000;

/**
 * A line in front of one token endpoint: at most 8 renewals at a time, those that somebody waits for first, and no faster than
 * the endpoint takes them.
 */
export function tokenEndpointQueue(clock: Clock = systemClock, pace: EndpointPace = new EndpointPace(clock)): RequestQueue {
  const queue = new PQueue({ concurrency: requestsAtOnce });
  // Who nobody waits for, the oldest first.
  const patient = new Set<string>();
  let tasks = 0;
  let inARow = 0;
  let holding = false;
  let nap: AbortController | undefined;
  pace.onPaused = hold;

  // A queue that is held keeps the process alive only if somebody is in it.
  function hold(): void {
    if (holding || pace.waitMs() === 0 || pace.pausedMs() > longestHoldMs) return;
    holding = true;
    queue.pause();
    void wait();
  }

  async function wait(): Promise<void> {
    for (let ms = pace.waitMs(); ms > 0 && pace.pausedMs() <= longestHoldMs; ms = pace.waitMs()) {
      nap = new AbortController();
      await clock.sleep(Math.ceil(Math.min(ms, stepMs)), nap.signal, { idle: queue.size === 0 }).catch(() => undefined);
    }
    nap = undefined;
    holding = false;
    queue.start();
  }

  function began(id: string, wish: QueueWish): void {
    wish.onWanted = undefined;
    inARow = wish.background ? 0 : inARow + 1;
    patient.delete(id);
    const [oldest] = patient;
    if (inARow >= turnsInARow && oldest !== undefined) queue.setPriority(oldest, 2);
    pace.began();
    hold();
  }

  return {
    async run(task, wish) {
      const id = String(tasks++);
      const begin = (): ReturnType<typeof task> => {
        const pausedMs = pace.pausedMs();
        if (pausedMs > longestHoldMs) {
          wish.onWanted = undefined;
          patient.delete(id);
          throw leftAlone(pausedMs);
        }
        began(id, wish);
        return task();
      };
      wish.onWanted = () => {
        patient.delete(id);
        queue.setPriority(id, 1);
      };
      if (wish.background) patient.add(id);
      const done = queue.add(begin, { id, priority: wish.background ? 0 : 1 });
      if (holding && queue.size === 1) nap?.abort();
      return done;
    },
  };
}
