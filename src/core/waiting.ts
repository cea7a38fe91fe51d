import type { Clock } from './clock.js';

/** Calls back when the signal aborts, at once if it has; returns the undo. */
export function whenAborted(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal?.aborted) callback();
  else signal?.addEventListener('abort', callback, { once: true });
  return () => signal?.removeEventListener('abort', callback);
}

/** The promise's outcome, or the signal's reason if that comes first. The promise itself goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const undo = whenAborted(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(undo);
  });
}

/**
 * Runs a task under a time limit: its signal aborts, and the result rejects with `reason()`, when the limit is reached,
 * whether the task listens or not; likewise with the outer signal's reason.
 */
export async function withTimeLimit<T>(
  clock: Clock,
  limitMs: number,
  task: (signal: AbortSignal) => Promise<T>,
  reason: () => unknown,
  outer?: AbortSignal,
): Promise<T> {
  outer?.throwIfAborted();
  const limit = new AbortController();
  const done = new AbortController();
  const undo = whenAborted(outer, () => limit.abort(outer?.reason));
  clock.sleep(limitMs, done.signal).then(
    () => limit.abort(reason()),
    (error: unknown) => done.signal.aborted || limit.abort(error),
  );
  try {
    const running = task(limit.signal);
    // A task that lost the race may still fail; nobody is left to hear it.
    running.catch(() => undefined);
    return await abortable(running, limit.signal);
  } finally {
    done.abort();
    undo();
  }
}
