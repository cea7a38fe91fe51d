import type { Clock } from '../core/clock.js';
import { isolated } from '../core/isolated.js';
import { type ChangeHint, hintVersion, openChannel, tellChange } from './change-hint.js';

const intervalMs = 100;

export interface ChangeHints {
  tell(kind: ChangeHint['kind'], key: string, generation: string): void;
  /** Returns its undo. */
  subscribe(key: string, listener: () => void): () => void;
}

/**
 * News between tabs (BroadcastChannel). They are hints: anybody on this origin can forge, flood or suppress them, so a listener
 * is called at most ten times a second, and only ever told to read again. Without BroadcastChannel there are none.
 */
export function changeHints(name: string, clock: Clock): ChangeHints {
  const subscriptions = new Set<{ readonly key: string; readonly hint: () => void }>();
  let listening: BroadcastChannel | undefined;

  const listen = (): void => {
    listening ??= openChannel(name);
    if (listening === undefined) return;
    listening.onmessage = ({ data }) => {
      const { v, key } = Object(data);
      for (const subscription of v === hintVersion ? [...subscriptions] : []) if (subscription.key === key) subscription.hint();
    };
  };

  return {
    tell(kind, key, generation) {
      tellChange(name, kind, key, generation, listening);
    },

    subscribe(key, listener) {
      const stop = new AbortController();
      const subscription = { key, hint: atMostEvery(intervalMs, clock, stop.signal, () => isolated(listener, undefined)) };
      subscriptions.add(subscription);
      listen();
      return () => {
        stop.abort();
        subscriptions.delete(subscription);
        if (subscriptions.size > 0) return;
        listening?.close();
        listening = undefined;
      };
    },
  };
}

// The first call at once, and one more after the last.
function atMostEvery(ms: number, clock: Clock, stop: AbortSignal, call: () => void): () => void {
  let calledMs = Number.NEGATIVE_INFINITY;
  let isWaiting = false;
  const callNow = (): void => {
    isWaiting = false;
    calledMs = clock.monotonicMs();
    call();
  };
  return () => {
    if (isWaiting || stop.aborted) return;
    const leftMs = calledMs + ms - clock.monotonicMs();
    if (leftMs <= 0) return callNow();
    isWaiting = true;
    clock.sleep(leftMs, stop, { idle: true }).then(callNow, () => undefined);
  };
}
