import type { Clock } from '../core/clock.js';
import type { TokenEvent } from '../core/events.js';
import { abortable } from '../core/waiting.js';
import { eventOf, failureOf, type FromWorker, type ToWorker, type WorkerOrder } from './worker-messages.js';

const silenceMs = 3_000;

/** How an order ended without an answer: nothing was heard, the worker has died, or this side let go. */
export type Unanswered = 'silent' | 'dead' | 'ended';

interface Call {
  readonly onEvent: ((event: TokenEvent) => void) | undefined;
  readonly settle: (outcome: { readonly result: unknown } | Unanswered) => void;
  readonly fail: (error: unknown) => void;
  heard: boolean;
}

/** Orders to one worker, and its answers. While one is open the worker is asked every few seconds whether it still is there. */
export class WorkerCalls {
  readonly #port: MessagePort;
  readonly #session: string;
  readonly #clock: Clock;
  readonly #open: Map<number, Call> = new Map();
  #over: Unanswered | undefined;
  #lastId = 0;

  constructor(port: MessagePort, session: string, clock: Clock) {
    this.#port = port;
    this.#session = session;
    this.#clock = clock;
    port.addEventListener('message', ({ data }) => this.#take(data));
    port.start();
  }

  /** @throws {TokenError} what the worker failed with; the signal's reason */
  async ask(
    order: WorkerOrder,
    { signal, onEvent }: { signal: AbortSignal; onEvent?: ((event: TokenEvent) => void) | undefined },
  ): Promise<{ readonly result: unknown } | Unanswered> {
    if (this.#over) return this.#over;
    this.#lastId++;
    const id = this.#lastId;
    const done = new AbortController();
    const answer = new Promise<{ readonly result: unknown } | Unanswered>((settle, fail) => {
      const call: Call = { onEvent, settle, fail, heard: false };
      this.#open.set(id, call);
      this.#watch(call, id, done.signal).catch(() => undefined);
    });
    answer.catch(() => undefined);
    try {
      this.#send(id, order);
      return await abortable(answer, signal);
    } finally {
      done.abort();
      this.#open.delete(id);
    }
  }

  end(why: Unanswered): void {
    this.#over = why;
    for (const call of this.#open.values()) call.settle(why);
    this.#port.close();
  }

  async #watch(call: Call, id: number, done: AbortSignal): Promise<void> {
    for (;;) {
      await this.#clock.sleep(silenceMs, done, { idle: true });
      if (!call.heard) return call.settle('silent');
      call.heard = false;
      this.#send(id, { do: 'beat' });
    }
  }

  #send(id: number, order: WorkerOrder): void {
    this.#port.postMessage({ id, session: this.#session, order } satisfies ToWorker);
  }

  #take(message: FromWorker): void {
    if (message?.type === 'hello') return;
    const call = this.#open.get(message?.id);
    if (!call) return;
    call.heard = true;
    if (message.type === 'event') call.onEvent?.(eventOf(message.event));
    else if (message.type === 'done') call.settle({ result: message.result });
    else if (message.type === 'failed') call.fail(failureOf(message.error));
  }
}
