import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, globSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** A real server on a free port of the loopback, with its data in a temporary folder. It can die, hang, and come back with what it had. */
export interface DatabaseServer {
  readonly url: string;
  start(): Promise<void>;
  /** No goodbye: SIGKILL. */
  kill(): Promise<void>;
  /** Accepts connections and answers nothing, until `resume`. */
  hang(): void;
  resume(): void;
  /** Ends it, and removes its data. */
  remove(): Promise<void>;
}

interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly url: string;
  readonly folder: string;
  readonly uid?: number | undefined;
  /** True when it answers. */
  readonly isUp: () => Promise<boolean>;
}

/** The path of a server program; undefined when it is not installed, which fails in CI and is said in one line elsewhere. */
export function installed(program: string, folders: string, debianPackage: string): string | undefined {
  const found = programIn(program, folders);
  if (found === undefined) {
    const missing = `${program} is not installed, so its tests are left out: sudo apt-get install -y --no-install-recommends ${debianPackage}`;
    if (process.env['CI']) throw new Error(missing);
    console.warn(missing);
  }
  return found;
}

/** The path of a program in one of these folders, or where programs are found. */
export function programIn(program: string, folders: string): string | undefined {
  const inPath = (process.env['PATH'] ?? '').split(':').map((folder) => join(folder, program));
  return [...globSync(join(folders, program)), ...inPath].find((path) => existsSync(path));
}

export async function redisServer(command: string): Promise<DatabaseServer> {
  const port = await freePort();
  const folder = temporaryFolder();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'yes', '--appendfsync', 'always'];
  return serverOf({
    command,
    args,
    url: `redis://127.0.0.1:${port}`,
    folder,
    isUp: () => answers(join(command, '..', 'redis-cli'), ['-p', String(port), 'ping']),
  });
}

export async function postgresServer(command: string): Promise<DatabaseServer> {
  const port = await freePort();
  const folder = temporaryFolder();
  // It refuses to run as root.
  const uid = process.getuid?.() === 0 ? Number(execFileSync('id', ['-u', 'postgres'], { encoding: 'utf8' })) : undefined;
  if (uid !== undefined) chownSync(folder, uid, -1);
  const data = join(folder, 'data');
  execFileSync(join(command, '..', 'initdb'), ['-D', data, '-U', 'tester', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'], {
    uid,
    cwd: folder,
    stdio: 'pipe',
  });
  const args = [
    '-D',
    data,
    '-p',
    String(port),
    '-h',
    '127.0.0.1',
    '-k',
    folder,
    '-c',
    'fsync=off',
    '-c',
    'log_min_messages=panic',
    '-c',
    'max_connections=100',
  ];
  const isUp = (): Promise<boolean> => answers(join(command, '..', 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port), '-U', 'tester']);
  return serverOf({ command, args, url: `postgres://tester@127.0.0.1:${port}/postgres`, folder, uid, isUp });
}

function serverOf({ command, args, url, folder, uid, isUp }: Program): DatabaseServer {
  let child: ChildProcess | undefined;
  const signal = (name: NodeJS.Signals): void => {
    // A group of its own: PostgreSQL is many processes.
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, name);
  };
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    signal('SIGKILL');
    await gone;
  };
  // Those of PostgreSQL that serve a connection are in groups of their own.
  let hung: number[] = [];
  const resume = (): void => {
    for (const pid of hung.splice(0)) process.kill(pid, 'SIGCONT');
  };
  const lastResort = (): void => signal('SIGKILL');
  return {
    url,
    async start() {
      for (let attempt = 1; ; attempt++) {
        const own = spawn(command, args, { cwd: folder, uid, detached: true, stdio: 'ignore' });
        child = own;
        process.on('exit', lastResort);
        for (let waited = 0; waited < 400 && own.exitCode === null; waited++) {
          if (await isUp()) return;
          await pause(25);
        }
        await kill();
        // The processes of one that was killed may still be going.
        if (attempt === 5) throw new Error(`${command} does not start`);
        await pause(100);
      }
    },
    kill,
    hang() {
      hung = child?.pid === undefined ? [] : [child.pid, ...childrenOf(child.pid)];
      for (const pid of hung) process.kill(pid, 'SIGSTOP');
    },
    resume,
    async remove() {
      resume();
      await kill();
      process.off('exit', lastResort);
      rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}

function childrenOf(pid: number): number[] {
  return spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter(Boolean)
    .map(Number);
}

async function answers(command: string, args: string[]): Promise<boolean> {
  const asked = spawn(command, args, { stdio: 'ignore' });
  const [code] = await once(asked, 'exit');
  return code === 0;
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'tokenkeep-server-'));
  chmodSync(folder, 0o755);
  return folder;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
