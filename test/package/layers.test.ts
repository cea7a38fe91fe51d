import { globSync } from 'node:fs';
import { expect, it } from 'vitest';
import { violations, violationsIn } from '../support/layers.js';

it('finds in src only imports that point down, and no file over 250 lines', () => {
  const files = globSync('src/**/*.ts');
  expect(files.length).toBeGreaterThan(15);
  expect(violationsIn(files)).toEqual([]);
});

const planted: readonly (readonly [what: string, path: string, source: string, complaint: RegExp])[] = [
  ['an upward import', 'src/core/a.ts', "import { x } from '../manager/b.js';", /core may not import manager/],
  ['an upward import of a type', 'src/core/a.ts', "import type { X } from '../http/b.js';", /core may not import http/],
  ['an upward import over several lines', 'src/manager/a.ts', "import {\n  x,\n  y,\n} from '../server/b.js';", /manager may not import server/],
  ['a dynamic upward import', 'src/locks/a.ts', "const x = await import('../storage/b.js');", /locks may not import storage/],
  ['an upward re-export', 'src/storage/a.ts', "export * from '../http/b.js';", /storage may not import http/],
  ['a sideways import', 'src/server/a.ts', "import { x } from '../browser/b.js';", /server may not import browser/],
  ['a manager that knows the wire', 'src/manager/a.ts', "import { x } from '../protocol/b.js';", /manager may not import protocol/],
  ['an HTTP client that knows the manager', 'src/http/a.ts', "import { x } from '../manager/b.js';", /http may not import manager/],
  ['an HTTP client that knows the wire', 'src/http/a.ts', "import { x } from '../protocol/b.js';", /http may not import protocol/],
  ['a test kit that knows the HTTP client', 'src/testing/a.ts', "import { x } from '../http/b.js';", /testing may not import http/],
  ['React below its layer', 'src/browser/a.ts', "import { useState } from 'react';", /browser may not/],
  ['a hook that knows the manager', 'src/react/a.ts', "import { x } from '../manager/b.js';", /react may not import manager/],
  ['an import of an entry point', 'src/server/a.ts', "import { x } from '../index.js';", /nothing imports an entry point/],
  ['an import without its ending', 'src/core/a.ts', "import { x } from './b';", /end in \.js/],
  ['ky in another file', 'src/http/create-auth-fetch.ts', "import ky from 'ky';", /only src\/http\/create-http-client\.ts may/],
  ['p-queue below the server', 'src/manager/a.ts', "import PQueue from 'p-queue';", /manager may not/],
  ['oauth4webapi outside the protocol', 'src/server/a.ts', "import * as oauth from 'oauth4webapi';", /server may not/],
  ['a module of Node', 'src/core/a.ts', "import { x } from 'node:crypto';", /core may not/],
  ['an unknown folder', 'src/extras/a.ts', "import { x } from './b.js';", /not in the layer table/],
  ['251 lines', 'src/core/a.ts', '//\n'.repeat(251), /251 lines/],
  ['a wall clock', 'src/manager/a.ts', 'const at = Date.now();', /real time/],
  ['a monotonic clock', 'src/manager/a.ts', 'const at = performance.now();', /real time/],
  ['a timer', 'src/core/a.ts', 'setTimeout(run, 5);', /real time/],
  ['a date of now', 'src/core/a.ts', 'const at = new Date();', /real time/],
  ['a Buffer', 'src/core/a.ts', "Buffer.from('x');", /one runtime/],
  ['the process', 'src/core/a.ts', 'process.exit(1);', /one runtime/],
  ['a guessable random number', 'src/core/a.ts', 'const x = Math.random();', /randomness/],
  ['any', 'src/core/a.ts', 'const x: any = 1;', /gives up a check/],
  ['a silenced compiler', 'src/core/a.ts', '// @ts-ignore\nx();', /gives up a check/],
  ['a default export', 'src/core/a.ts', 'export default 1;', /default export/],
  ['a file named after nothing', 'src/core/utils.ts', 'export const x = 1;', /named after nothing/],
  ['logic in an entry point', 'src/http.ts', "export { x } from './http/b.js';\nexport const y = 1;", /re-exports only/],
];

it.each(planted)('reports %s', (_what, path, source, complaint) => {
  expect(violations(path, source).join('\n')).toMatch(complaint);
});

const allowed: readonly (readonly [what: string, path: string, source: string])[] = [
  ['an import of the same folder', 'src/http/a.ts', "import { x } from './b.js';"],
  ['an import from below', 'src/storage/a.ts', "import { x } from '../locks/local.js';\nimport type { Y } from '../core/clock.js';"],
  ['ky in its one file', 'src/http/create-http-client.ts', "import ky from 'ky';"],
  ['p-queue on the server', 'src/server/a.ts', "import PQueue from 'p-queue';"],
  ['a timer in the system clock', 'src/core/system-clock.ts', 'setTimeout(run, 5);'],
  ['250 lines', 'src/core/a.ts', '//\n'.repeat(250)],
  ['an import in a comment', 'src/core/a.ts', "// import { x } from '../http/b.js'; Date.now()"],
  ['an entry point of re-exports', 'src/index.ts', "/** Docs. */\nexport { x, type Y } from './core/b.js';\nexport type * from './http/c.js';"],
];

it.each(allowed)('accepts %s', (_what, path, source) => {
  expect(violations(path, source)).toEqual([]);
});
