import { DatabaseSync } from 'node:sqlite';
import { lockContract, storeContract } from 'tokenkeep/testing';
import { localLock } from 'tokenkeep';
import { sqliteStore } from 'tokenkeep/storage/sqlite';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'tokenkeep-sqlite-'));
const databases: DatabaseSync[] = [];
afterAll(() => {
  for (const database of databases) database.close();
  rmSync(folder, { recursive: true });
});

function open(path = join(folder, 'tokens.db')): DatabaseSync {
  const database = new DatabaseSync(path);
  databases.push(database);
  return database;
}
const make = () => sqliteStore(open(), { pollMs: 20 });

for (const { name, run } of storeContract(make)) test(`sqliteStore ${name} [X17]`, run);
for (const { name, run } of lockContract(() => make().lock ?? localLock())) test(`the lock of sqliteStore ${name} [X17]`, run);
