/** Runs one task at a time per name, in every context that shares it. Every implementation passes `lockContract`. */
export interface Lock {
  /** True when it excludes other processes or tabs too. */
  readonly shared?: boolean | undefined;
  /**
   * Waits for the lock, runs `task`, frees it, and settles as the task does. `held` aborts when the lock was lost
   * before the task ended: nothing may be written after that.
   * @throws {TokenError} `lock_timeout` when it is not free within `waitMs` (0: at once); the signal's reason when it aborts first.
   */
  run<T>(name: string, task: (held: AbortSignal) => Promise<T>, options: LockOptions): Promise<T>;
}

export interface LockOptions {
  readonly waitMs: number;
  /** Ends the wait for the lock; a task that has begun is not touched. */
  readonly signal?: AbortSignal | undefined;
}
