import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestProject } from 'vitest/node';
import { entries, packageJson, peers } from './entries.mjs';

declare module 'vitest' {
  interface ProvidedContext {
    /** The packed package. */
    tarball: string;
    /** The paths in it. */
    packedFiles: readonly string[];
    /** A project outside this one, with nothing but the tarball installed. */
    consumer: string;
    /** The packages that came with it. */
    installedPackages: readonly string[];
  }
}

/** Packs what would be published and installs it in an empty project, once for all package tests. */
export default function installConsumer(project: TestProject): () => void {
  const missing = entries.find((entry) => !existsSync(entry.code) || !existsSync(entry.types));
  if (missing) throw new Error(`${missing.code} is not there: npm run build first`);
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tokenkeep-consumer-')));
  npm(['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', folder], '.');
  const tarball = join(folder, `${packageJson.name}-${packageJson.version}.tgz`);
  const packedFiles = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n');
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  npm(['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', tarball], folder);
  const modules = join(folder, 'node_modules');
  project.provide(
    'installedPackages',
    readdirSync(modules).filter((name) => !name.startsWith('.')),
  );
  // What a user brings for the entry points that ask for it.
  mkdirSync(join(modules, '@types'));
  const brought = peers.flatMap((peer) => [peer, `@types/${peer}`]).filter((name) => existsSync(join('node_modules', name)));
  for (const name of brought) symlinkSync(resolve('node_modules', name), join(modules, name));
  project.provide('tarball', tarball);
  project.provide(
    'packedFiles',
    packedFiles.map((path) => path.replace(/^package\//, '')),
  );
  project.provide('consumer', folder);
  return () => rmSync(folder, { recursive: true, force: true });
}

/** Runs npm as a user would: what an `npm test` around us put into the environment points at this project and is left out. */
function npm(args: readonly string[], cwd: string): string {
  const outer =
    /^npm_(?:package_|lifecycle_|command$|execpath$|node_execpath$|config_(?:local_prefix|prefix|global_prefix|allow_scripts|workspace)$)|^INIT_CWD$/;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !outer.test(name)));
  return execFileSync('npm', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
