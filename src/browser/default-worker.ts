declare global {
  interface WorkerOptions {
    /** Lets a shared worker finish what it does after its last page has gone; known to Chromium. */
    extendedLifetime?: boolean;
  }
}

/** The worker that the package brings. Bundlers look for these very words: the URL and the options stay literal, and in the call. */
export function defaultWorker(): SharedWorker {
  return new SharedWorker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'tokenkeep:1', extendedLifetime: true });
}
