import { abortable } from '../../core/waiting.js';

/**
 * Something long that several may wait for and that is done once. Who aborts ends only their own wait; when nobody is left,
 * the thing itself ends. After a failure it begins anew for who comes next.
 */
export class SharedWait {
  readonly #start: (signal: AbortSignal) => Promise<void>;
  #isDone = false;
  #running: { readonly outcome: Promise<void>; readonly end: AbortController; waiting: number } | undefined;

  constructor(start: (signal: AbortSignal) => Promise<void>) {
    this.#start = start;
  }

  async join(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#isDone) return;
    this.#running ??= this.#begin();
    const running = this.#running;
    running.waiting++;
    try {
      await abortable(running.outcome, signal);
    } catch (error) {
      // Over, for whatever reason, or left by the last one.
      if (--running.waiting === 0) {
        running.end.abort(error);
        if (this.#running === running) this.#running = undefined;
      }
      throw error;
    }
  }

  #begin(): { outcome: Promise<void>; end: AbortController; waiting: number } {
    const end = new AbortController();
    const outcome = this.#start(end.signal);
    const succeeded = (): void => {
      this.#isDone = true;
    };
    outcome.then(succeeded, () => undefined);
    return { outcome, end, waiting: 0 };
  }
}
