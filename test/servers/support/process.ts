import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A program of `test/servers/fixtures` in a process of its own. */
export interface Process {
  readonly pid: number;
  /** Everything that it has printed. */
  readonly lines: readonly string[];
  /** What it prints next, in turn. */
  next(): Promise<string>;
  send(line: string): void;
  /** No goodbye: SIGKILL. Resolves when it is gone. */
  kill(): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** Tells it to end; resolves with its exit code. It has to end by itself. */
  end(): Promise<number | string>;
  /** Its exit code, or the signal that ended it. */
  readonly gone: Promise<number | string>;
}

const running = new Set<Process>();

export function startProcess(fixture: string, options: { readonly args?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {}): Process {
  // A child of a test run is not a test run.
  const { NODE_OPTIONS: _options, VITEST: _vitest, NODE_ENV: _env, ...inherited } = process.env;
  const child = spawn(process.execPath, ['--no-warnings', `test/servers/fixtures/${fixture}`, ...(options.args ?? [])], {
    env: { ...inherited, ...options.env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  // Who was killed reads no more.
  child.stdin.on('error', () => undefined);
  const lines: string[] = [];
  let read = 0;
  const reader = createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const gone = once(child, 'exit').then(([code, signal]) => Number(code ?? Number.NaN) || (signal ?? 0));
  const started: Process = {
    pid: child.pid ?? 0,
    lines,
    gone,
    async next() {
      while (lines.length <= read) {
        const ended = await Promise.race([once(reader, 'line').then(() => undefined), gone]);
        if (ended !== undefined && lines.length <= read) throw new Error(`${fixture} ended with ${ended}`);
      }
      return lines[read++] ?? '';
    },
    send: (line) => void child.stdin.write(`${line}\n`),
    end() {
      child.stdin.end('end\n');
      return gone;
    },
    signal: (name) => void child.kill(name),
    async kill() {
      child.kill('SIGKILL');
      await gone;
    },
  };
  running.add(started);
  void gone.then(() => running.delete(started));
  return started;
}

/** Ends those that a test has left behind. */
export async function killProcesses(): Promise<void> {
  await Promise.all([...running].map((each) => each.kill()));
}
