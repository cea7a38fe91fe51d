// Writes the public API to `etc/api.txt`, or with `--check` fails when it differs from the build's.
// The API is what the emitted declarations say that can be reached from the exports map.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';
import { entries } from './entries.mjs';

const report = 'etc/api.txt';

/** @param {string} source a declaration file's text */
const withoutComments = (source) =>
  source.replace(/("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|\/\/\/ <reference[^\n]*|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (match, text) =>
    text !== undefined || match.startsWith('/// ') ? match : '',
  );

/** The report's text. */
export function apiReport() {
  /** @type {Map<string, string>} */
  const files = new Map();
  /** @param {string} path */
  const visit = (path) => {
    if (files.has(path)) return;
    const text = withoutComments(readFileSync(path, 'utf8'));
    files.set(
      path,
      text
        .replace(/[ \t]+$/gm, '')
        .replace(/\n\s*\n/g, '\n')
        .trim(),
    );
    for (const [, specifier] of text.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)) {
      if (specifier) visit(normalize(join(dirname(path), specifier)).replace(/\.js$/, '.d.ts'));
    }
  };
  for (const entry of entries) visit(entry.types);
  const list = entries.map((entry) => `${entry.specifier} -> ${entry.types}`).join('\n');
  const bodies = [...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, text]) => `// ${path}\n${text}`);
  return `${[list, ...bodies].join('\n\n')}\n`;
}

/** Lines of `after` that `before` lacks, and the other way round. */
function difference(/** @type {string} */ before, /** @type {string} */ after) {
  const [old, now] = [before.split('\n'), after.split('\n')];
  return [...old.filter((line) => !now.includes(line)).map((line) => `- ${line}`), ...now.filter((line) => !old.includes(line)).map((line) => `+ ${line}`)];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const now = apiReport();
  if (process.argv.includes('--check')) {
    const before = readFileSync(report, 'utf8');
    if (before !== now) {
      console.error([`The public API differs from ${report}. If that is meant: npm run api, and commit it.`, ...difference(before, now)].join('\n'));
      process.exit(1);
    }
    console.log(`${report} is up to date`);
  } else {
    mkdirSync(dirname(report), { recursive: true });
    writeFileSync(report, now);
    console.log(`wrote ${report}`);
  }
}
