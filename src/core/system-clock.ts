import { checkPort } from './check-option.js';
import type { Clock } from './clock.js';
import { whenAborted } from './waiting.js';

// Node and browsers fire a longer timer after 1 ms.
const longestTimerMs = 2_147_483_647;

/** The machine's clocks and timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(ms, signal, options) {
    for (let left = ms; left > 0; left -= longestTimerMs) {
      await timer(Math.min(left, longestTimerMs), signal, options?.idle === true);
    }
    signal?.throwIfAborted();
  },
};

function timer(ms: number, signal: AbortSignal | undefined, idle: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const id = setTimeout(() => {
      undo();
      resolve();
    }, ms);
    const undo = whenAborted(signal, () => {
      clearTimeout(id);
      reject(signal?.reason);
    });
    if (idle) unref(id);
  });
}

// Node's timers are objects that can let the process go; a browser's are numbers.
function unref(timer: unknown): void {
  const release: unknown = Reflect.get(Object(timer), 'unref');
  if (typeof release === 'function') release.call(timer);
}

/** The `clock` option: the machine's when left out. */
export function checkClock(clock: Clock | undefined): Clock {
  checkPort('clock', clock, ['now', 'monotonicMs', 'sleep']);
  return clock ?? systemClock;
}
