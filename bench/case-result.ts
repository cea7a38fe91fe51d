import { type Spread, spreadOf } from './harness/statistics.ts';

/** A figure of a table: with its spread, counted, or a word where there is none. */
export type Cell = Spread | number | string;

export interface Column {
  readonly key: string;
  readonly label: string;
  readonly digits: number;
}

export interface Row {
  readonly name: string;
  readonly cells: Readonly<Record<string, Cell>>;
}

/** A goal of the project, and whether this run met it. */
export interface Target {
  readonly what: string;
  readonly value: number;
  /** The largest value that is good enough. */
  readonly limit: number;
  readonly digits: number;
}

export interface CaseResult {
  readonly id: string;
  readonly title: string;
  /** One paragraph: what was done. */
  readonly how: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly targets: readonly Target[];
  /** The column in which less is better, for the list of losses. */
  readonly ranked: string;
  readonly notes: readonly string[];
}

export const isMet = ({ value, limit }: Target): boolean => value <= limit;

/** The row's figure in a column; not a number where it has none. */
export function figure(rows: readonly Row[], name: string, key: string): number {
  const cell = rows.find((row) => row.name === name)?.cells[key];
  if (typeof cell === 'number') return cell;
  return typeof cell === 'object' ? cell.median : Number.NaN;
}

/** Figure by figure over those of the same round: what slowed one of them down slowed the other as well. */
export function ratios(figures: ReadonlyMap<string, readonly number[]>, name: string, to: string): Spread {
  const base = figures.get(to) ?? [];
  return spreadOf((figures.get(name) ?? []).map((each, round) => each / (base[round] ?? Number.NaN)));
}
