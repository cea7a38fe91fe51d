/** The only source of time. Injected, so that every rule about time is tested without waiting. */
export interface Clock {
  /** Wall time: epoch milliseconds. May jump in either direction. */
  now(): number;
  /** Milliseconds that only grow, from an arbitrary origin. May stand still while the machine sleeps. */
  monotonicMs(): number;
  /** Resolves after `ms` milliseconds, however long; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal, options?: SleepOptions): Promise<void>;
}

export interface SleepOptions {
  /** Nobody waits for this sleep: it must not keep the process alive. */
  readonly idle?: boolean | undefined;
}
