import { execFile } from 'node:child_process';

/** What a finished program left behind. */
export interface Finished {
  readonly code: number;
  readonly output: string;
}

/** Runs a script with this very Node and collects both of its streams; never throws. Ended after 90 seconds. */
export function runNode(args: readonly string[], options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {}): Promise<Finished> {
  // A child of a test run is not a test run.
  const { NODE_OPTIONS: _options, VITEST: _vitest, NODE_ENV: _nodeEnv, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: options.cwd ?? '.', env: { ...env, ...options.env }, timeout: 90_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, output: stdout + stderr });
    });
  });
}

/** The path of a development tool's script. */
export const tools = {
  tsc: 'node_modules/typescript/bin/tsc',
  publint: 'node_modules/publint/src/cli.js',
  attw: 'node_modules/@arethetypeswrong/cli/dist/index.js',
} as const;
