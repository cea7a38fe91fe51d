import { type CaseResult, figure, type Row } from '../case-result.ts';
import type { LoadFigures } from '../harness/worker.ts';
import { openContestant, type Run } from '../run.ts';

const names = [
  'bare fetch',
  'tokenkeep',
  'tokenkeep fetch',
  'openid-client',
  'oauth4webapi',
  'google-auth-library',
  'badgateway',
  'msal-node',
  'simple-oauth2',
  'axios-auth-refresh',
];
const lifetimeS = 4;
const tokenDelayMs = 400;
const everyMs = 20;

/** Tokens end while calls come in at a fixed rate. Counts, not times: all contestants run at once. */
export async function expiry(run: Run): Promise<CaseResult> {
  const forMs = run.isQuick ? 5_000 : 17_000;
  const rows: Row[] = await Promise.all(
    names.map(async (name) => {
      const contestant = await openContestant(run, name, { lifetimeS: name === 'bare fetch' ? 3_600 : lifetimeS, tokenDelayMs });
      const url = `${contestant.origin}/things/1`;
      // The first token is everyone's to wait for.
      await contestant.ask({ do: 'callRound', calls: 1, atOnce: 1, url });
      const before = await contestant.seen();
      const { calls, waits, failed } = await contestant.ask<LoadFigures>({ do: 'openLoad', url, everyMs, forMs, waitMs: tokenDelayMs / 2 });
      const after = await contestant.seen();
      contestant.end();
      return {
        name: name === 'bare fetch' ? 'bare fetch, one long-lived token' : name,
        cells: { calls, waits, refused: after.refused - before.refused, failed, requests: after.tokenRequests - before.tokenRequests },
      };
    }),
  );
  return {
    id: 'expiry',
    title: 'Expiry under load',
    how: `Tokens live ${lifetimeS} s, the token endpoint takes ${tokenDelayMs} ms, and a call is due every ${everyMs} ms for ${forMs / 1000} s, whether or not those before it came back. A call waited when it took ${tokenDelayMs / 2} ms or more; the API answers at once. Where the application sets the margin before expiry it is half of the lifetime, as with tokenkeep. The bare one is the control: where its calls waited or failed, the machine was too busy, and the table says nothing.`,
    columns: [
      { key: 'calls', label: 'calls', digits: 0 },
      { key: 'waits', label: 'waited', digits: 0 },
      { key: 'refused', label: '401s', digits: 0 },
      { key: 'failed', label: 'failed', digits: 0 },
      { key: 'requests', label: 'token requests', digits: 0 },
    ],
    rows,
    targets: [
      { what: 'calls that wait for a renewal', value: figure(rows, 'tokenkeep', 'waits'), limit: 0, digits: 0 },
      { what: '401s at expiry', value: figure(rows, 'tokenkeep', 'refused'), limit: 0, digits: 0 },
    ],
    ranked: 'waits',
    notes: ['msal-node asks anew for every token that lives less than five minutes, and has no option for it: these lifetimes are not what it is made for.'],
  };
}
