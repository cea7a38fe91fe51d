import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { entries, root } from './test/support/entries.mjs';

// One seed for every random choice of a run: property tests, schedules. The reporter prints it; the variable replays it.
const seed = process.env['TOKENKEEP_SEED'] ?? String(randomInt(2 ** 31));
process.env['TOKENKEEP_SEED'] = seed;

// Tests import the package by its public names and get the sources.
const alias = entries.map((entry) => ({ find: new RegExp(`^${entry.specifier}$`), replacement: fileURLToPath(new URL(entry.source, root)) }));

const setupFiles = ['test/support/seed-fast-check.ts', 'test/support/load-jose.ts'];

export default defineConfig({
  resolve: { alias },
  test: {
    env: { TOKENKEEP_SEED: seed },
    reporters: ['default', './test/support/count-reporter.mjs'],
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reportsDirectory: 'node_modules/.cache/tokenkeep/coverage' },
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts', 'test/contract/**/*.test.ts'], setupFiles } },
      { extends: true, test: { name: 'simulation', include: ['test/simulation/**/*.test.ts'], testTimeout: 300_000, setupFiles } },
      { extends: true, test: { name: 'integration', include: ['test/integration/**/*.test.ts'], testTimeout: 30_000, hookTimeout: 30_000 } },
      // Real SQLite files, Redis and PostgreSQL, and processes that share them.
      {
        extends: true,
        test: { name: 'servers', include: ['test/servers/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 60_000, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          globalSetup: ['test/support/install-consumer.ts'],
          testTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
      // Real time passes here, so nothing else may run beside it.
      {
        extends: true,
        test: {
          name: 'realtime',
          include: ['test/realtime/**/*.test.ts'],
          testTimeout: 240_000,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
      // A browser and a page with tokens that live for seconds: also alone.
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          maxConcurrency: 4,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
