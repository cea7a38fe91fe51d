import { type CaseResult, type Cell, type Column, figure, isMet, type Row } from './case-result.ts';

/** The run as a whole, as it goes into the JSON. */
export interface BenchReport {
  readonly at: string;
  readonly machine: string;
  readonly node: string;
  readonly seed: number;
  readonly tookS: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly cases: readonly CaseResult[];
}

const begin = '<!-- Figures: `npm run bench` writes what is between these lines. -->';
const end = '<!-- End of the figures. -->';
// What nobody would use as it is: shown, but no contestant.
const floors = /^(?:bare |a Map|empty process|tokenkeep)/;

/** Puts the figures into the page; what is written by hand around them stays. */
export function writeInto(page: string, report: BenchReport): string {
  const [before, after] = [page.indexOf(begin), page.indexOf(end)];
  if (before < 0 || after < before) throw new Error('docs/benchmarks.md has lost the lines that mark where the figures go');
  return `${page.slice(0, before + begin.length)}\n\n${figuresOf(report)}\n\n${page.slice(after)}`;
}

function figuresOf({ at, machine, node, seed, versions, cases }: BenchReport): string {
  const measured = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `Measured ${at.slice(0, 10)} on ${machine}, Node ${node}, seed ${seed}.\n\n${measured.join(', ')}.`,
    '## Goals',
    table(
      ['', 'at most', 'measured', ''],
      cases
        .flatMap(({ targets }) => targets)
        .map((target) => [target.what, number(target.limit, target.digits), number(target.value, target.digits), isMet(target) ? 'met' : '**missed**']),
    ),
    ...cases.map(sectionOf),
    '## Who is ahead of us',
    losses(cases),
  ].join('\n\n');
}

function sectionOf(result: CaseResult): string {
  const { title, how, notes } = result;
  return [`## ${title}`, how, tableOf(result), ...notes].join('\n\n');
}

/** A case as a table, the best first. */
export function tableOf({ columns, rows, ranked }: CaseResult): string {
  const sorted = rows.toSorted((a, b) => figure([a], a.name, ranked) - figure([b], b.name, ranked));
  return table(
    ['', ...columns.map(({ label }) => label)],
    sorted.map((row) => [row.name.startsWith('tokenkeep') ? `**${row.name}**` : row.name, ...columns.map((column) => text(row.cells[column.key], column))]),
  );
}

function losses(cases: readonly CaseResult[]): string {
  const lines = cases.flatMap(({ title, rows, ranked, columns }) => {
    const ours = figure(rows, 'tokenkeep', ranked);
    const label = columns.find(({ key }) => key === ranked)?.label ?? ranked;
    const ahead = rows
      .filter((row) => !floors.test(row.name) && figure([row], row.name, ranked) < ours)
      .toSorted((a, b) => figure([a], a.name, ranked) - figure([b], b.name, ranked));
    return ahead.length === 0 ? [] : [`* ${title}, ${label}: ${ahead.map((row) => `${row.name} ${times(row, ranked, ours)}`).join(', ')}.`];
  });
  return lines.length === 0 ? 'Nobody, in this run.' : `Their figure over that of tokenkeep, from the same run; why is told below.\n\n${lines.join('\n')}`;
}

function times(row: Row, ranked: string, ours: number): string {
  return `${number(figure([row], row.name, ranked) / ours, 2)} ×`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map((_, column) => (column === 0 ? '---' : '---:')).join('|')}|`, ...rows.map(line)].join('\n');
}

function text(cell: Cell | undefined, { digits }: Column): string {
  if (cell === undefined) return '–';
  if (typeof cell === 'string') return cell;
  if (typeof cell === 'number') return number(cell, digits);
  const [median, low, high] = [cell.median, cell.q1, cell.q3].map((each) => number(each, digits));
  return low === high ? String(median) : `${median} (${low} to ${high})`;
}

function number(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }) : '–';
}
