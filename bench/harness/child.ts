import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A process that does what it is told, one thing at a time. */
export interface Child {
  ask<T>(message: object): Promise<T>;
  end(): void;
}

interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

const longestAnswerMs = 120_000;

/** Starts `file` (relative to this folder) in a process of its own: no other contestant's code, garbage or type feedback in it. */
export function startChild(file: string, nodeOptions: readonly string[] = []): Child {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), {
    execArgv: ['--no-warnings', ...nodeOptions],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let asked = 0;
  let said = '';
  child.stderr?.on('data', (chunk) => {
    said = (said + String(chunk)).slice(-2_000);
  });
  child.on('message', ({ id, value, error }: Reply) => {
    const asker = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) asker?.resolve(value);
    else asker?.reject(new Error(error));
  });
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${file} ended with ${code}: ${said}`));
    waiting.clear();
  });
  return {
    ask<T>(message: object): Promise<T> {
      const id = asked++;
      const limit = setTimeout(() => {
        waiting.get(id)?.reject(new Error(`no answer within ${longestAnswerMs} ms`));
        waiting.delete(id);
        child.kill('SIGKILL');
      }, longestAnswerMs);
      return new Promise<T>((resolve, reject) => {
        waiting.set(id, { resolve: (value) => resolve(value as T), reject });
        child.send({ id, message });
      }).finally(() => clearTimeout(limit));
    },
    end: () => void child.kill(),
  };
}

/** The other end: answers each message with what `work` gives. */
export function serve(work: (message: never) => Promise<unknown>): void {
  process.on('message', async ({ id, message }: { id: number; message: never }) => {
    try {
      process.send?.({ id, value: await work(message) });
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? `${error.message}\n${error.stack}`.slice(0, 1_000) : String(error) });
    }
  });
  process.on('disconnect', () => process.exit());
  // A peer that leaves a promise alone is counted by its calls, not ended.
  process.on('unhandledRejection', () => undefined);
}
