import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoreEnvironment } from '../../examples/fleet/open-store.ts';
import { type DatabaseServer, postgresServer, programIn, redisServer } from '../../test/servers/support/database-server.ts';
import { type CaseResult, ratios } from '../case-result.ts';
import type { RoundFigures } from '../harness/worker.ts';
import { spreadOf } from '../harness/statistics.ts';
import { interleaved, type Run } from '../run.ts';

const base = 'tokenkeep over memory';
const roundMs = 25;
const coldCalls = 20;

/** A store that processes share costs nothing while a token is at hand, and one look when a process starts. */
export async function stores(run: Run): Promise<CaseResult> {
  const folder = mkdtempSync(join(tmpdir(), 'tokenkeep-bench-'));
  const servers: DatabaseServer[] = [];
  const start = async (server: DatabaseServer): Promise<string> => {
    servers.push(server);
    await server.start();
    return server.url;
  };
  try {
    const redis = programIn('redis-server', '/usr/bin');
    const postgres = programIn('postgres', '/usr/lib/postgresql/*/bin');
    const key = { STORE_KEY: Buffer.alloc(32, 7).toString('base64url') };
    const found: Readonly<Record<string, StoreEnvironment>> = {
      SQLite: { ...key, SQLITE_FILE: join(folder, 'bench.db') },
      ...(redis !== undefined && { Redis: { ...key, REDIS_URL: await start(await redisServer(redis)) } }),
      ...(postgres !== undefined && { PostgreSQL: { ...key, DATABASE_URL: await start(await postgresServer(postgres)) } }),
    };
    return await measured(run, found);
  } finally {
    await Promise.all(servers.map((server) => server.remove()));
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measured(run: Run, found: Readonly<Record<string, StoreEnvironment>>): Promise<CaseResult> {
  const plan = run.isQuick ? { epochs: 1, rounds: 5 } : { epochs: 3, rounds: 25 };
  const names = [base, ...Object.keys(found).map((kind) => `tokenkeep over ${kind}`)];
  const calls = new Map<string, number>();
  const cold = new Map<string, number[]>(names.map((name) => [name, []]));
  const figures = await interleaved(run, [names], { ...plan, open: { stores: found } }, async (contestant, isWarmUp) => {
    if (isWarmUp) {
      await contestant.ask({ do: 'getTokenRound', calls: 20_000 });
      const { cpuNs } = await contestant.ask<RoundFigures>({ do: 'getTokenRound', calls: 20_000 });
      if (!calls.has(contestant.name)) calls.set(contestant.name, Math.ceil((roundMs * 1e6) / cpuNs));
      await contestant.ask({ do: 'coldRound', calls: coldCalls });
    }
    cold.get(contestant.name)?.push((await contestant.ask<RoundFigures>({ do: 'coldRound', calls: coldCalls })).wallNs / 1_000);
    return (await contestant.ask<RoundFigures>({ do: 'getTokenRound', calls: calls.get(contestant.name) ?? 1_000 })).cpuNs;
  });
  const rows = names.map((name) => {
    const times = ratios(figures, name, base);
    return { name, cells: { ns: spreadOf(figures.get(name) ?? []), times, cold: spreadOf(cold.get(name) ?? []) } };
  });
  const missing = ['Redis', 'PostgreSQL'].filter((kind) => found[kind] === undefined);
  return {
    id: 'stores',
    title: 'A store that processes share',
    how: '`await getToken()` in a loop, as above, with the token in a store that is encrypted; and the first token of a client that finds it there, which takes one round trip. Servers on this machine.',
    columns: [
      { key: 'ns', label: 'ns per call', digits: 0 },
      { key: 'times', label: '× memory', digits: 2 },
      { key: 'cold', label: 'µs to the first token', digits: 0 },
    ],
    rows,
    targets: rows
      .filter(({ name }) => name !== base)
      .map(({ name, cells }) => ({ what: `cached \`getToken()\`, ${name} over the memory store`, value: cells.times.median, limit: 1.1, digits: 2 })),
    ranked: 'ns',
    notes: missing.length > 0 ? [`Not installed here: ${missing.join(', ')}.`] : [],
  };
}
