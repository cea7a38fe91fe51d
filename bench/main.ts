// `npm run bench`: tokenkeep as it is published (dist) against its peers, in one run. See docs/benchmarks.md.
import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cached } from './cases/cached.ts';
import { call, ownShare } from './cases/call.ts';
import { coldStart } from './cases/cold-start.ts';
import { expiry } from './cases/expiry.ts';
import { sizes } from './cases/sizes.ts';
import { stampede } from './cases/stampede.ts';
import { stores } from './cases/stores.ts';
import { storm } from './cases/storm.ts';
import { targets } from './cases/targets.ts';
import { type CaseResult, isMet } from './case-result.ts';
import { startChild } from './harness/child.ts';
import { seeded } from './harness/random.ts';
import { type BenchReport, tableOf, writeInto } from './report.ts';
import type { Run } from './run.ts';

const cases: Readonly<Record<string, (run: Run) => Promise<CaseResult>>> = {
  cached,
  call,
  'own-share': ownShare,
  stampede,
  expiry,
  storm,
  targets,
  stores,
  'cold-start': coldStart,
  sizes,
};
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const page = here('../docs/benchmarks.md');

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, seed: { type: 'string' }, only: { type: 'string', multiple: true } },
});
const unknown = values.only?.filter((id) => cases[id] === undefined) ?? [];
if (unknown.length > 0) {
  console.error(`usage: npm run bench -- [--quick] [--seed <number>] [--only <${Object.keys(cases).join('|')}>]...`);
  process.exit(2);
}
installPeers();
await bench(values.quick, Number(values.seed ?? randomInt(2 ** 31)), values.only);

async function bench(isQuick: boolean, seed: number, only: readonly string[] | undefined): Promise<void> {
  const start = performance.now();
  const server = startChild('./server.ts');
  const run: Run = { isQuick, random: seeded(seed), server };
  const results: CaseResult[] = [];
  const failures: string[] = [];
  for (const [id, measure] of Object.entries(cases)) {
    if (only !== undefined && !only.includes(id)) continue;
    const began = performance.now();
    try {
      const result = await measure(run);
      results.push(result);
      console.log(`\n${result.title} (${((performance.now() - began) / 1000).toFixed(0)} s)\n\n${tableOf(result)}`);
    } catch (error) {
      failures.push(id);
      console.error(`\n${id} FAILED: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  server.end();
  const tookS = Math.round((performance.now() - start) / 1000);
  const report: BenchReport = {
    at: new Date().toISOString(),
    machine: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    node: process.versions.node,
    seed,
    tookS,
    versions: versions(),
    cases: results,
  };
  mkdirSync(here('./results'), { recursive: true });
  const isWhole = !isQuick && only === undefined && failures.length === 0;
  const json = isWhole ? './results/latest.json' : './results/partial.json';
  writeFileSync(here(json), `${JSON.stringify(report, undefined, 2)}\n`);
  // What a smoke run measures is nobody's figure.
  if (isWhole) writeFileSync(page, writeInto(readFileSync(page, 'utf8'), report));
  console.log(`\n${tookS} s, seed ${seed}; bench/${json.slice(2)}${isWhole ? ' and docs/benchmarks.md' : ''} written`);
  if (!isQuick)
    for (const target of results.flatMap(({ targets }) => targets))
      console.log(`${isMet(target) ? 'met   ' : 'MISSED'} ${target.what}: ${target.value.toFixed(target.digits)}, at most ${target.limit}`);
  if (failures.length > 0) process.exitCode = 1;
}

// The peers have a lock of their own, so that nobody who only builds or tests tokenkeep downloads them.
function installPeers(): void {
  const installed = here('./peers/node_modules/.package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(here('./peers/package-lock.json')).mtimeMs) return;
  console.log('installing the peers into bench/peers');
  execFileSync('npm', ['ci', '--prefix', here('./peers'), '--ignore-scripts', '--loglevel=error'], { stdio: 'inherit', shell: process.platform === 'win32' });
}

function versions(): Record<string, string> {
  const read = (path: string): { version?: string; dependencies?: Record<string, string> } => JSON.parse(readFileSync(here(path), 'utf8'));
  return {
    tokenkeep: read('../package.json').version ?? '',
    ky: read('../node_modules/ky/package.json').version ?? '',
    ...read('./peers/package.json').dependencies,
  };
}
