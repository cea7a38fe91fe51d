/** A line in front of a token endpoint. Whoever is in it holds no lock. */
export interface RequestQueue {
  /** Runs the task when it is its turn, and settles as it does. */
  run<T>(task: () => Promise<T>, options: { readonly background: boolean }): Promise<T>;
}

/** No line: every renewal goes at once. */
export const noQueue: RequestQueue = { run: (task) => task() };
