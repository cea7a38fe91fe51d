import { type CaseResult, figure, ratios, type Row } from '../case-result.ts';
import type { RoundFigures } from '../harness/worker.ts';
import { spreadOf } from '../harness/statistics.ts';
import { interleaved, openContestant, type Run } from '../run.ts';

const names = ['bare fetch', 'tokenkeep', 'google-auth-library', 'badgateway', 'msal-node'];
const roundMs = 25;

/** `await getToken()` while a token is at hand: time and garbage. */
export async function cached(run: Run): Promise<CaseResult> {
  const plan = run.isQuick ? { epochs: 1, rounds: 5 } : { epochs: 3, rounds: 25 };
  const calls = new Map<string, number>();
  const figures = await interleaved(
    run,
    [['bare fetch', 'tokenkeep', 'google-auth-library', 'badgateway'], ['msal-node']],
    { ...plan, open: {} },
    async (contestant, isWarmUp) => {
      if (isWarmUp) {
        await contestant.ask({ do: 'getTokenRound', calls: 20_000 });
        const { cpuNs } = await contestant.ask<RoundFigures>({ do: 'getTokenRound', calls: 20_000 });
        if (!calls.has(contestant.name)) calls.set(contestant.name, Math.ceil((roundMs * 1e6) / cpuNs));
      }
      return (await contestant.ask<RoundFigures>({ do: 'getTokenRound', calls: calls.get(contestant.name) ?? 1_000 })).cpuNs;
    },
  );
  const rows: Row[] = [];
  for (const name of names) {
    const contestant = await openContestant(run, name, { nodeOptions: ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128'] });
    const bytes = await contestant.ask<number>({ do: 'bytes', calls: 5_000 });
    contestant.end();
    rows.push({
      name: name === 'bare fetch' ? 'bare async function' : name,
      cells: { ns: spreadOf(figures.get(name) ?? []), times: ratios(figures, name, 'bare fetch'), bytes },
    });
  }
  const nearest = Math.min(...['google-auth-library', 'badgateway', 'msal-node'].map((name) => figure(rows, name, 'ns')));
  return {
    id: 'cached',
    title: 'A token that is at hand',
    how: '`await getToken()` in a loop, with a token that lives an hour. The bare async function returns a stored object and looks at no clock. CPU time of the whole process, garbage collection included.',
    columns: [
      { key: 'ns', label: 'ns per call', digits: 0 },
      { key: 'times', label: '× bare', digits: 2 },
      { key: 'bytes', label: 'heap bytes per call', digits: 0 },
    ],
    rows,
    targets: [
      { what: 'cached `getToken()`, times a bare async function', value: figure(rows, 'tokenkeep', 'times'), limit: 3, digits: 2 },
      { what: 'cached `getToken()`, over the fastest peer that caches by itself', value: figure(rows, 'tokenkeep', 'ns') / nearest, limit: 1, digits: 2 },
    ],
    ranked: 'ns',
    notes: [],
  };
}
