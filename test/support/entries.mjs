import { readFileSync } from 'node:fs';

/** The project's root, as a URL that ends in a slash. */
export const root = new URL('../../', import.meta.url);

/** @type {{ name: string, version: string, exports: Record<string, string | { types: string, default: string }>, dependencies: Record<string, string>, peerDependencies: Record<string, string>, scripts: Record<string, string> }} */
export const packageJson = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));

/** Packages that users bring themselves. */
export const peers = Object.keys(packageJson.peerDependencies);

/**
 * The entry points, from the exports map, which is the only list of them: `.` has the specifier `tokenkeep`,
 * the code `dist/index.js`, the types `dist/index.d.ts` and the source `src/index.ts`. All paths are relative to the root.
 */
export const entries = Object.entries(packageJson.exports).flatMap(([name, target]) => {
  if (typeof target === 'string') return [];
  const code = target.default.replace('./', '');
  return [
    {
      name,
      specifier: packageJson.name + name.slice(1),
      code,
      types: target.types.replace('./', ''),
      source: code.replace('dist/', 'src/').replace(/\.js$/, '.ts'),
    },
  ];
});
