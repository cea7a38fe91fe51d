import esbuild from 'rollup-plugin-esbuild';
import pkg from './package.json' with { type: 'json' };

// The exports map is the single list of entries: `./dist/http.js` is built from `src/http.ts`.
const input = Object.values(pkg.exports)
  .filter((target) => target.default)
  .map((target) => target.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts'));

const external = [...Object.keys({ ...pkg.dependencies, ...pkg.peerDependencies }).map((name) => new RegExp(`^${name}(/|$)`)), /^node:/];

export default {
  input,
  external,
  treeshake: { moduleSideEffects: false },
  plugins: [esbuild({ target: 'es2022', tsconfig: 'tsconfig.json' })],
  output: { dir: 'dist', format: 'es', sourcemap: true, preserveModules: true, preserveModulesRoot: 'src', entryFileNames: '[name].js' },
  // A dependency that is not declared would be left as a bare import and break in the user's hands.
  onwarn(warning) {
    throw new Error(warning.message);
  },
};
