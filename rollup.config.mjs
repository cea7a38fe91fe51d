import esbuild from 'rollup-plugin-esbuild';
import { entries, packageJson, peers } from './test/support/entries.mjs';

// The first load of a browser session: what it needs must lie apart from what is loaded on demand.
const shell = /\/src\/browser\/create-session\.ts$/;

/**
 * What every service loads, in two files: small ones cost more to find than to read. The first of them has what a browser session
 * begins with, the second the rest; what is loaded on demand stays by itself.
 * @param {string} module
 * @param {{ getModuleIds(): IterableIterator<string>, getModuleInfo(id: string): import('rollup').ModuleInfo | null }} graph
 */
function manualChunks(module, { getModuleIds, getModuleInfo }) {
  if (!/\/src\/(core|manager|protocol|locks)\/|\/src\/storage\/memory\.ts$/.test(module) || /\/jose\.ts$|\/locks\/web\.ts$/.test(module)) return undefined;
  const start = [...getModuleIds()].find((id) => shell.test(id));
  const first = new Set(start === undefined ? [] : [start]);
  for (const id of first) for (const imported of getModuleInfo(id)?.importedIds ?? []) first.add(imported);
  if (first.has(module)) return 'core';
  return /\/src\/protocol\/authorization\//.test(module) ? undefined : 'tokens';
}

/** @type {import('rollup').RollupOptions} */
export default {
  input: Object.fromEntries(entries.map(({ code, source }) => [code.replace(/^dist\/|\.js$/g, ''), source])),
  external: [...[...Object.keys(packageJson.dependencies), ...peers].map((name) => new RegExp(`^${name}(/|$)`)), /^node:/],
  treeshake: { moduleSideEffects: false },
  plugins: [esbuild({ target: 'es2022', tsconfig: 'tsconfig.json' })],
  // Not a file per module: Node takes half a millisecond for each that it loads.
  output: {
    dir: 'dist',
    format: 'es',
    sourcemap: true,
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
    hoistTransitiveImports: false,
    manualChunks,
    onlyExplicitManualChunks: true,
    // Else rollup merges the re-exports of jose, which are no code, into a chunk that everybody loads.
    experimentalMinChunkSize: 0,
  },
  // An undeclared dependency or an import cycle would break in the user's hands.
  onwarn(warning) {
    throw new Error(warning.message);
  },
};
