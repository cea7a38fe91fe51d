import type { Clock } from '../core/clock.js';
import { isolated } from '../core/isolated.js';

const version = 1;
const intervalMs = 100;

/** What goes from tab to tab. Keys are digests, and a generation is the random version of a write: no token material. */
interface ChangeHint {
  readonly v: number;
  readonly kind: 'written' | 'removed';
  readonly key: string;
  readonly generation: string;
}

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
    listening ??= channel(name);
    if (listening === undefined) return;
    listening.onmessage = ({ data }) => {
      const { v, key } = Object(data);
      for (const subscription of v === version ? [...subscriptions] : []) if (subscription.key === key) subscription.hint();
    };
  };

  return {
    tell(kind, key, generation) {
      const open = listening ?? channel(name);
      open?.postMessage({ v: version, kind, key, generation } satisfies ChangeHint);
      // An open channel may keep a page out of the back/forward cache.
      if (open !== listening) open?.close();
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

function channel(name: string): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel(name);
  } catch {
    return undefined;
  }
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
