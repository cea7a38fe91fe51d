import { type CaseResult, figure, type Row } from '../case-result.ts';
import { spreadOf } from '../harness/statistics.ts';
import { shuffled } from '../harness/random.ts';
import type { StampedeFigures } from '../harness/worker.ts';
import { openContestant, type Run } from '../run.ts';

const names = ['tokenkeep', 'google-auth-library', 'badgateway', 'msal-node', 'openid-client', 'oauth4webapi', 'simple-oauth2'];
const tokenDelayMs = 50;
const longMs = 2_000;

/** Everyone asks at once, and there is no token yet. */
export async function stampede(run: Run): Promise<CaseResult> {
  const callers = run.isQuick ? 300 : 10_000;
  const figures = new Map(names.map((name) => [name, { requests: [] as number[], ms: [] as number[], failed: [] as number[] }]));
  for (let round = 0; round < (run.isQuick ? 1 : 3); round++) {
    for (const name of shuffled(names, run.random)) {
      const seen = figures.get(name);
      // Ten thousand requests are ten thousand requests the next time as well.
      if (seen?.ms.some((ms) => ms > longMs)) continue;
      const contestant = await openContestant(run, name, { tokenDelayMs });
      const { ms, failed } = await contestant.ask<StampedeFigures>({ do: 'stampede', callers });
      const { tokenRequests } = await contestant.seen();
      contestant.end();
      seen?.requests.push(tokenRequests);
      seen?.ms.push(ms);
      seen?.failed.push(failed);
    }
  }
  const rows: Row[] = [...figures].map(([name, { requests, ms, failed }]) => ({
    name,
    cells: { requests: spreadOf(requests), ms: spreadOf(ms), failed: spreadOf(failed) },
  }));
  return {
    id: 'stampede',
    title: `${callers.toLocaleString('en')} callers on a cold cache`,
    how: `${callers.toLocaleString('en')} \`getToken()\` at once in a process that has none; the token endpoint answers after ${tokenDelayMs} ms. Each round in a new process; three rounds, but one where it takes longer than ${longMs / 1000} s.`,
    columns: [
      { key: 'requests', label: 'token requests', digits: 0 },
      { key: 'failed', label: 'callers without a token', digits: 0 },
      { key: 'ms', label: 'ms until the last one has it', digits: 0 },
    ],
    rows,
    targets: [
      { what: `token requests for ${callers.toLocaleString('en')} callers on a cold cache`, value: figure(rows, 'tokenkeep', 'requests'), limit: 1, digits: 0 },
    ],
    ranked: 'ms',
    notes: [],
  };
}
