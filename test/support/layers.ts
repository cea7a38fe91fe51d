import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';

/** What a folder of `src` may import: folders below it, and packages. `CONTRIBUTING.md` shows the same table. */
export interface Layer {
  readonly folders: readonly string[];
  readonly packages: readonly string[];
}

const below = ['core', 'protocol', 'manager', 'locks', 'storage', 'http'];

/** The layers, lowest first. `.` stands for the entry points, `src/*.ts`. */
export const layers: Readonly<Record<string, Layer>> = {
  core: { folders: [], packages: ['jose'] },
  protocol: { folders: ['core'], packages: ['jose'] },
  manager: { folders: ['core'], packages: [] },
  locks: { folders: ['core'], packages: [] },
  storage: { folders: ['core', 'locks'], packages: ['jose', 'idb-keyval'] },
  http: { folders: ['core'], packages: ['ky'] },
  browser: { folders: below, packages: ['jose'] },
  server: { folders: below, packages: ['jose', 'p-queue'] },
  webview: { folders: below, packages: ['jose'] },
  react: { folders: ['core', 'browser'], packages: ['react'] },
  testing: { folders: ['core', 'protocol', 'manager', 'locks', 'storage'], packages: ['jose'] },
  '.': { folders: [...below, 'browser', 'server', 'webview', 'react', 'testing'], packages: [] },
};

const kyFile = 'src/http/create-http-client.ts';
const timeFiles = ['src/core/system-clock.ts', 'src/testing/virtual-clock.ts'];
// Files that are entry points and nothing else: they re-export.
const isEntry = (path: string): boolean => /^src\/[^/]+\.ts$/.test(path) || path === 'src/testing/index.ts';

const realTime = /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.(?:now|timeOrigin)\b|\b(?:setTimeout|setInterval|setImmediate|requestIdleCallback)\b/;
const oneRuntime = /\b(?:Buffer|process|window|document|localStorage|sessionStorage|__dirname)\b\s*[.([]/;
const foreignRandom = /\bMath\.random\b|\bcrypto\.randomUUID\b/;
const blankTypes = /\bas (?:any|unknown as|never)\b|: any\b|<any>|@ts-(?:ignore|expect-error|nocheck)|biome-ignore/;

/** Comments and the text of strings blanked out; line numbers stay. `import` paths stay too. */
function codeOnly(source: string): string {
  return source.replace(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (match) =>
    match.startsWith('/') ? match.replace(/[^\n]/g, ' ') : match,
  );
}

/** All specifiers that a source imports or re-exports, dynamic and type imports included. */
export function importsOf(source: string): string[] {
  const code = codeOnly(source);
  const patterns = [/\b(?:import|export)\b[^;'"]*?\bfrom\s*['"]([^'"]+)['"]/g, /\bimport\s*['"]([^'"]+)['"]/g, /\bimport\s*\(\s*['"]([^'"]+)['"]/g];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map(([, specifier]) => specifier ?? ''));
}

const folderOf = (path: string): string => /^src\/([^/]+)\//.exec(path)?.[1] ?? '.';
const withoutStrings = (code: string): string => code.replace(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g, "''");

function importViolation(path: string, specifier: string): string | undefined {
  const folder = folderOf(path);
  const layer = layers[folder];
  if (!layer) return `${path}: the folder ${folder} is not in the layer table`;
  if (specifier.startsWith('.')) {
    const target = folderOf(normalize(join(dirname(path), specifier)));
    if (!specifier.endsWith('.js')) return `${path} imports ${specifier}: relative imports end in .js`;
    if (target === '.') return `${path} imports ${specifier}: nothing imports an entry point`;
    return target === folder || layer.folders.includes(target) ? undefined : `${path} imports ${specifier}: ${folder} may not import ${target}`;
  }
  if (specifier === 'ky' && path !== kyFile) return `${path} imports ky: only ${kyFile} may`;
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  return layer.packages.includes(name) ? undefined : `${path} imports ${specifier}: ${folder} may not`;
}

/** Everything in one source that the project's structure forbids, one line each. `path` is relative to the root, as in `src/core/clock.ts`. */
export function violations(path: string, source: string): string[] {
  const found = importsOf(source).flatMap((specifier) => importViolation(path, specifier) ?? []);
  const lines = source.trimEnd().split('\n').length;
  if (lines > 250) found.push(`${path} has ${lines} lines: at most 250, one concept each`);
  const code = withoutStrings(codeOnly(source));
  if (realTime.test(code) && !timeFiles.includes(path)) found.push(`${path} reads or waits for real time: use Clock`);
  if (oneRuntime.test(code) && !path.startsWith('src/browser/')) found.push(`${path} uses a global of one runtime`);
  if (foreignRandom.test(code)) found.push(`${path} has a source of randomness of its own: use core/random.ts`);
  if (blankTypes.test(code) || /@ts-(?:ignore|expect-error|nocheck)|biome-ignore/.test(source)) found.push(`${path} gives up a check`);
  if (/\bexport default\b/.test(code)) found.push(`${path} has a default export`);
  if (/\/(?:utils?|helpers?|common|misc)\.ts$/.test(path)) found.push(`${path} is named after nothing`);
  if (isEntry(path) && withoutReexports(code).trim() !== '') found.push(`${path} is an entry point: re-exports only`);
  return found;
}

const withoutReexports = (code: string): string => code.replace(/export\s+(?:type\s+)?(?:\{[^}]*\}|\*(?:\s+as\s+\w+)?)\s+from\s+'';?/g, '');

/** All violations in these files. */
export function violationsIn(paths: readonly string[]): string[] {
  return paths.flatMap((path) => violations(path, readFileSync(path, 'utf8')));
}
