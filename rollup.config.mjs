import esbuild from 'rollup-plugin-esbuild';
import { entries, packageJson } from './test/support/entries.mjs';

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
  },
  // An undeclared dependency or an import cycle would break in the user's hands.
  onwarn(warning) {
    throw new Error(warning.message);
  },
};
