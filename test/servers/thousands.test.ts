import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { clientSecretBasic } from 'tokenkeep';
import { createAccounts } from 'tokenkeep/server';
import { sqliteStore } from 'tokenkeep/storage/sqlite';
import { virtualClock } from 'tokenkeep/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { soakS } from './support/shared-stores.js';

const [count, dueCount] = soakS !== undefined ? [10_000, 1_600] : [1_500, 320];
const perSecond = 20;
const answerMs = 50;
const dayMs = 86_400_000;

const folder = mkdtempSync(join(tmpdir(), 'tokenkeep-thousands-'));
afterAll(() => rmSync(folder, { recursive: true }));

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

/** What is in use, in MB. */
function heapMb(): number {
  if (typeof collect === 'function') collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

/** A token endpoint that rotates, takes 20 requests a second, and ends a grant whose refresh token comes twice. */
function limitedEndpoint(clock: ReturnType<typeof virtualClock>) {
  const seen = { requests: 0, limited: 0, reuses: 0, mostPerSecond: 0 };
  let taken: number[] = [];
  let serial = 0;
  const spent = new Set<string>();
  const endpoint: typeof fetch = async (input, init) => {
    const sent = new URLSearchParams(await new Request(input, init).text()).get('refresh_token') ?? '';
    const now = clock.monotonicMs();
    taken = taken.filter((at) => now - at < 1_000);
    if (taken.length >= perSecond) {
      seen.limited++;
      return new Response('', { status: 429, headers: { 'retry-after': '1' } });
    }
    taken.push(now);
    seen.mostPerSecond = Math.max(seen.mostPerSecond, taken.length);
    seen.requests++;
    if (spent.has(sent)) seen.reuses++;
    spent.add(sent);
    await clock.sleep(answerMs);
    return Response.json({ access_token: `access-${serial}`, token_type: 'Bearer', expires_in: 3_600, refresh_token: `refresh-${serial++}` });
  };
  return { seen, endpoint };
}

describe(`${count.toLocaleString('en')} accounts in one SQLite file, ${dueCount.toLocaleString('en')} of them due at once`, () => {
  it(`are swept at the pace of an endpoint that takes ${perSecond} requests a second, past which callers go; memory stays flat [R22, R23, R31, rule 8]`, {
    timeout: soakS !== undefined ? 600_000 : 120_000,
  }, async () => {
    const clock = virtualClock();
    const { seen, endpoint } = limitedEndpoint(clock);
    const database = new DatabaseSync(join(folder, 'accounts.db'));
    const store = sqliteStore(database, { clock });
    await store.get('');
    // Nothing here outlives a power failure.
    database.exec('PRAGMA synchronous = OFF');
    const accounts = createAccounts({
      server: { issuer: 'https://as.example', token_endpoint: 'https://as.example/token', authorization_endpoint: 'https://as.example/authorize' },
      clientId: 'client',
      auth: clientSecretBasic('secret'),
      fetch: endpoint,
      redirectUri: 'https://app.example/connected',
      store,
      clock,
      refreshTokenIdleMs: 60 * dayMs,
      maxAccounts: 100,
    });
    // Those that come without an access token are due within the hour, since nobody knows how long they have been lying.
    for (let index = 0; index < count; index++) {
      const fresh = index < dueCount ? {} : { accessToken: `first-${index}`, expiresInMs: 3_600_000 };
      await accounts.import(`customer-${index}`, { refreshToken: `imported-${index}`, ...fresh });
    }
    await clock.advance(3_600_000);
    const before = heapMb();

    const began = clock.monotonicMs();
    let isSwept = false;
    const sweeping = accounts.sweep().finally(() => {
      isSwept = true;
    });
    const waits: number[] = [];
    const heap: number[] = [];
    for (let round = 0; !isSwept; round++) {
      await clock.advance(500);
      // Somebody needs one of the others in the middle of it.
      if (round >= 4 && round % 4 === 0 && !isSwept) waits.push(await waited(`customer-${dueCount + waits.length}`));
      if (round % 20 === 0) heap.push(heapMb());
    }
    const tookMs = clock.monotonicMs() - began;
    const report = await sweeping;

    async function waited(accountId: string): Promise<number> {
      const tokens = accounts.account(accountId);
      const invalidToken = await tokens.getToken();
      const asked = clock.monotonicMs();
      let got: number | undefined;
      const token = tokens.getToken({ invalidToken }).then(() => {
        got = clock.monotonicMs();
      });
      while (got === undefined) await clock.advance(10);
      await token;
      return got - asked;
    }

    const sorted = waits.toSorted((one, other) => one - other);
    const [median = 0, longest = 0] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
    const after = heapMb();
    console.log(
      `${count} accounts, ${dueCount} due: swept in ${Math.round(tookMs / 1_000)} s of the ${dueCount / perSecond} s that ${perSecond} a second allow, ${seen.limited} refused with 429, ` +
        `at most ${seen.mostPerSecond} in a second; ${waits.length} callers waited ${median} ms in the middle, ${longest} ms at most; ` +
        `heap ${before.toFixed(1)} MB before, ${Math.max(...heap).toFixed(1)} MB at most, ${after.toFixed(1)} MB after`,
    );
    expect(report).toMatchObject({ due: dueCount, renewed: dueCount, skipped: 0, failed: [], needReconnect: [] });
    expect(seen.reuses).toBe(0);
    expect(seen.requests).toBe(dueCount + waits.length);
    expect(seen.mostPerSecond).toBeLessThanOrEqual(perSecond);
    expect(tookMs).toBeLessThan((dueCount / perSecond) * 1_000 * 1.6 + 10_000);
    // Its own request, that of another, and its turn at the pace. Who comes while the endpoint wants a second of peace waits for its end.
    expect(median).toBeLessThanOrEqual(2 * answerMs + 2 * (1_000 / perSecond));
    expect(longest).toBeLessThanOrEqual(1_100 + 2 * answerMs + 2 * (1_000 / perSecond));
    expect(seen.limited).toBeLessThan(dueCount / 5);
    expect(Math.max(...heap, after) - before).toBeLessThan(16);
    await accounts.dispose();
    database.close();
  });
});
