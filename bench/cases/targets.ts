import { type CaseResult, type Cell, figure, type Row } from '../case-result.ts';
import type { HoldFigures } from '../harness/worker.ts';
import { openContestant, type Run } from '../run.ts';

// How many each is asked to hold: msal-node looks through all entries at each call, simple-oauth2 opens a connection for each.
const counts: Readonly<Record<string, number>> = {
  'bare fetch': 50_000,
  tokenkeep: 50_000,
  'openid-client': 5_000,
  oauth4webapi: 5_000,
  'google-auth-library': 5_000,
  badgateway: 50_000,
  'msal-node': 500,
  'simple-oauth2': 2_000,
};

/** One process, a token for each of many APIs or customers. */
export async function targets(run: Run): Promise<CaseResult> {
  const rows: Row[] = [];
  for (const [name, full] of Object.entries(counts)) {
    const count = run.isQuick ? Math.min(full, 500) : full;
    const inProcess = name === 'msal-node' || name === 'simple-oauth2' || name === 'google-auth-library' ? undefined : { spreadMs: 0, tokens: true };
    const contestant = await openContestant(run, name, { inProcess, nodeOptions: ['--expose-gc'] });
    const { bytesPerTarget, timers } = await contestant.ask<HoldFigures>({ do: 'hold', count });
    contestant.end();
    const cells: Record<string, Cell> = { count, bytes: bytesPerTarget, timers };
    rows.push({ name: name === 'bare fetch' ? 'a Map, by hand' : name, cells });
  }
  return {
    id: 'targets',
    title: 'Many targets',
    how: 'Heap that each further target costs, beside the text of its access token (882 characters), and timers that are pending afterwards. tokenkeep: `manager.for({ audience })` with `maxTargets`; badgateway and google-auth-library: an object per target; the others: a `Map` of what they return.',
    columns: [
      { key: 'count', label: 'targets', digits: 0 },
      { key: 'bytes', label: 'heap bytes per target', digits: 0 },
      { key: 'timers', label: 'timers', digits: 0 },
    ],
    rows,
    targets: [
      { what: 'heap bytes per target beside the token, at 50,000 targets', value: figure(rows, 'tokenkeep', 'bytes'), limit: 700, digits: 0 },
      { what: 'timers at 50,000 targets', value: figure(rows, 'tokenkeep', 'timers'), limit: 0, digits: 0 },
    ],
    ranked: 'bytes',
    notes: [],
  };
}
