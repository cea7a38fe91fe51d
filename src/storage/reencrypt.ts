import { checkCount, checkOptions, checkPort } from '../core/check-option.js';
import { randomId } from '../core/random.js';
import type { AccountStore } from '../core/token-store.js';

export interface ReencryptOptions {
  /** How many entries are listed at a time. @default 100 */
  readonly pageSize?: number | undefined;
  /** Ends it between two records. */
  readonly signal?: AbortSignal | undefined;
}

export interface ReencryptReport {
  /** Written anew, under the first key. */
  readonly rewritten: number;
  /** Somebody else wrote them meanwhile, so under a key of theirs. */
  readonly changed: number;
  /** They did not open, and were left as they are. */
  readonly unreadable: number;
}

/**
 * Reads every listed record of an encrypted store and writes it again, under the first key of its cipher: what there is to do before an
 * old key can go. Safe while the store is in use, and to run again. Records without an index are not listed: those of service tokens,
 * which their next renewal writes anew.
 *
 * @throws {TokenError} `store_unavailable`
 */
export async function reencrypt(store: AccountStore, options: ReencryptOptions = {}): Promise<ReencryptReport> {
  checkPort('store', store ?? null, ['get', 'set', 'list']);
  checkOptions('reencrypt', options, ['pageSize', 'signal']);
  const limit = checkCount('pageSize', options.pageSize, 100);
  const report = { rewritten: 0, changed: 0, unreadable: 0 };
  let cursor: string | undefined;
  do {
    const page = await store.list({ limit, cursor });
    for (const { key, ...index } of page.entries) {
      options.signal?.throwIfAborted();
      const stored = await store.get(key);
      if (stored?.value === '') report.unreadable++;
      if (!stored?.value) continue;
      // The copy is as old as what it was copied from: tokens grow no younger.
      const written = await store.set(key, stored.value, { expected: stored.version, next: randomId(), index, ageMs: stored.ageMs });
      report[written ? 'rewritten' : 'changed']++;
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return report;
}
