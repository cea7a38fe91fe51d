import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { entries } from '../support/entries.mjs';
import { runNode, tools } from '../support/run.js';

const consumer = inject('consumer');
const fixture = (name: string): string => resolve('test/package/fixtures', name);

/** A folder of the consumer project with these fixtures in it. */
function folder(name: string, ...fixtures: readonly string[]): string {
  const path = join(consumer, name);
  mkdirSync(path, { recursive: true });
  for (const file of fixtures) copyFileSync(fixture(file), join(path, file));
  return path;
}

describe('an empty project that installs the tarball', () => {
  it.each([
    ['bundler', 'ESNext', []],
    ['nodenext', 'NodeNext', []],
    // The strictest reader of declarations: every optional and every index signature is looked at.
    ['nodenext', 'NodeNext', ['--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--isolatedModules', '--verbatimModuleSyntax']],
  ])('compiles under moduleResolution %s (%s) with lib ES2022 and DOM, without Node types %j', async (moduleResolution, module, flags) => {
    const cwd = folder('types', 'consume-types.ts');
    const options = { strict: true, noEmit: true, skipLibCheck: false, target: 'ES2022', lib: ['ES2022', 'DOM'], types: [], module, moduleResolution };
    const config = `tsconfig.${moduleResolution}${flags.length}.json`;
    writeFileSync(join(cwd, config), JSON.stringify({ compilerOptions: options, files: ['consume-types.ts'] }));
    expect(await runNode([resolve(tools.tsc), '-p', config, ...flags], { cwd })).toEqual({ code: 0, output: '' });
  });

  it('sees a wrong option in the editor', async () => {
    const cwd = folder('types');
    writeFileSync(join(cwd, 'wrong.ts'), "import { createTokenManager } from 'tokenkeep';\ncreateTokenManager({ grant: 1 });\ncreateTokenManager({});\n");
    const flags = ['--strict', '--noEmit', '--target', 'ES2022', '--lib', 'ES2022,DOM', '--module', 'NodeNext', '--types', ''];
    const { output } = await runNode([resolve(tools.tsc), ...flags, 'wrong.ts'], { cwd });
    expect(output.match(/wrong\.ts\(\d/g)).toEqual(['wrong.ts(2', 'wrong.ts(3']);
  });

  it('runs a program that gets tokens, attaches them and survives a revoked one', async () => {
    const cwd = folder('run', 'consume.mjs');
    expect(await runNode(['consume.mjs'], { cwd })).toEqual({ code: 0, output: 'consumed\n' });
  });

  it.each(entries.map((entry) => entry.specifier))(
    'imports %s without touching a window, a store, the network or a timer [complaint 22] [X27]',
    async (specifier) => {
      const cwd = folder('import', 'import-entry.mjs');
      const { code, output } = await runNode(['import-entry.mjs', specifier], { cwd });
      expect(code, output).toBe(0);
      const { names, touched, timers }: { names: string[]; touched: string[]; timers: number } = JSON.parse(output);
      expect({ touched, timers }).toEqual({ touched: [], timers: 0 });
      // The worker is a program, not a library.
      expect(names.length > 0).toBe(specifier !== 'tokenkeep/worker');
      expect(names).not.toContain('default');
    },
  );
});
