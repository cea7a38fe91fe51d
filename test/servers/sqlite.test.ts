import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { clientSecretBasic, systemClock } from 'tokenkeep';
import { createAccounts } from 'tokenkeep/server';
import { sqliteStore } from 'tokenkeep/storage/sqlite';
import { fakeAuthorizationServer } from 'tokenkeep/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { shiftedClock } from '../integration/support/shifted-clock.js';
import { type Process, startProcess } from './support/process.js';

const folder = mkdtempSync(join(tmpdir(), 'tokenkeep-sqlite-'));
afterAll(() => rmSync(folder, { recursive: true }));

const writer = (file: string, name: string, ...slow: string[]): Process => startProcess('sqlite-writer.ts', { args: [file, name, ...slow] });

describe('processes over one SQLite file', () => {
  it('lose no update, though they are killed at any moment, and wait no longer than the lease for a dead one [X15, X17]', async () => {
    const file = join(folder, 'killed.db');
    const all: Process[] = [];
    const running = Array.from({ length: 4 }, (_, index) => writer(file, `w${index}`));
    all.push(...running);
    for (let round = 0; round < 8; round++) {
      const victim = running[round % 4];
      if (victim === undefined) throw new Error('no writer');
      await expect.poll(() => victim.lines.length, { timeout: 15_000 }).toBeGreaterThan(round);
      await victim.kill();
      const next = writer(file, `w${4 + round}`);
      running[round % 4] = next;
      all.push(next);
    }
    await expect.poll(() => running.every(({ lines }) => lines.length > 3), { timeout: 15_000 }).toBe(true);
    await Promise.all(running.map((each) => each.kill()));
    const database = new DatabaseSync(file);
    const found = Number((await sqliteStore(database).get('number'))?.value);
    const integrity = database.prepare('PRAGMA integrity_check').get();
    database.close();
    const values = all.flatMap(({ lines }) => lines.filter((line) => line.startsWith('wrote'))).map((line) => Number(line.slice(6)));
    // Every number was written once; each killed process may have written one that it could not tell of.
    expect(new Set(values).size).toBe(values.length);
    expect(found).toBeGreaterThanOrEqual(values.length);
    expect(found - values.length).toBeLessThanOrEqual(all.length);
    expect(integrity).toEqual({ integrity_check: 'ok' });
  });

  it('refuse the write of one that was stopped, lost its lock and woke up [X15]', async () => {
    const file = join(folder, 'stopped.db');
    const stopped = writer(file, 'stopped', 'slow');
    const other = writer(file, 'other');
    const inside = (): number => stopped.lines.filter((line) => line === 'inside').length;
    for (let round = 0; round < 3; round++) {
      const entered = inside();
      await expect.poll(inside, { timeout: 15_000, interval: 5 }).toBeGreaterThan(entered);
      stopped.signal('SIGSTOP');
      const written = other.lines.length;
      // The other one has the lock when the lease has run out.
      await expect.poll(() => other.lines.length, { timeout: 10_000 }).toBeGreaterThan(written + 20);
      stopped.signal('SIGCONT');
      await expect.poll(() => stopped.lines.filter((line) => line === 'refused').length, { timeout: 15_000 }).toBe(round + 1);
    }
    await Promise.all([stopped, other].map((each) => each.kill()));
    const values = [...stopped.lines, ...other.lines].filter((line) => line.startsWith('wrote'));
    expect(new Set(values).size).toBe(values.length);
  });
});

describe('sqliteStore', () => {
  it('waits for a file that another connection holds locked, without holding up the process, and gives up in the end [X17]', async () => {
    const file = join(folder, 'locked.db');
    const [own, other] = [new DatabaseSync(file), new DatabaseSync(file)];
    const store = sqliteStore(own);
    await store.get('x');
    other.exec('BEGIN IMMEDIATE');
    let turns = 0;
    const ticking = setInterval(() => turns++, 10);
    const waiting = store.set('x', 'v', { expected: undefined, next: '1' });
    await expect.poll(() => turns, { timeout: 2_000 }).toBeGreaterThan(10);
    other.exec('COMMIT');
    expect(await waiting).toBe(true);
    clearInterval(ticking);
    own.close();
    other.close();
  });

  it('says that the disk is full, keeps what it had, and goes on when there is room [X18]', async () => {
    const database = new DatabaseSync(join(folder, 'full.db'));
    const store = sqliteStore(database);
    await store.set('x', 'before', { expected: undefined, next: '1' });
    database.exec('PRAGMA max_page_count = 12');
    await expect(store.set('x', 'y'.repeat(200_000), { expected: '1', next: '2' })).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('the disk is full'),
    });
    expect(await store.get('x')).toMatchObject({ value: 'before', version: '1' });
    database.exec('PRAGMA max_page_count = 100000');
    expect(await store.set('x', 'after', { expected: '1', next: '2' })).toBe(true);
    database.close();
  });

  it('loses no account to a disk that is full: what cannot be noted is not sent, and what was there stays good [R14, X18]', async () => {
    const clock = shiftedClock();
    const server = fakeAuthorizationServer({ clock: { ...systemClock, ...clock } });
    const database = new DatabaseSync(join(folder, 'full-accounts.db'));
    const store = sqliteStore(database);
    const options = { server: server.metadata, clientId: 'client', auth: clientSecretBasic('secret'), fetch: server.fetch, clock, store };
    const accounts = createAccounts({ ...options, redirectUri: 'https://app.example/connected' });
    const taken: string[] = [];
    await store.get('');
    database.exec('PRAGMA max_page_count = 24');
    // Until not even a small one has room.
    let full: unknown;
    for (const padding of [2_000, 200, 0]) {
      for (full = undefined; full === undefined; ) {
        const accountId = `customer-${taken.length}`;
        const imported = accounts.import(accountId, { refreshToken: server.issueRefreshToken(), raw: { padding: 'x'.repeat(padding) } });
        full = await imported.then(
          () => void taken.push(accountId),
          (error: unknown) => error,
        );
      }
    }
    expect(full).toMatchObject({ code: 'store_unavailable', message: expect.stringContaining('the disk is full') });
    expect(taken.length).toBeGreaterThan(3);
    const outcomes = await Promise.all(
      taken.map((accountId) =>
        accounts
          .account(accountId)
          .getToken()
          .then(
            () => 'a token',
            (error: unknown) => Reflect.get(Object(error), 'code'),
          ),
      ),
    );
    expect(outcomes.filter((outcome) => outcome !== 'a token' && outcome !== 'store_unavailable')).toEqual([]);
    expect(outcomes).toContain('store_unavailable');
    const sent = server.tokenRequests;
    database.exec('PRAGMA max_page_count = 100000');
    clock.advance(7_200_000);
    const others = createAccounts({ ...options, redirectUri: 'https://app.example/connected', store: sqliteStore(database) });
    for (const accountId of taken) expect((await others.account(accountId).getToken()).value).toMatch(/./);
    console.log(
      `${taken.length} accounts on a full disk: ${outcomes.filter((outcome) => outcome === 'store_unavailable').length} told to try later, ${sent} refresh tokens sent, ${server.stats.reuses} accounts lost`,
    );
    expect(server.stats.reuses).toBe(0);
    await Promise.all([accounts.dispose(), others.dispose()]);
    database.close();
  });

  it('leaves tables of a newer version alone', async () => {
    const database = new DatabaseSync(join(folder, 'newer.db'));
    await sqliteStore(database).get('x');
    database.exec('INSERT INTO tokenkeep_migrations VALUES (99)');
    await expect(sqliteStore(database).get('x')).rejects.toMatchObject({ code: 'store_unavailable' });
    database.close();
  });
});
