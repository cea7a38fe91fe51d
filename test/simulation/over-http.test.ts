import { type Grant, clientCredentials, clientSecretBasic, isTokenError, memoryStore, refreshToken, type TokenManager } from 'tokenkeep';
import { createAuthFetch } from 'tokenkeep/http';
import { type FakeAuthorizationServer, fakeAuthorizationServer, type ServerKnobs, type VirtualClock, virtualClock } from 'tokenkeep/testing';
import { expect, it } from 'vitest';
import { buildManager } from '../../src/manager/kept-tokens.js';
import { renew } from '../../src/manager/renew.js';
import { seed } from '../support/seed.js';
import { Random } from './world/random.js';

const schedules = process.env['CI'] ? 200 : 40;
const callerMs = 35_000;

// The same over the wire: real requests, real bodies, and an API that judges the tokens.
const troubles: readonly Partial<ServerKnobs>[] = [
  { connection: 'dropBeforeCommit' },
  { connection: 'hangBeforeCommit' },
  // Slower than this, an answer could come when the renewal's time is over: it would be lost.
  { latencyBeforeMs: [500, 900] },
  { answer: { status: 500, body: 'oops' } },
  { answer: { status: 503 }, retryAfter: 3 },
  { answer: { status: 429 }, retryAfter: 7 },
  { answer: { status: 200, body: '<html>portal</html>', contentType: 'text/html' } },
  { answer: { status: 200, body: '{"access_token":"half', contentType: 'application/json' } },
  { redirect: { status: 307 } },
  { error: 'temporarily_unavailable', errorStatus: 503 },
];
const well: Partial<ServerKnobs> = {
  connection: 'normal',
  latencyBeforeMs: [5, 200],
  answer: undefined,
  retryAfter: undefined,
  redirect: undefined,
  error: undefined,
  errorStatus: undefined,
};

interface Wire {
  readonly clock: VirtualClock;
  readonly server: FakeAuthorizationServer;
  readonly managers: readonly TokenManager[];
  readonly rotates: boolean;
}

function wire(random: Random): Wire {
  const clock = virtualClock();
  const rotates = random.chance(0.5);
  const expiresIn = random.pick(2, 4, 60, 3600);
  const server = fakeAuthorizationServer({
    clock,
    random: () => random.next(),
    knobs: { ...well, expiresIn, apiLatencyMs: [1, 100], reuseRevokes: 'familyAndAccess' },
  });
  const shared = { server: server.metadata, clientId: 'client', fetch: server.fetch };
  const initial = rotates ? server.issueRefreshToken() : '';
  const grant = (): Grant =>
    rotates ? refreshToken({ ...shared, refreshToken: initial }) : clientCredentials({ ...shared, auth: clientSecretBasic('secret') });
  const store = memoryStore({ clock });
  const managers = Array.from(
    { length: random.int(1, 3) },
    () => buildManager({ grant: grant(), store, clock }, { renew, random: () => random.next(), digest: async (text) => `digest of ${text}` }).tokens,
  );
  return { clock, server, managers, rotates };
}

async function play(random: Random): Promise<{ readonly problems: readonly string[]; readonly requests: number }> {
  const { clock, server, managers, rotates } = wire(random);
  const problems: string[] = [];
  const open: Promise<void>[] = [];
  const [first, ...others] = managers;
  if (first === undefined) return { problems, requests: 0 };
  const callOf = async (manager: TokenManager): Promise<void> => {
    const began = clock.monotonicMs();
    const aborts = random.chance(0.1) ? new AbortController() : undefined;
    if (aborts !== undefined) void clock.sleep(random.between(0, 300)).then(() => aborts.abort('mine'));
    const usable = manager.peek() !== undefined;
    const outcome: unknown = await manager.getToken({ signal: aborts?.signal }).catch((error: unknown) => error);
    const tookMs = clock.monotonicMs() - began;
    if (isTokenError(outcome) && outcome.kind === 'interaction') problems.push(`signed out: ${outcome.code}`);
    if (tookMs > callerMs) problems.push(`waited ${tookMs} ms`);
    if (usable && tookMs > 0) problems.push(`waited ${tookMs} ms with a good token at hand`);
    if (usable && outcome instanceof Error) problems.push(`failed with a good token at hand: ${outcome.message}`);
  };
  const apiCallOf = async (manager: TokenManager): Promise<void> => {
    const usable = manager.peek() !== undefined;
    const outcome: unknown = await createAuthFetch(manager, { allow: ['https://api.test'], fetch: server.fetch, clock })('https://api.test/').catch(
      (error: unknown) => error,
    );
    if (outcome instanceof Response ? outcome.status !== 200 : usable || !isTokenError(outcome))
      problems.push(`an API call ended with ${String(outcome instanceof Response ? outcome.status : outcome)}`);
  };
  for (let step = 0; step < 25; step++) {
    if (random.chance(0.25)) server.set({ ...well, ...(random.chance(0.5) ? random.pick(well, ...troubles) : {}) });
    const manager = random.pick(first, ...others);
    open.push(random.chance(0.3) ? apiCallOf(manager) : callOf(manager));
    await clock.advance(random.pick(0, 0, 50, 400, 1_500, 20_000, 60_000));
  }
  await clock.advance(120_000);
  await Promise.all(open);
  if (rotates && (server.stats.reuses > 0 || server.stats.parallelRefreshes > 1))
    problems.push(`${server.stats.reuses} reuses, ${server.stats.parallelRefreshes} refreshes at once`);
  // All is well again: the next success clears whatever was remembered.
  server.set(well);
  await clock.advance(120_000);
  for (const manager of managers) {
    const healed = manager.getToken().then(
      () => undefined,
      (error: unknown) => problems.push(`not healed: ${String(error)}`),
    );
    await clock.advance(1_000);
    await healed;
  }
  const disposed = Promise.all(managers.map((manager) => manager.dispose()));
  await clock.advance(0);
  await disposed;
  if (clock.pending > 0) problems.push(`${clock.pending} sleeps stay open`);
  return { problems, requests: server.tokenRequests };
}

it('keeps every promise over the wire, whatever the token endpoint does as long as no answer is lost [R2] [R3] [R10] [R20] [gap 13]', async () => {
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', onUnhandled);
  let sent = 0;
  try {
    const only = process.env['TOKENKEEP_WIRE'];
    for (let schedule = Number(only ?? 0); schedule < (only === undefined ? schedules : Number(only) + 1); schedule++) {
      const { problems, requests } = await play(new Random(seed, 1_000_000 + schedule));
      sent += requests;
      expect(
        [...problems, ...unhandled.map(String)],
        `replay: TOKENKEEP_SEED=${seed} TOKENKEEP_WIRE=${schedule} npx vitest run --project simulation over-http`,
      ).toEqual([]);
    }
    if (only === undefined) expect(sent).toBeGreaterThan(5 * schedules);
  } finally {
    process.off('unhandledRejection', onUnhandled);
  }
});
