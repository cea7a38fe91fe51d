import esbuild from 'rollup-plugin-esbuild';
import { entries, packageJson } from './test/support/entries.mjs';

/** @type {import('rollup').RollupOptions} */
export default {
  input: entries.map((entry) => entry.source),
  external: [...Object.keys(packageJson.dependencies).map((name) => new RegExp(`^${name}(/|$)`)), /^node:/],
  treeshake: { moduleSideEffects: false },
  plugins: [esbuild({ target: 'es2022', tsconfig: 'tsconfig.json' })],
  output: { dir: 'dist', format: 'es', sourcemap: true, preserveModules: true, preserveModulesRoot: 'src', entryFileNames: '[name].js' },
  // An undeclared dependency or an import cycle would break in the user's hands.
  onwarn(warning) {
    throw new Error(warning.message);
  },
};
