import esbuild from 'rollup-plugin-esbuild';
import { entries, packageJson } from './test/support/entries.mjs';

/**
 * What every service loads, in two files: small ones cost more to find than to read. What is loaded on demand stays by itself.
 * @param {string} module
 */
function manualChunks(module) {
  if (/\/src\/(manager\/|protocol\/(?!authorization\/)|core\/access-token\.)/.test(module) && !module.endsWith('/jose.ts')) return 'tokens';
  if (/\/src\/(core\/|locks\/local\.|storage\/memory\.)/.test(module)) return 'core';
  return undefined;
}

/** @type {import('rollup').RollupOptions} */
export default {
  input: Object.fromEntries(entries.map(({ code, source }) => [code.replace(/^dist\/|\.js$/g, ''), source])),
  external: [...Object.keys(packageJson.dependencies).map((name) => new RegExp(`^${name}(/|$)`)), /^node:/],
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
