import type { Clock } from '../core/clock.js';
import type { TokenEvent } from '../core/events.js';
import { abortable } from '../core/waiting.js';
import type { RenewalPlace, TabReason } from './session.js';
import { startWorker } from './start-worker.js';
import { WorkerCalls } from './worker-calls.js';
import type { WorkerOrder } from './worker-messages.js';

// A worker that was silent or dead is not tried again with every renewal.
const restMs = 30_000;

/** The way from one page to the shared worker, kept up: a worker that died is started anew once. */
export interface WorkerLink {
  place(): RenewalPlace;
  /**
   * Asks the worker. Undefined: it cannot be reached, so the tab has to do it.
   * @throws {TokenError} what the worker failed with; the signal's reason
   */
  ask(order: WorkerOrder, wish: AskWish): Promise<{ readonly result: unknown } | undefined>;
  /** Never again: the tab renews from now on. */
  leave(reason: TabReason): void;
  end(): void;
}

export interface AskWish {
  readonly signal: AbortSignal;
  readonly onEvent?: ((event: TokenEvent) => void) | undefined;
  /** The order must not be carried out twice: it is not sent again when the worker dies. */
  readonly once?: boolean | undefined;
}

export interface LinkOptions {
  readonly make: () => SharedWorker;
  /** What the worker is to know of the session. */
  readonly session: string;
  readonly clock: Clock;
  readonly changed: () => void;
}

export function workerLink({ make, session, clock, changed }: LinkOptions): WorkerLink {
  const gone = new AbortController();
  let place: RenewalPlace = { renewal: undefined, renewalReason: undefined };
  let lastDeathMs = Number.NEGATIVE_INFINITY;
  let restedFromMs = Number.POSITIVE_INFINITY;
  let connecting: Promise<WorkerCalls | undefined> = connect();

  function say(reason: TabReason | undefined): void {
    place = reason === undefined ? { renewal: 'worker', renewalReason: undefined } : { renewal: 'tab', renewalReason: reason };
    changed();
  }

  function rest(reason: TabReason): undefined {
    // What cannot change while the page lives is not tried again.
    restedFromMs = reason === 'silent' || reason === 'dead' ? clock.monotonicMs() : Number.POSITIVE_INFINITY;
    connecting = Promise.resolve(undefined);
    say(reason);
  }

  async function connect(): Promise<WorkerCalls | undefined> {
    const started = await startWorker(make, clock, gone.signal);
    if (gone.signal.aborted) return undefined;
    if (typeof started === 'string') return rest(started);
    const calls = new WorkerCalls(started.port, session, clock);
    started.died.then(() => died(calls));
    say(undefined);
    return calls;
  }

  function died(calls: WorkerCalls): void {
    if (gone.signal.aborted) return;
    const now = clock.monotonicMs();
    const isTriedAgain = now - lastDeathMs > restMs;
    lastDeathMs = now;
    if (isTriedAgain) connecting = connect();
    else rest('dead');
    calls.end('dead');
  }

  function reachable(): Promise<WorkerCalls | undefined> {
    if (clock.monotonicMs() - restedFromMs > restMs) {
      restedFromMs = Number.POSITIVE_INFINITY;
      connecting = connect();
    }
    return connecting;
  }

  async function ask(order: WorkerOrder, wish: AskWish): Promise<{ readonly result: unknown } | undefined> {
    for (;;) {
      const calls = await abortable(reachable(), wish.signal);
      if (calls === undefined) return undefined;
      const outcome = await calls.ask(order, wish);
      if (typeof outcome === 'object') return outcome;
      if (outcome === 'silent') {
        rest('silent');
        calls.end('silent');
      }
      if (outcome === 'ended' || wish.once) return undefined;
    }
  }

  return {
    place: () => place,
    ask,
    leave(reason) {
      if (place.renewalReason !== reason) rest(reason);
    },
    end() {
      gone.abort();
      connecting.then((calls) => calls?.end('ended'));
    },
  };
}
