import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';

export const resultsFile = 'node_modules/.cache/tokenkeep/test-results.json';

/**
 * Closes every run with `N passed, N failed`, and remembers each test's outcome for `npm run rules`.
 * With `CI` set a skipped test counts as failed: there, everything that a test needs is there.
 */
export default class CountReporter {
  /**
   * @param {ReadonlyArray<import('vitest/node').TestModule>} modules
   * @param {ReadonlyArray<unknown>} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors = []) {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    /** @type {Record<string, { name: string, state: string }[]>} */
    const results = {};
    for (const module of modules) {
      const tests = [...module.children.allTests()].map((test) => ({ name: test.fullName, state: test.result().state }));
      for (const test of tests) count[test.state]++;
      if (module.errors().length) count.failed++;
      // A suite whose hook failed leaves its tests pending or skipped.
      for (const suite of module.children.allSuites()) count.failed += suite.errors().length;
      results[relative(process.cwd(), module.moduleId)] = tests;
    }
    remember(results);
    const left = count.skipped + count.pending;
    const ci = Boolean(process.env['CI']);
    if (ci) count.failed += left;
    process.on('exit', () => {
      if (ci && left) process.exitCode = 1;
      const seed = process.env['TOKENKEEP_SEED'];
      const replay = seed ? `seed ${seed} (again: TOKENKEEP_SEED=${seed} npx vitest run <file>)\n` : '';
      const skipped = left && !ci ? `${left} skipped\n` : '';
      process.stdout.write(`\n${replay}${skipped}${count.passed} passed, ${count.failed} failed\n`);
    });
  }
}

/** @param {Record<string, { name: string, state: string }[]>} results */
function remember(results) {
  const known = existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, 'utf8')) : {};
  mkdirSync(dirname(resultsFile), { recursive: true });
  writeFileSync(resultsFile, JSON.stringify({ ...known, ...results }, null, 1));
}
