import { nodeResolve } from '@rollup/plugin-node-resolve';
import esbuild from 'rollup-plugin-esbuild';
import { entries, packageJson, peers } from './test/support/entries.mjs';

const worker = 'src/browser/worker.ts';
const code = (further = {}) => esbuild({ target: 'es2022', tsconfig: 'tsconfig.json', ...further });

// An undeclared dependency or an import cycle would break in the user's hands.
/** @type {import('rollup').WarningHandlerWithDefault} */
function onwarn(warning) {
  throw new Error(warning.message);
}

/** @type {import('rollup').Plugin} */
const selfContained = {
  name: 'self-contained',
  generateBundle(_options, bundle) {
    for (const chunk of Object.values(bundle)) {
      if (chunk.type !== 'chunk') continue;
      const left = [...chunk.imports, ...chunk.dynamicImports];
      if (left.length > 0) this.error(`the worker imports ${left.join(', ')}`);
    }
  },
};

// The first load of a browser session: what it needs must lie apart from what is loaded on demand.
const shell = /\/src\/browser\/create-session\.ts$/;

/**
 * What every service loads, in two files: small ones cost more to find than to read. The first of them has what a browser session
 * begins with, the second the rest; what is loaded on demand stays by itself.
 * @param {string} module
 * @param {{ getModuleIds(): IterableIterator<string>, getModuleInfo(id: string): import('rollup').ModuleInfo | null }} graph
 */
function manualChunks(module, { getModuleIds, getModuleInfo }) {
  if (!/\/src\/(core|manager|protocol|locks)\/|\/src\/storage\/memory\.ts$/.test(module) || /\/jose(-keys)?\.ts$|\/locks\/web\.ts$/.test(module))
    return undefined;
  const start = [...getModuleIds()].find((id) => shell.test(id));
  const first = new Set(start === undefined ? [] : [start]);
  for (const id of first) for (const imported of getModuleInfo(id)?.importedIds ?? []) first.add(imported);
  if (first.has(module)) return 'core';
  return /\/src\/protocol\/authorization\//.test(module) ? undefined : 'tokens';
}

/** @type {import('rollup').RollupOptions[]} */
export default [
  {
    input: Object.fromEntries(entries.filter(({ source }) => source !== worker).map(({ code, source }) => [code.replace(/^dist\/|\.js$/g, ''), source])),
    external: [...[...Object.keys(packageJson.dependencies), ...peers].map((name) => new RegExp(`^${name}(/|$)`)), /^node:/],
    treeshake: { moduleSideEffects: false },
    plugins: [code()],
    // Not a file per module: Node takes half a millisecond for each that it loads.
    output: {
      dir: 'dist',
      format: 'es',
      sourcemap: true,
      entryFileNames: '[name].js',
      // The session's code names the worker's file, which lies beside it.
      chunkFileNames: ({ name }) => (name === 'live-session' ? 'browser/[name].js' : 'chunks/[name].js'),
      hoistTransitiveImports: false,
      manualChunks,
      onlyExplicitManualChunks: true,
      // Else rollup merges the re-exports of jose, which are no code, into a chunk that everybody loads.
      experimentalMinChunkSize: 0,
    },
    onwarn,
  },
  // One file with everything in it, and small, since applications may serve a copy of it.
  {
    input: worker,
    plugins: [nodeResolve({ browser: true }), code({ minify: true }), selfContained],
    output: { file: 'dist/browser/worker.js', format: 'es', inlineDynamicImports: true },
    onwarn,
  },
];
