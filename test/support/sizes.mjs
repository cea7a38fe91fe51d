// Prints what each entry point, and each of its exports alone, adds to a bundle (esbuild, minified, gzip, with all dependencies).
// With `--check` it fails when a budget is exceeded or an entry holds what it must not; `--why` shows what a budget is spent on.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { entries, packageJson, peers } from './entries.mjs';

const manager = "export { createTokenManager, memoryStore, clientCredentials } from './dist/index.js'";
const http = "export { createAuthFetch, createHttpClient, parseChallenges } from './dist/http.js'";
const rejections = "export { rejectedToken } from './dist/http.js'";
const session = "export { createSession } from './dist/browser.js'";

/**
 * Bytes, minified and gzipped; `external` is left out of the figure, and so is what `beside` weighs by itself. `max` goes
 * down, towards `goal`; up only with a feature that docs/decisions/0011 records.
 */
const budgets = [
  { name: 'manager + memoryStore + clientCredentials', code: manager, external: [], max: 19_900, goal: 13_000 },
  {
    name: 'tokenkeep/http, its own code (beside the manager, without ky)',
    code: `${manager};${http}`,
    external: ['ky'],
    beside: manager,
    max: 3_740,
    goal: 3_000,
  },
  { name: 'rejectedToken, beside those', code: `${manager};${http};${rejections}`, external: ['ky'], beside: `${manager};${http}`, max: 600, goal: 600 },
  { name: 'tokenkeep/http alone, without ky', code: http, external: ['ky'], max: 5_650, goal: 5_000 },
  { name: 'tokenkeep/react, without react', code: "export * from './dist/react.js'", external: [], max: 250, goal: 250 },
];

/** The same for what is loaded in parts: what a page begins with, and all that it may ever load. */
const splitBudgets = [
  { name: 'createSession, first load', code: session, external: [], max: 22_000, goal: 18_000 },
  { name: 'createSession, everything', code: session, external: [], all: true, max: 61_500, goal: 36_000 },
  { name: 'createSession, first load without ky', code: session, external: ['ky'], max: 13_400, goal: 9_000 },
  { name: 'createSession, everything without ky', code: session, external: ['ky'], all: true, max: 52_900, goal: 27_000 },
];

/** Packages that must not be in an entry's bundle. */
/** @type {Record<string, string[]>} */
const foreign = {
  '.': ['ky', 'p-queue', 'idb-keyval'],
  './http': ['p-queue', 'oauth4webapi', 'idb-keyval'],
  './react': Object.keys(packageJson.dependencies),
  './storage/memory': Object.keys(packageJson.dependencies),
  './storage/indexed-db': Object.keys(packageJson.dependencies).filter((name) => name !== 'idb-keyval'),
  './storage/web-storage': Object.keys(packageJson.dependencies),
  './storage/encrypted': Object.keys(packageJson.dependencies),
  './storage/web-crypto-cipher': Object.keys(packageJson.dependencies).filter((name) => name !== 'jose'),
  './storage/sqlite': Object.keys(packageJson.dependencies),
  './storage/redis': Object.keys(packageJson.dependencies),
  './storage/postgres': Object.keys(packageJson.dependencies),
  './storage/jwe-cipher': Object.keys(packageJson.dependencies).filter((name) => name !== 'jose'),
  './locks/local': Object.keys(packageJson.dependencies),
  './locks/web': Object.keys(packageJson.dependencies),
};

/** What an entry is for: storage of browsers, and scripts that Redis runs. */
/** @type {Record<string, RegExp>} */
const storageOf = { './storage/indexed-db': /\bindexedDB\b/, './storage/web-storage': /\blocalStorage\b/, './storage/redis': /\beval\(/ };

// What is for browsers alone may use what every browser has.
const forBrowsers = ['./browser', './react', './worker'];

// Every entry of this list runs in every runtime, so nothing of one runtime, and nothing that a strict CSP forbids, may be in our own code.
const forbidden = [/\bnode:/, /\bBuffer\b/, /\bprocess\./, /\bwindow[.[]/, /\bdocument\./, /\blocalStorage\b/, /\bindexedDB\b/, /\beval\(/, /\bnew Function\b/];

/**
 * @param {string} contents
 * @param {string[]} external
 */
async function bundle(contents, external = []) {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: process.cwd() },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    external: [...peers, ...external],
    write: false,
    metafile: true,
    logLevel: 'error',
    outfile: 'bundle.js',
  });
  const file = outputFiles[0];
  const used = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs).filter(([, input]) => input.bytesInOutput > 0));
  const packages = new Set(used.map(([path]) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? packageJson.name));
  const files = used.map(([path, input]) => ({ path, bytes: input.bytesInOutput })).sort((a, b) => b.bytes - a.bytes);
  return { files, bytes: gzipSync(file?.contents ?? '', { level: 9 }).length, text: file?.text ?? '', packages };
}

/**
 * Bytes of what a bundler that splits loads at first, or of all its files together.
 * @param {{ code: string, external: string[], all?: boolean }} what
 */
async function splitBytes({ code, external, all = false }) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: code, resolveDir: process.cwd() },
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    external,
    write: false,
    metafile: true,
    logLevel: 'error',
    outdir: 'bundle',
  });
  const { outputs } = metafile;
  // Esbuild writes a file for every import() that it reads, also where nothing is left that would load it.
  const loaded = new Set(Object.keys(outputs).filter((path) => path.endsWith('/stdin.js')));
  for (const path of loaded)
    for (const { path: next, kind } of outputs[path]?.imports ?? [])
      if ((kind === 'import-statement' || (all && kind === 'dynamic-import')) && outputs[next]) loaded.add(next);
  const files = outputFiles.filter(({ path }) => [...loaded].some((name) => path.endsWith(name)));
  return files.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0);
}

/** All figures, and what is wrong with them. */
export async function sizes() {
  /** @type {string[]} */
  const problems = [];
  /** @type {{ what: string, bytes: number, max?: number, goal?: number, files?: { path: string, bytes: number }[] }[]} */
  const rows = [];
  for (const { name, code, external, beside, max, goal } of budgets) {
    const { bytes: all, files } = await bundle(code, external);
    const bytes = all - (beside ? (await bundle(beside, external)).bytes : 0);
    rows.push({ what: name, bytes, max, goal, files });
    if (bytes > max) problems.push(`${name}: ${bytes} bytes, the budget is ${max}`);
  }
  for (const { name, max, goal, ...what } of splitBudgets) {
    const bytes = await splitBytes(what);
    rows.push({ what: name, bytes, max, goal });
    if (bytes > max) problems.push(`${name}: ${bytes} bytes, the budget is ${max}`);
  }
  for (const { name, specifier, code } of entries) {
    const { bytes, packages } = await bundle(`export * from './${code}'`);
    rows.push({ what: `${specifier} (all)`, bytes });
    for (const dependency of foreign[name] ?? []) if (packages.has(dependency)) problems.push(`${specifier} holds ${dependency}`);
    const own = await bundle(`export * from './${code}'`, Object.keys(packageJson.dependencies));
    for (const pattern of forbidden)
      if (!forBrowsers.includes(name) && pattern.source !== storageOf[name]?.source && pattern.test(own.text))
        problems.push(`${specifier} holds ${pattern.source}`);
    for (const value of Object.keys(await import(pathToFileURL(resolve(code)).href)).sort()) {
      rows.push({ what: `${specifier} { ${value} }`, bytes: (await bundle(`export { ${value} } from './${code}'`)).bytes });
    }
  }
  return { rows, problems };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { rows, problems } = await sizes();
  const width = Math.max(...rows.map((row) => row.what.length));
  for (const { what, bytes, max, goal, files = [] } of rows) {
    console.log(
      `${what.padEnd(width)} ${bytes.toLocaleString('en').padStart(8)} B${max && goal ? ` of ${max.toLocaleString('en')}, goal ${goal.toLocaleString('en')}` : ''}`,
    );
    if (process.argv.includes('--why')) for (const file of files) console.log(`  ${String(file.bytes).padStart(6)} minified  ${file.path}`);
  }
  for (const problem of problems) console.error(`FAIL ${problem}`);
  if (process.argv.includes('--check') && problems.length) process.exitCode = 1;
}
