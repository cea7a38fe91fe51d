import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type CaseResult, type Row, ratios } from '../case-result.ts';
import { shuffled } from '../harness/random.ts';
import type { ServerMessage } from '../harness/server.ts';
import { spreadOf } from '../harness/statistics.ts';
import type { Run } from '../run.ts';

const programs: Readonly<Record<string, string>> = {
  'empty process': 'cold/empty.mjs',
  'bare fetch': 'cold/bare-fetch.mjs',
  tokenkeep: 'cold/tokenkeep.mjs',
  'tokenkeep, manager alone': 'cold/tokenkeep-manager.mjs',
  'openid-client': 'peers/cold/openid-client.mjs',
  'openid-client and ky': 'peers/cold/openid-client-and-ky.mjs',
  oauth4webapi: 'peers/cold/oauth4webapi.mjs',
  'google-auth-library': 'peers/cold/google-auth-library.mjs',
  badgateway: 'peers/cold/badgateway.mjs',
  'msal-node': 'peers/cold/msal-node.mjs',
  'simple-oauth2': 'peers/cold/simple-oauth2.mjs',
};

/** Import, construction and the first token, in a process that did nothing before. */
export async function coldStart(run: Run): Promise<CaseResult> {
  const origin = await run.server.ask<string>({ do: 'open', options: { lifetimeS: 3600, tokenDelayMs: 0 } } satisfies ServerMessage);
  const rounds = run.isQuick ? 2 : 31;
  const cpu = new Map<string, number[]>();
  const wall = new Map<string, number[]>();
  // The first round warms the disk's cache and is not counted.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, program] of shuffled(Object.entries(programs), run.random)) {
      const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', fileURLToPath(new URL(`../${program}`, import.meta.url)), origin]);
      const [cpuMs = Number.NaN, wallMs = Number.NaN] = stdout.split(' ').map(Number);
      if (round === 0) continue;
      cpu.set(name, [...(cpu.get(name) ?? []), cpuMs]);
      wall.set(name, [...(wall.get(name) ?? []), wallMs]);
    }
  }
  const cpuOver = overEmpty(cpu);
  const wallOver = overEmpty(wall);
  const rows: Row[] = Object.keys(programs).map((name) => ({
    name,
    cells: { cpu: spreadOf(cpu.get(name) ?? []), cpuOver: spreadOf(cpuOver.get(name) ?? []), wallOver: spreadOf(wallOver.get(name) ?? []) },
  }));
  const over = (name: string, peer: string): number => ratios(cpuOver, name, peer).median;
  return {
    id: 'cold-start',
    title: 'From a cold start to the first token',
    how: 'A new process imports the library, constructs what its documentation constructs, and gets one token from a server on this machine. tokenkeep, openid-client and oauth4webapi discover the server first, as documented; the others are told the token endpoint. "tokenkeep" is `createServiceClient` with its HTTP client (ky) and queue, the like of "openid-client and ky"; "manager alone" is what the other peers do.',
    columns: [
      { key: 'cpuOver', label: 'ms CPU over an empty process', digits: 1 },
      { key: 'wallOver', label: 'ms over an empty process', digits: 1 },
      { key: 'cpu', label: 'ms CPU in all', digits: 1 },
    ],
    rows,
    targets: [
      {
        what: 'cold start to the first token over openid-client: `createServiceClient`',
        value: over('tokenkeep', 'openid-client'),
        limit: 1,
        digits: 2,
      },
      {
        what: 'cold start to the first token over openid-client: `createTokenManager`',
        value: over('tokenkeep, manager alone', 'openid-client'),
        limit: 1,
        digits: 2,
      },
    ],
    ranked: 'cpuOver',
    notes: [`\`createServiceClient\` over openid-client and ky: ${over('tokenkeep', 'openid-client and ky').toFixed(2)}.`],
  };
}

/** What an empty process costs in the same round, taken off. */
function overEmpty(figures: ReadonlyMap<string, readonly number[]>): Map<string, number[]> {
  const empty = figures.get('empty process') ?? [];
  return new Map([...figures].map(([name, all]) => [name, all.map((each, round) => each - (empty[round] ?? Number.NaN))]));
}
