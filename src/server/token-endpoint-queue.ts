import PQueue from 'p-queue';
import type { RequestQueue } from '../manager/request-queue.js';

const requestsAtOnce = 8;

/** A line in front of one token endpoint: at most 8 renewals at a time, those that somebody waits for first. */
export function tokenEndpointQueue(): RequestQueue {
  const queue = new PQueue({ concurrency: requestsAtOnce });
  let tasks = 0;
  return {
    run(task, wish) {
      const id = String(tasks++);
      wish.onWanted = () => queue.setPriority(id, 1);
      const begin = (): ReturnType<typeof task> => {
        wish.onWanted = undefined;
        return task();
      };
      return queue.add(begin, { id, priority: wish.background ? 0 : 1 });
    },
  };
}
