import type { Clock } from '../core/clock.js';
import { isolated } from '../core/isolated.js';
import type { TabReason } from './session.js';
import { type FromWorker, protocol } from './worker-messages.js';

const startMs = 3_000;

/** A worker that has answered, speaks our protocol and can read keys. */
export interface StartedWorker {
  readonly port: MessagePort;
  /** Resolves when it has died. */
  readonly died: Promise<void>;
}

/**
 * Starts the shared worker, or joins the one that runs; else says why not. A hello that comes too late is harmless: both sides
 * take the lock. (`standards.md` X14)
 */
export function startWorker(make: () => SharedWorker, clock: Clock, gone: AbortSignal): Promise<StartedWorker | TabReason> {
  return new Promise((settle) => {
    if (globalThis.SharedWorker === undefined) return settle('unsupported');
    const done = new AbortController();
    let worker: SharedWorker | undefined;
    const end = (outcome: StartedWorker | TabReason): void => {
      if (done.signal.aborted) return;
      done.abort();
      if (typeof outcome === 'string') worker?.port?.close();
      settle(outcome);
    };
    try {
      worker = make();
      const { port } = worker;
      worker.addEventListener('error', (event) => {
        // It is said in the snapshot; the application's error reports are not to hear of it as well.
        event.preventDefault();
        end('not_loaded');
      });
      port.addEventListener(
        'message',
        ({ data }) => {
          const hello: FromWorker = data;
          if (hello?.type !== 'hello') return;
          if (hello.protocol !== protocol) return end('version');
          if (!hello.keys) return end('no_keys');
          end({ port, died: lockFreed(hello.alive, gone) });
        },
        { signal: done.signal },
      );
      port.start();
    } catch {
      // A content security policy, or what the application gave is no worker.
      return end('refused');
    }
    clock.sleep(startMs, AbortSignal.any([done.signal, gone])).then(
      () => end('silent'),
      () => end('silent'),
    );
  });
}

// Nothing fires in pages when a shared worker dies, but its locks are freed.
function lockFreed(name: string, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    isolated(() => navigator.locks.request(name, { mode: 'shared', signal: gone }, () => resolve()), undefined);
  });
}
