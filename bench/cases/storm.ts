import { type CaseResult, figure, type Row } from '../case-result.ts';
import { shuffled } from '../harness/random.ts';
import type { StampedeFigures } from '../harness/worker.ts';
import { openContestant, type Run } from '../run.ts';

const names = [
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
const spreadMs = 500;

/** The API stops accepting a token that looks good from here. */
export async function storm(run: Run): Promise<CaseResult> {
  const calls = run.isQuick ? 300 : 10_000;
  const figures = new Map<string, Row>();
  for (const name of shuffled(names, run.random)) {
    const contestant = await openContestant(run, name, { tokenDelayMs: 50, inProcess: { spreadMs, tokens: false } });
    const url = 'https://api.test/things/1';
    await contestant.ask({ do: 'callRound', calls: 1, atOnce: 1, url });
    const before = await contestant.seen();
    const { failed, ms } = await contestant.ask<StampedeFigures>({ do: 'storm', calls, url });
    const after = await contestant.seen();
    contestant.end();
    figures.set(name, { name, cells: { requests: after.tokenRequests - before.tokenRequests, failed, ms } });
  }
  const rows = names.flatMap((name) => figures.get(name) ?? []);
  return {
    id: 'storm',
    title: `${calls.toLocaleString('en')} calls refused with one token`,
    how: `${calls.toLocaleString('en')} calls leave at once with a token that the API refuses; the 401s come back spread over ${spreadMs} ms. The API is a function in the process, the token endpoint a server that answers after 50 ms.`,
    columns: [
      { key: 'requests', label: 'token requests', digits: 0 },
      { key: 'failed', label: 'calls that failed', digits: 0 },
      { key: 'ms', label: 'ms until the last answer', digits: 0 },
    ],
    rows,
    targets: [{ what: `token requests for ${calls.toLocaleString('en')} refused calls`, value: figure(rows, 'tokenkeep', 'requests'), limit: 1, digits: 0 }],
    ranked: 'failed',
    notes: ['openid-client, oauth4webapi, msal-node and simple-oauth2 leave a 401 to the application: no token request, and no call recovers.'],
  };
}
