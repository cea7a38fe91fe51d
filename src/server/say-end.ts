import { parseObject } from '../core/parse-object.js';
import { randomId } from '../core/random.js';
import type { GrantRecord } from '../manager/state.js';
import { withEnd } from '../protocol/wire/refresh-token-end.js';
import { unsaidEnd } from './account-index.js';
import type { AccountSetup } from './account-setup.js';
import type { AccountEvent } from './accounts.js';

/**
 * Tells of an account whose refresh token ends soon, however often it is used: so it is not refreshed for that. The record says that it
 * was said, to all processes. (`standards.md` R31)
 * @throws {TokenError} `store_unavailable`
 */
export async function sayEnd(accountId: string, record: GrantRecord, setup: AccountSetup, tell: (event: AccountEvent) => void): Promise<void> {
  const { clock, store, stored, keyOf, indexOf } = setup;
  const end = unsaidEnd(record, setup);
  const at = clock.now();
  if (end === undefined || at < end.expiresAt - end.headStartMs) return;
  const raw = withEnd(record.raw, { ...end, headStartMs: 0 });
  const key = await keyOf(accountId);
  const known = await stored(() => store.get(key));
  const value = parseObject(known?.value, 32);
  // Somebody was faster or is renewing it, or there is nothing to say any more.
  if (
    known === undefined ||
    value?.['pending'] !== undefined ||
    value?.['epoch'] !== record.epoch ||
    JSON.stringify(value['raw']) !== JSON.stringify(record.raw)
  )
    return;
  const write = { expected: known.version, next: randomId(), index: indexOf(accountId, { ...record, raw }), ageMs: known.ageMs };
  if (await stored(() => store.set(key, JSON.stringify({ ...value, raw }), write))) tell({ type: 'reauth_soon', expiresAt: end.expiresAt, at, accountId });
}
