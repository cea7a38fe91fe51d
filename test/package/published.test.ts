import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { entries, packageJson } from '../support/entries.mjs';
import { runNode, tools } from '../support/run.js';

const files = inject('packedFiles');
const installed = join(inject('consumer'), 'node_modules', packageJson.name);
const read = (path: string): string => readFileSync(join(installed, path), 'utf8');

describe('the packed package', () => {
  it('holds the build, its sources and the papers, and nothing else [S17]', () => {
    const strangers = files.filter(
      (path) => !/^(?:dist\/.+\.(?:js|js\.map|d\.ts|d\.ts\.map)|src\/.+\.ts|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(path),
    );
    expect(strangers).toEqual([]);
    for (const paper of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md']) expect(files).toContain(paper);
  });

  it('holds code and types of every entry point', () => {
    for (const { code, types } of entries) expect(files).toEqual(expect.arrayContaining([code, types]));
  });

  it('holds no test and no secret', () => {
    for (const path of files) {
      expect(path).not.toMatch(/\.(?:test|spec)\.|\.env|\.pem$|\.key$|\.npmrc/);
      expect(read(path)).not.toMatch(
        /-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\\n|\s)*[A-Za-z\d+/]{40}|\bghp_\w{30,}|\bnpm_\w{30,}|\beyJ[\w-]{20,}\.eyJ[\w-]{20,}\./,
      );
    }
  });

  it('holds every source that one of its maps names', () => {
    const maps = files.filter((path) => path.endsWith('.map'));
    expect(maps.length).toBeGreaterThan(10);
    for (const map of maps) {
      const { sources, sourceRoot = '' }: { sources: string[]; sourceRoot?: string } = JSON.parse(read(map));
      for (const source of sources) expect(files, map).toContain(posix.join(posix.dirname(map), sourceRoot, source));
    }
  });

  // Node takes half a millisecond for each file that it loads before the first token.
  it('starts a service with a secret on three files of its own, without what signs, signs users in or sends calls', () => {
    const loaded = new Set(['dist/index.js']);
    for (const path of loaded) {
      for (const [, specifier = ''] of read(path).matchAll(/^(?:import|export)\b[^;(]*?'([^']+)';/gm))
        loaded.add(specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : specifier);
    }
    expect([...loaded].sort()).toEqual(['dist/chunks/core.js', 'dist/chunks/tokens.js', 'dist/index.js']);
    expect(read('dist/chunks/tokens.js')).toContain("import('./jose.js')");
  });

  it('depends on exactly the packages that the design names, with caret ranges [S17]', () => {
    expect(Object.keys(packageJson.dependencies).sort()).toEqual(['idb-keyval', 'jose', 'ky', 'p-queue']);
    for (const range of Object.values(packageJson.dependencies)) expect(range).toMatch(/^\^\d+\.\d+\.\d+$/);
  });

  it('asks for React, and for clients of databases, only of those who use them', () => {
    expect(Object.keys(packageJson.peerDependencies).sort()).toEqual(['ioredis', 'pg', 'react', 'redis']);
    const { peerDependenciesMeta }: { peerDependenciesMeta?: object } = JSON.parse(read('package.json'));
    const optional = { optional: true };
    expect(peerDependenciesMeta).toEqual({ ioredis: optional, pg: optional, react: optional, redis: optional });
  });

  it('brings no further package with them [S17]', () => {
    expect(inject('installedPackages').toSorted()).toEqual(['idb-keyval', 'jose', 'ky', 'p-queue', 'tokenkeep']);
  });

  it('runs no script when it is installed, and asks for provenance when it is published [S17]', () => {
    const published: { scripts?: Record<string, string>; publishConfig?: { provenance?: boolean } } = JSON.parse(read('package.json'));
    expect(Object.keys(published.scripts ?? {}).filter((name) => /^(?:pre|post)?install$|^(?:pre|post)?prepare$|^dependencies$/.test(name))).toEqual([]);
    expect(published.publishConfig?.provenance).toBe(true);
  });

  it('names no registry in the lockfile and locks every package by its hash [S17]', () => {
    const { packages }: { packages: Record<string, { resolved?: string; integrity?: string }> } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
    for (const [path, { resolved, integrity }] of Object.entries(packages)) {
      if (path === '') continue;
      expect(resolved, path).toBeUndefined();
      expect(integrity, path).toMatch(/^sha512-/);
    }
  });

  it('loads nothing from elsewhere and evaluates no text, so that it runs under a strict content security policy [S17] [S18]', () => {
    for (const path of files.filter((file) => file.endsWith('.js'))) {
      expect(read(path), path).not.toMatch(
        /(?:from|import)\s*\(?\s*['"]https?:|(?<!\.)\beval\s*\(|\bnew Function\b|\bimportScripts\s*\(|\.innerHTML\b|createElement\(/,
      );
    }
  });
});

describe('judges of packages', () => {
  it('satisfies publint', async () => {
    const { code, output } = await runNode([tools.publint, 'run', inject('tarball'), '--strict']);
    expect(output).toContain('All good!');
    expect(code).toBe(0);
  });

  it('has types that resolve for every importer of modules', async () => {
    const { code, output } = await runNode([tools.attw, inject('tarball'), '--profile', 'esm-only', '--no-color']);
    // One line each for every entry point and for `./package.json`.
    expect(output.match(/^(?:node16 \(from ESM\)|bundler): 🟢/gm), output).toHaveLength(2 * (entries.length + 1));
    expect(code).toBe(0);
  });
});

describe('checked reports', () => {
  let sizes = '';
  beforeAll(async () => {
    sizes = (await runNode(['test/support/sizes.mjs', '--check'])).output;
  }, 60_000);

  it('stays within its size budgets, and no entry point holds what belongs to another [complaint 30]', () => {
    expect(sizes.match(/^FAIL .*/gm) ?? []).toEqual([]);
    expect(sizes).toMatch(/manager \+ memoryStore \+ clientCredentials\s+[\d,]+ B of [\d,]+, goal 13,000/);
    expect(sizes).toMatch(/tokenkeep\/http, its own code \(beside the manager, without ky\)\s+[\d,]+ B of [\d,]+, goal 3,000/);
  });

  it('has the public API that was reviewed', async () => {
    const { code, output } = await runNode(['test/support/api-report.mjs', '--check']);
    expect(output).toBe('etc/api.txt is up to date\n');
    expect(code).toBe(0);
  });

  it('maps every entry point to its source for the tests', () => {
    const { compilerOptions }: { compilerOptions: { paths: Record<string, string[]> } } = JSON.parse(readFileSync('test/tsconfig.json', 'utf8'));
    for (const { specifier, source } of entries) {
      const exact = compilerOptions.paths[specifier]?.[0];
      expect(exact ?? compilerOptions.paths['tokenkeep/*']?.[0]?.replace('*', specifier.replace('tokenkeep/', ''))).toBe(`../${source}`);
    }
  });
});
