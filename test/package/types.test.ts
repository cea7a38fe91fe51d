import { expect, it } from 'vitest';
import { runNode, tools } from '../support/run.js';

it('compiles tests, examples and the type tests with the strictness of the sources', async () => {
  expect(await runNode([tools.tsc, '-p', 'test/tsconfig.json'])).toEqual({ code: 0, output: '' });
});

it('compiles the sources without the types of any runtime but the web platform', async () => {
  expect(await runNode([tools.tsc, '-p', 'tsconfig.json'])).toEqual({ code: 0, output: '' });
});
