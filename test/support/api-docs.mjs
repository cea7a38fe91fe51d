// Writes `docs/api.md` from the emitted declarations, or with `--check` fails when the page differs from the build's.
// Signatures and docstrings are those of the sources; nothing is said twice.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';
import { entries } from './entries.mjs';

const page = 'docs/api.md';

/** @type {Record<string, string>} What the exports map cannot say. */
const purposes = {
  '.': 'Managers, grants, client authentication, ports, errors. Runs everywhere.',
  './http': 'The `fetch` that attaches tokens, and the ky instance around it.',
  './worker': 'The file of the shared worker that renews: a program, which exports nothing. See [Renewal in a shared worker](guides/shared-worker.md).',
  './server': 'Services: client credentials, tokens and HTTP client in one.',
  './react': 'A session as React sees it. See [Frameworks](guides/frameworks.md).',
  './testing': 'For your own tests. See [Testing](testing.md).',
  './storage/memory': 'The memory store alone.',
  './storage/indexed-db': 'Records and keys in IndexedDB, shared by tabs. See [Browser storage](guides/browser-storage.md).',
  './storage/web-storage': 'Records in `sessionStorage` or `localStorage`: the weak choice.',
  './storage/encrypted': 'Encryption around any store.',
  './storage/web-crypto-cipher': 'AES-GCM under a key that cannot be exported. Browsers, Node and workers.',
  './locks/local': 'The local lock alone.',
  './locks/web': 'A lock across tabs and workers (Web Locks).',
};

/** @typedef {{ name: string, kind: string, doc: string, code: string, path: string }} Declaration */

/** @type {Map<string, string>} */
const texts = new Map();
/** @param {string} path */
const textOf = (path) => {
  const text = texts.get(path) ?? readFileSync(path, 'utf8').replace(/\/\/# sourceMappingURL=.*\s*$/, '');
  texts.set(path, text);
  return text;
};

/**
 * The names that a declaration file exports from elsewhere, with where they come from.
 * @param {string} path
 */
function reExports(path) {
  return [...textOf(path).matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)';/gm)].flatMap(([, names = '', from = '']) =>
    names
      .split(',')
      .map((name) => name.trim().replace(/^type /, ''))
      .filter(Boolean)
      .map((name) => {
        if (/\sas\s/.test(name)) throw new Error(`${path}: renamed exports are not supported: ${name}`);
        return { name, from: normalize(join(dirname(path), from)).replace(/\.js$/, '.d.ts') };
      }),
  );
}

/**
 * The names that a declaration file exports: its own, and from elsewhere.
 * @param {string} path
 */
function exportsOf(path) {
  const own = [...textOf(path).matchAll(/^export (?:declare )?(?:abstract )?(?:interface|type|class|function|const) (\w+)/gm)].map(([, name = '']) => name);
  return [...new Set([...own, ...reExports(path).map(({ name }) => name)])];
}

/**
 * The end of the declaration that begins at `start`: its `;` or closing brace outside all brackets, strings and comments.
 * @param {string} text
 * @param {number} start
 */
function endOf(text, start) {
  let depth = 0;
  const tokens = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`|[{}()[\];]/g;
  const braced = /^export (?:declare )?(?:interface|class|abstract class)/.test(text.slice(start));
  tokens.lastIndex = start;
  for (let token = tokens.exec(text); token; token = tokens.exec(text)) {
    const [sign] = token;
    if (sign === '{' || sign === '(' || sign === '[') depth++;
    else if (sign === '}' || sign === ')' || sign === ']') depth--;
    const isEnd = depth === 0 && (sign === ';' || (braced && sign === '}'));
    if (isEnd) return tokens.lastIndex;
  }
  throw new Error(`a declaration without an end: ${text.slice(start, start + 60)}`);
}

/**
 * Finds the declaration of an exported name, through re-exports.
 * @param {string} name
 * @param {string} path
 * @returns {Declaration}
 */
function find(name, path) {
  const text = textOf(path);
  const pattern = new RegExp(`(/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/\\s*)?^export (?:declare )?(?:abstract )?(interface|type|class|function|const) ${name}\\b`, 'm');
  const match = pattern.exec(text);
  if (match) {
    const [, doc = '', kind = ''] = match;
    const start = match.index + doc.length;
    // Overloads follow one another.
    const overloads = kind === 'function' ? [...text.matchAll(new RegExp(`^export declare function ${name}\\b`, 'gm'))].map(({ index }) => index) : [];
    const code = (overloads.length > 0 ? overloads : [start])
      .map((at) => text.slice(at, endOf(text, at)))
      .join('\n')
      .replace(/^export (?:declare )?/gm, '')
      .replace(/^\s*(?:#private;|private .*;)\n/gm, '')
      .replaceAll('    ', '  ');
    return { name, kind, doc, code, path };
  }
  const next = reExports(path).find((entry) => entry.name === name);
  if (!next) throw new Error(`${path} does not declare ${name}`);
  return find(name, next.from);
}

/** @param {string} doc a docstring, as prose */
function prose(doc) {
  const text = doc
    .replace(/^\/\*\*|\*\/\s*$/g, '')
    .replace(/^[ \t]*\* ?/gm, '')
    .replace(/\{@link ([^}]+)\}/g, '`$1`')
    .trim();
  const [body = '', ...tags] = text.split(/^@/m);
  const rows = tags.map((tag) => {
    const [, word = '', rest = ''] = /^(\w+)\s*([\s\S]*)$/.exec(tag.trim()) ?? [];
    const said = rest.replace(/\s+/g, ' ').trim();
    if (word === 'throws') return `*Throws* ${said.replace(/^\{(\w+)\}\s*/, '`$1`: ').replace(/: $/, '')}`;
    if (word === 'default') return `*Default* ${/^[`']/.test(said) || said.includes(' ') ? said : `\`${said}\``}`;
    if (word === 'param') return `*${said.split(' ')[0]}*: ${said.split(' ').slice(1).join(' ')}`;
    return `*${word}* ${said}`;
  });
  return [body.trim(), ...rows].filter(Boolean).join('\n\n');
}

/** Values first, then types, each in the order of the alphabet. */
const order = (/** @type {Declaration} */ a, /** @type {Declaration} */ b) => rank(a) - rank(b) || (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1);
const rank = (/** @type {Declaration} */ { kind }) => (['function', 'const', 'class'].includes(kind) ? 0 : 1);

/** The page's text. */
export function apiDocs() {
  /** @type {Map<string, string>} where a declaration was written down first */
  const written = new Map();
  const lines = [
    '# API',
    '',
    '<!-- Written by test/support/api-docs.mjs from the docstrings: npm run docs:api -->',
    '',
    'Durations end in `Ms`, instants in `At` (epoch milliseconds by the local clock). Options are readonly; a wrong one throws `invalid_option` at construction. Errors: [errors.md](errors.md).',
    '',
  ];
  for (const { name: entry, specifier, types } of entries) {
    const found = exportsOf(types)
      .map((name) => find(name, types))
      .sort(order);
    lines.push(`## ${specifier}`, '', purposes[entry] ?? '', '');
    const again = found.filter(({ name, path }) => written.has(`${path} ${name}`));
    if (again.length > 0) lines.push(`Also here: ${again.map(({ name, path }) => `[\`${name}\`](#${written.get(`${path} ${name}`)})`).join(', ')}.`, '');
    for (const declaration of found) {
      const { name, path, doc, code } = declaration;
      if (again.includes(declaration)) continue;
      written.set(`${path} ${name}`, name.toLowerCase());
      lines.push(`### ${name}`, '');
      const text = prose(doc);
      if (text !== '') lines.push(text, '');
      lines.push('```mts', code, '```', '');
    }
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const now = apiDocs();
  if (process.argv.includes('--check')) {
    if (!existsSync(page) || readFileSync(page, 'utf8') !== now) {
      console.error(`${page} differs from the docstrings: npm run docs:api, and commit it`);
      process.exit(1);
    }
    console.log(`${page} is up to date`);
  } else {
    writeFileSync(page, now);
    console.log(`wrote ${page}`);
  }
}
