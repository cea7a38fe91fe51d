import { type CaseResult, type Row, ratios } from '../case-result.ts';
import { spreadOf } from '../harness/statistics.ts';
import type { RoundFigures } from '../harness/worker.ts';
import { interleaved, type Opened, type Run } from '../run.ts';

const everyone = [
  ['bare fetch', 'tokenkeep fetch'],
  ['bare ky', 'tokenkeep'],
  ['openid-client'],
  ['oauth4webapi'],
  ['google-auth-library'],
  ['badgateway'],
  ['msal-node'],
  ['simple-oauth2'],
  ['axios-auth-refresh'],
];

const columns = [
  { key: 'us', label: 'µs CPU per call', digits: 1 },
  { key: 'times', label: '× bare fetch', digits: 3 },
  { key: 'ky', label: '× bare ky', digits: 3 },
];

function rowsOf(figures: ReadonlyMap<string, readonly number[]>): Row[] {
  return [...figures].map(([name, ns]) => ({
    name,
    cells: { us: spreadOf(ns.map((each) => each / 1000)), times: ratios(figures, name, 'bare fetch'), ky: ratios(figures, name, 'bare ky') },
  }));
}

/** An authorized GET over loopback HTTP: CPU time of the client's process. */
export async function call(run: Run): Promise<CaseResult> {
  const plan = run.isQuick ? { epochs: 1, rounds: 4 } : { epochs: 3, rounds: 32 };
  const round = async (contestant: Opened, isWarmUp: boolean): Promise<number> => {
    const calls = run.isQuick ? 60 : isWarmUp ? 1_500 : 80;
    const { cpuNs } = await contestant.ask<RoundFigures>({ do: 'callRound', calls, atOnce: 10, url: `${contestant.origin}/things/1` });
    return cpuNs;
  };
  const rows = rowsOf(await interleaved(run, everyone, { ...plan, open: {} }, round));
  // A ratio so near to 1 wants more rounds than the table, and more processes: each compiles and lies in memory a little differently.
  const duel = { ...(run.isQuick ? { epochs: 1, rounds: 2 } : { epochs: 8, rounds: 48 }), open: {} };
  const overKy = ratios(await interleaved(run, [['bare ky', 'tokenkeep']], duel, round), 'tokenkeep', 'bare ky');
  return {
    id: 'call',
    title: 'An authorized call',
    how: 'GET with the token, ten at a time, against a server in another process on this machine; the body is read. CPU time of the client process. The bare ones send a fixed header. Peers that have no way of their own to send a call use `fetch`, as their documentation does.',
    columns,
    rows,
    targets: [{ what: 'call through `createHttpClient`, CPU time over bare ky with a fixed header', value: overKy.median, limit: 1.05, digits: 3 }],
    ranked: 'us',
    notes: [
      `tokenkeep and bare ky by themselves, ${duel.epochs * duel.rounds} rounds in ${duel.epochs} pairs of processes: ${overKy.median.toFixed(3)} × (${overKy.q1.toFixed(3)} to ${overKy.q3.toFixed(3)}). This is the figure of the goal; of the table's own ratio the last digits are noise.`,
    ],
  };
}

/** The same without a network: what is left is the library. */
export async function ownShare(run: Run): Promise<CaseResult> {
  const plan = run.isQuick ? { epochs: 1, rounds: 4 } : { epochs: 3, rounds: 20 };
  const groups = everyone.filter(([name]) => name !== 'msal-node' && name !== 'simple-oauth2');
  const figures = await interleaved(run, groups, { ...plan, open: { inProcess: { spreadMs: 0, tokens: false } } }, async (contestant, isWarmUp) => {
    const calls = run.isQuick ? 200 : isWarmUp ? 8_000 : 500;
    const { cpuNs } = await contestant.ask<RoundFigures>({ do: 'callRound', calls, atOnce: 1, url: 'https://api.test/things/1' });
    return cpuNs;
  });
  const rows = rowsOf(figures);
  return {
    id: 'own-share',
    title: "The library's own share of a call",
    how: 'The same calls, but `fetch` is a function in the process that answers at once: no network, so that differences which the network hides are seen.',
    columns,
    rows,
    targets: [],
    ranked: 'us',
    notes: ['axios-auth-refresh and google-auth-library are given the `fetch` here that is their option, not their default.'],
  };
}
