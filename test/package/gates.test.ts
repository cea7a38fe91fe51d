// The gates themselves: each is seen to let good work through and to stop bad work.
import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { layers, violations } from '../support/layers.js';
import { type Finished, runNode } from '../support/run.js';

/** A copy of the build, to be spoiled, beside the installed dependencies. */
function copyOfBuild(name: string): string {
  const folder = join(inject('consumer'), name);
  cpSync('dist', join(folder, 'dist'), { recursive: true });
  mkdirSync(join(folder, 'etc'));
  return folder;
}

describe('the API report', () => {
  const cwd = copyOfBuild('api');
  const report = (...args: string[]): Promise<Finished> => runNode([resolve('test/support/api-report.mjs'), ...args], { cwd });

  it('accepts what it has written, and reports an added, a changed and a removed line', async () => {
    expect((await report()).code).toBe(0);
    expect((await report('--check')).code).toBe(0);
    appendFileSync(join(cwd, 'dist/http.d.ts'), '\n/** A comment. */\n');
    expect((await report('--check')).code).toBe(0);
    appendFileSync(join(cwd, 'dist/http.d.ts'), '\nexport declare const planted: 1;\n');
    const { code, output } = await report('--check');
    expect(code).toBe(1);
    expect(output).toContain('+ export declare const planted: 1;');
    writeFileSync(join(cwd, 'dist/http.d.ts'), '');
    expect((await report('--check')).output).toMatch(/^- export /m);
  });

  it('sees a change in a file that an entry point only leads to', async () => {
    await report();
    appendFileSync(join(cwd, 'dist/core/errors.d.ts'), '\nexport declare const planted: 1;\n');
    expect((await report('--check')).output).toContain('+ export declare const planted: 1;');
  });
});

describe('the size check', () => {
  const cwd = copyOfBuild('sizes');
  const sizes = (): Promise<Finished> => runNode([resolve('test/support/sizes.mjs'), '--check'], { cwd });

  it('reports a budget that is exceeded, a foreign dependency and a word that an entry must not hold', async () => {
    const noise = Array.from({ length: 4000 }, (_, index) => `x${(index * 2654435761).toString(36)}`).join(' ');
    appendFileSync(join(cwd, 'dist/http.js'), `export const planted = ${JSON.stringify(noise)};\n`);
    appendFileSync(join(cwd, 'dist/index.js'), "import ky from 'ky';\nexport const planted = [ky, () => process.exit()];\n");
    const { code, output } = await sizes();
    expect(code).toBe(1);
    expect(output).toMatch(/FAIL tokenkeep\/http alone, without ky: \d+ bytes, the budget is \d+/);
    expect(output).toContain('FAIL tokenkeep holds ky');
    expect(output).toMatch(/FAIL tokenkeep holds .*process/);
  });
});

describe('the list of rules', () => {
  const cwd = join(inject('consumer'), 'rules');
  const cache = join(cwd, 'node_modules/.cache/tokenkeep');
  mkdirSync(cache, { recursive: true });
  const rules = (): Promise<Finished> => runNode([resolve('test/support/rules.mjs'), 'standards.md'], { cwd });
  const module = 'a.test.ts';
  writeFileSync(join(cwd, module), '');
  writeFileSync(join(cwd, 'standards.md'), '- **P1** One.\n- **P2** Two.\n- **A15** [later] Three.\n- **S4** [doc] Four. a **P9** in the text\n');
  const results = (...tests: readonly (readonly [name: string, state: string])[]): void =>
    writeFileSync(join(cache, 'test-results.json'), JSON.stringify({ [module]: tests.map(([name, state]) => ({ name, state })) }));

  it('tells rules with a passing test from those without, later and documented ones', async () => {
    results(['sends it once [P1]', 'passed'], ['holds [peer P4] [complaint 6, gap 1]', 'passed'], ['is not a rule [1]', 'passed']);
    const { code, output } = await rules();
    expect(code).toBe(0);
    expect(output).toContain(`P1\n  pass  ${module}: sends it once [P1]`);
    for (const id of ['peer P4', 'complaint 6', 'gap 1']) expect(output).toContain(`${id}\n  pass  ${module}: holds`);
    expect(output).toContain('without a test yet (1): P2');
    expect(output).toContain('[later] (1): A15');
    expect(output).toContain('[doc] (1): S4');
    expect(output).toContain('with passing tests: 4');
  });

  it('counts a rule with a failing or skipped test as not held, and a test of a deleted file not at all', async () => {
    results(['sends it once [P1]', 'passed'], ['sends it twice [P1]', 'failed'], ['later [P2]', 'skipped']);
    const { code, output } = await rules();
    expect(code).toBe(1);
    expect(output).toContain('with failing or skipped tests (2): P1 P2');
    writeFileSync(join(cache, 'test-results.json'), JSON.stringify({ 'gone.test.ts': [{ name: 'x [P1]', state: 'passed' }] }));
    expect((await rules()).output).toContain('without a test yet (2): P1 P2');
  });
});

describe('the linter', () => {
  const planted: Readonly<Record<string, readonly [path: string, source: string]>> = {
    noExplicitAny: ['src/core/any.ts', 'export const x: any = 1;\n'],
    noNonNullAssertion: ['src/core/non-null.ts', 'export const x = (y: string | undefined): string => y!;\n'],
    noConsole: ['src/core/console.ts', "console.log('x');\n"],
    noRestrictedGlobals: ['src/manager/timer.ts', 'setTimeout(() => {}, 5);\n'],
    noDefaultExport: ['src/core/default.ts', 'export default 1;\n'],
    useFilenamingConvention: ['src/core/CamelCase.ts', 'export const x = 1;\n'],
    useImportExtensions: ['src/core/extension.ts', "export { fine } from './fine';\n"],
    noUndeclaredDependencies: ['src/core/undeclared.ts', "export { x } from 'lodash';\n"],
    noImportCycles: ['src/core/cycle.ts', "import { y } from './cycle-too.js';\nexport const x = (): number => y();\n"],
    noRestrictedImports: ['src/http/upward.ts', "export { x } from '../manager/timer.js';\n"],
  };

  /** A project with our configuration of the linter and these files. */
  function lintProject(name: string, files: Readonly<Record<string, string>>): (path: string) => Promise<Finished> {
    const cwd = join(inject('consumer'), name);
    const config: Record<string, unknown> = JSON.parse(readFileSync('biome.json', 'utf8'));
    const all = {
      ...files,
      'package.json': readFileSync('package.json', 'utf8'),
      'biome.json': JSON.stringify({ ...config, $schema: undefined, vcs: { enabled: false } }),
    };
    for (const [path, source] of Object.entries(all)) {
      mkdirSync(dirname(join(cwd, path)), { recursive: true });
      writeFileSync(join(cwd, path), source);
    }
    return (path) => runNode([resolve('node_modules/@biomejs/biome/bin/biome'), 'lint', '--error-on-warnings', '--max-diagnostics=none', path], { cwd });
  }

  it.each(Object.keys(planted))('reports what %s forbids', async (rule) => {
    const [path, source] = planted[rule] ?? ['', ''];
    const lint = lintProject(`lint-${rule}`, {
      'src/core/fine.ts': 'export const fine = 1;\n',
      'src/core/cycle-too.ts': "import { x } from './cycle.js';\nexport const y = (): number => x();\n",
      [path]: source,
    });
    expect(await lint('src/core/fine.ts')).toMatchObject({ code: 0 });
    const { code, output } = await lint(path);
    expect(code).toBe(1);
    expect(output).toContain(`/${rule} `);
  });

  it('has the same layers as the layer table', async () => {
    const folders = Object.keys(layers).filter((folder) => folder !== '.' && folder !== 'browser' && folder !== 'webview');
    const packages = ['ky', 'oauth4webapi', 'p-queue'];
    const targets = [...folders.map((folder) => `../${folder}/x.js`), ...packages];
    const files = Object.fromEntries(
      folders.flatMap((folder) => targets.map((target) => [`src/${folder}/to-${target.replace(/\W+/g, '-')}.ts`, `export { x } from '${target}';\n`])),
    );
    const { output } = await lintProject('lint-layers', files)('src');
    const refused = [...new Set([...output.matchAll(/^(src\/\S+\.ts):\S+ lint\/style\/noRestrictedImports/gm)].map(([, path]) => path ?? ''))];
    // The table alone knows that ky belongs to one file of its folder.
    const expected = Object.keys(files).filter((path) => path !== 'src/http/to-ky.ts' && violations(path, files[path] ?? '').length > 0);
    expect(expected.length).toBeGreaterThan(30);
    expect(refused.toSorted()).toEqual(expected.toSorted());
  });
});

describe('the closing line of a test run', () => {
  // Inside the project, so that the planted tests find vitest.
  const cwd = resolve('node_modules/.cache/tokenkeep/planted');
  afterAll(() => rmSync(cwd, { recursive: true, force: true }));

  async function run(source: string, env: Readonly<Record<string, string>> = {}): Promise<Finished & { last: string | undefined }> {
    mkdirSync(cwd, { recursive: true });
    writeFileSync(join(cwd, 'a.test.mjs'), `import { expect, it, describe, beforeAll } from 'vitest';\n${source}`);
    const reporter = JSON.stringify(resolve('test/support/count-reporter.mjs'));
    writeFileSync(join(cwd, 'vitest.config.mjs'), `export default { test: { include: ['*.test.mjs'], exclude: [], reporters: [${reporter}] } };`);
    const finished = await runNode([resolve('node_modules/vitest/vitest.mjs'), 'run', '--root', cwd], { cwd, env: { CI: '', ...env } });
    return { ...finished, last: finished.output.trimEnd().split('\n').at(-1) };
  }

  it('counts passed and failed tests', async () => {
    expect(await run("it('a', () => {}); it('b', () => {}); it('c', () => { expect(1).toBe(2); });")).toMatchObject({ code: 1, last: '2 passed, 1 failed' });
  });

  it('counts a file that does not load, a hook that throws and a rejection that nobody handles as failures', async () => {
    expect(await run('nonsense(')).toMatchObject({ code: 1, last: '0 passed, 1 failed' });
    expect(await run("describe('x', () => { beforeAll(() => { throw new Error('no'); }); it('a', () => {}); }); it('b', () => {});")).toMatchObject({
      code: 1,
      last: '1 passed, 1 failed',
    });
    expect(await run("it('a', () => { Promise.reject(new Error('no')); });")).toMatchObject({ code: 1, last: '1 passed, 1 failed' });
  });

  it('shows a skipped test, and counts it as failed in CI', async () => {
    const source = "it('a', () => {}); it.skip('b', () => {});";
    const local = await run(source);
    expect(local).toMatchObject({ code: 0, last: '1 passed, 0 failed' });
    expect(local.output).toContain('1 skipped');
    expect(await run(source, { CI: 'true' })).toMatchObject({ code: 1, last: '1 passed, 1 failed' });
  });

  it('remembers outcomes for the list of rules', async () => {
    await run("it('holds [P1]', () => {});");
    expect(JSON.parse(readFileSync(join(cwd, 'node_modules/.cache/tokenkeep/test-results.json'), 'utf8'))).toEqual({
      'a.test.mjs': [{ name: 'holds [P1]', state: 'passed' }],
    });
  });
});
