/** A line in front of a token endpoint. Whoever is in it holds no lock. */
export interface RequestQueue {
  /** Runs the task when it is its turn, and settles as it does. */
  run<T>(task: () => Promise<T>, wish: QueueWish): Promise<T>;
}

/** How urgent a renewal is. */
export interface QueueWish {
  /** Nobody waits for it (yet). */
  readonly background: boolean;
  /** Called when somebody begins to wait. */
  onWanted?: (() => void) | undefined;
}

/** No line: every renewal goes at once. */
export const noQueue: RequestQueue = { run: (task) => task() };
