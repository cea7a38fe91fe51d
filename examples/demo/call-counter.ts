import type { History } from './history.ts';
import type { CallsFact, WaitFact } from './page-messages.ts';

const bucketMs = 500;

/** Counts the service's calls, altogether and by half seconds. */
export class CallCounter {
  readonly #history: History;
  #bucket: CallsFact | undefined;
  #wait: WaitFact | undefined;
  answered = 0;
  failed = 0;
  sentAgain = 0;
  waited = 0;
  longestWaitMs = 0;
  /** How many wait for a token now. */
  waiting = 0;

  constructor(history: History) {
    this.#history = history;
  }

  /** A call begins to wait for a token; to be told when that is over. */
  waits(): () => void {
    const began = this.#history.now;
    this.waiting++;
    this.waited++;
    this.#wait ??= this.#history.set({ kind: 'wait', id: `wait-${began}`, from: began });
    return () => {
      const { now } = this.#history;
      this.longestWaitMs = Math.max(this.longestWaitMs, now - began);
      if (--this.waiting > 0 || this.#wait === undefined) return;
      this.#history.set({ ...this.#wait, to: now });
      this.#wait = undefined;
    };
  }

  answers(): void {
    this.answered++;
    this.#count('answered');
  }

  fails(): void {
    this.failed++;
    this.#count('failed');
  }

  #count(what: 'answered' | 'failed'): void {
    const from = Math.floor(this.#history.now / bucketMs) * bucketMs;
    const current = this.#bucket?.from === from ? this.#bucket : { kind: 'calls' as const, id: `calls-${from}`, from, answered: 0, failed: 0 };
    this.#bucket = this.#history.set({ ...current, [what]: current[what] + 1 });
  }
}
