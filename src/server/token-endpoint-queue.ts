import PQueue from 'p-queue';
import type { RequestQueue } from '../manager/request-queue.js';

const requestsAtOnce = 8;

/** A line in front of one token endpoint: at most 8 renewals at a time, those that somebody waits for first. */
export function tokenEndpointQueue(): RequestQueue {
  const queue = new PQueue({ concurrency: requestsAtOnce });
  return { run: (task, { background }) => queue.add(task, { priority: background ? 0 : 1 }) };
}
