// Lists every rule with its passing tests: `npm run rules [-- <path of the standards page>]`.
// The standards page lies beside the project, not in it; without it only the IDs that tests carry are known.
// A test carries IDs in brackets in its name: `[P16]`, `[R2, X4]`, `[peer P1]`, `[complaint 6]`, `[gap 1]`.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { resultsFile } from './count-reporter.mjs';

const page = process.argv[2] ?? '../shared/standards.md';
const one = String.raw`(?:[A-Z]\d+|peer P\d+|complaint \d+|gap \d+)`;
const bracket = new RegExp(String.raw`\[(${one}(?:(?:,| and| )\s*${one})*)\]`, 'g');

/** @param {string} text */
const idsIn = (text) => [...text.matchAll(bracket)].flatMap(([, list]) => list?.match(new RegExp(one, 'g')) ?? []);

/** @typedef {{ mark: string, passed: string[], failed: string[] }} Rule */
/** @type {Map<string, Rule>} */
const rules = new Map();
/** @param {string} id */
const rule = (id) => {
  const found = rules.get(id) ?? { mark: '', passed: [], failed: [] };
  rules.set(id, found);
  return found;
};

if (existsSync(page)) {
  for (const [, id, mark] of readFileSync(page, 'utf8').matchAll(/^\s*- \*\*([A-Z]\d+)\*\*(?:\s+\[(later|doc)\])?/gm)) {
    if (id) rule(id).mark = mark ?? '';
  }
} else {
  console.log(`${page} is not there: only rules that a test names are listed, and none can be seen to lack one.`);
}

if (!existsSync(resultsFile)) {
  console.error('No results yet: npm test first.');
  process.exit(1);
}
/** @type {Record<string, { name: string, state: string }[]>} */
const results = JSON.parse(readFileSync(resultsFile, 'utf8'));
for (const [module, tests] of Object.entries(results)) {
  if (!existsSync(module)) continue;
  for (const { name, state } of tests) for (const id of new Set(idsIn(name))) rule(id)[state === 'passed' ? 'passed' : 'failed'].push(`${module}: ${name}`);
}

// Type tests have no names; a comment above the lines carries the ID, and one test compiles them all.
const typesPass = Object.entries(results).some(([module, tests]) => module === 'test/package/types.test.ts' && tests.every((test) => test.state === 'passed'));
for (const file of globSync('test/types/**/*.test-d.ts')) {
  for (const [comment] of readFileSync(file, 'utf8').matchAll(/^\s*\/\/.*$/gm)) {
    for (const id of new Set(idsIn(comment))) rule(id)[typesPass ? 'passed' : 'failed'].push(`${file}: ${comment.trim()}`);
  }
}

/** @param {string} id */
const order = (id) => id.replace(/\d+/, (digits) => digits.padStart(4, '0'));
const sorted = [...rules].sort(([a], [b]) => (order(a) < order(b) ? -1 : 1));
/** @type {Record<string, string[]>} */
const without = { '': [], later: [], doc: [] };
for (const [id, { mark, passed, failed }] of sorted) {
  if (passed.length + failed.length === 0) {
    without[mark]?.push(id);
    continue;
  }
  console.log(`${id}${mark ? ` [${mark}]` : ''}`);
  for (const test of passed) console.log(`  pass  ${test}`);
  for (const test of failed) console.log(`  FAIL  ${test}`);
}
const withTest = sorted.filter(([, { passed, failed }]) => passed.length > 0 && failed.length === 0);
const broken = sorted.filter(([, { failed }]) => failed.length > 0).map(([id]) => id);
console.log(`\nwithout a test yet (${without['']?.length}): ${without['']?.join(' ')}`);
console.log(`[later] (${without['later']?.length}): ${without['later']?.join(' ')}`);
console.log(`[doc] (${without['doc']?.length}): ${without['doc']?.join(' ')}`);
console.log(`with failing or skipped tests (${broken.length}): ${broken.join(' ')}`);
console.log(`with passing tests: ${withTest.length}`);
if (broken.length) process.exitCode = 1;
