import PQueue from 'p-queue';
import { checkCount, checkDuration, checkOptions, checkPort } from '../core/check-option.js';
import { isTokenError, type TokenError } from '../core/errors.js';
import { parseObject } from '../core/parse-object.js';
import type { StorePage } from '../core/token-store.js';
import { asTokenError } from '../manager/as-token-error.js';
import { isDue } from './account-index.js';
import type { AccountManagers } from './account-managers.js';
import { readAccount } from './account-record.js';
import type { AccountSetup } from './account-setup.js';
import type { SweepOptions, SweepReport } from './accounts.js';
import { dueEntries } from './list-accounts.js';
import { sayEnd } from './say-end.js';

type Entry = StorePage['entries'][number];
type Outcome = 'renewed' | 'skipped' | TokenError;

// A server that asks for more is left to the next sweep.
const longestPauseMs = 60_000;
const roundsPerAccount = 5;
const nothing: SweepReport = { elsewhere: false, due: 0, renewed: 0, skipped: 0, needReconnect: [], failed: [], deleted: 0 };

/** One sweep, unless another one is under way somewhere. @throws {TokenError} */
export async function sweepAccounts(options: SweepOptions, setup: AccountSetup, managers: AccountManagers, gone: AbortSignal): Promise<SweepReport> {
  checkOptions('sweep', options, ['concurrency', 'spreadMs', 'limit', 'signal']);
  const concurrency = checkCount('concurrency', options.concurrency, 4);
  const spreadMs = checkDuration('spreadMs', options.spreadMs, 0);
  const limit = checkCount('limit', options.limit, 10_000);
  checkPort('signal', options.signal, ['addEventListener', 'throwIfAborted']);
  const ended = options.signal ? AbortSignal.any([gone, options.signal]) : gone;
  ended.throwIfAborted();
  let isRunning = false;
  try {
    return await setup.lock.run(
      await setup.sweepName(),
      (held) => {
        isRunning = true;
        return run(AbortSignal.any([ended, held]));
      },
      { waitMs: 0, signal: ended },
    );
  } catch (error) {
    if (isRunning || !isTokenError(error) || error.code !== 'lock_timeout') throw error;
    return { ...nothing, elsewhere: true };
  }

  async function run(over: AbortSignal): Promise<SweepReport> {
    const due = await dueAccounts();
    const outcomes = new Map<string, Outcome>();
    await renewAll(due, outcomes, over);
    ended.throwIfAborted();
    const deleted = (await removeAll('disconnected', over)) + (await removeAll('connecting', over));
    const failures = [...outcomes].flatMap(([accountId, outcome]) => (typeof outcome === 'string' ? [] : [{ accountId, error: outcome }]));
    const count = (wanted: Outcome): number => [...outcomes.values()].filter((outcome) => outcome === wanted).length;
    return {
      elsewhere: false,
      due: due.length,
      renewed: count('renewed'),
      skipped: due.length - outcomes.size + count('skipped'),
      needReconnect: failures.filter(({ error }) => error.kind === 'interaction').map(({ accountId }) => accountId),
      failed: failures.filter(({ error }) => error.kind !== 'interaction'),
      deleted,
    };
  }

  async function dueAccounts(): Promise<readonly Entry[]> {
    const due: Entry[] = [];
    // Those first whose refresh token was sent: a grace window may be open.
    for (const state of ['renewing', 'healthy'] as const) {
      const found: Entry[] = [];
      for await (const entry of dueEntries(state, setup)) found.push(entry);
      due.push(...found.sort((one, other) => (one.dueAt ?? 0) - (other.dueAt ?? 0)));
    }
    return due.slice(0, limit);
  }

  async function renewAll(due: readonly Entry[], outcomes: Map<string, Outcome>, over: AbortSignal): Promise<void> {
    const { clock } = setup;
    const beganMs = clock.monotonicMs();
    let open = due.map(({ accountId }, index) => ({ accountId, startMs: beganMs + (spreadMs * index) / due.length }));
    for (let round = 1; open.length > 0 && round <= roundsPerAccount && !over.aborted; round++) {
      const again: typeof open = [];
      const queue = new PQueue({ concurrency });
      const visit = async (each: (typeof open)[number]): Promise<void> => {
        if (over.aborted) return;
        await clock.sleep(each.startMs - clock.monotonicMs(), over).catch(() => undefined);
        if (over.aborted) return;
        const outcome = await renewOne(each.accountId);
        outcomes.set(each.accountId, outcome);
        const pauseMs = typeof outcome === 'string' || outcome.code !== 'rate_limited' ? undefined : (outcome.retryAfterMs ?? 0);
        // A manager rests for some seconds after a failure that nobody waited for.
        if (pauseMs !== undefined && pauseMs <= longestPauseMs) again.push({ ...each, startMs: clock.monotonicMs() + Math.max(pauseMs * 1.1, 5_000) });
      };
      await queue.addAll(open.map((each) => () => visit(each)));
      open = again;
    }
  }

  async function renewOne(accountId: string): Promise<Outcome> {
    try {
      return await managers.use(
        accountId,
        async (kept) => {
          const record = await readAccount(kept);
          // Somebody used it since it was listed.
          if (!isDue(record, setup)) {
            await sayEnd(accountId, record, setup, managers.tell);
            return 'skipped';
          }
          await kept.renew('', { reason: 'expiring', background: true, want: { invalidToken: kept.tokens.peek()?.value } });
          return kept.record().refreshToken === record.refreshToken && kept.record().pending ? 'skipped' : 'renewed';
        },
        true,
      );
    } catch (caught) {
      const error = asTokenError(caught);
      return error.code === 'lock_timeout' ? 'skipped' : error;
    }
  }

  async function removeAll(state: 'disconnected' | 'connecting', over: AbortSignal): Promise<number> {
    const { store, stored } = setup;
    let removed = 0;
    for await (const { key } of dueEntries(state, setup)) {
      if (over.aborted) return removed;
      const known = await stored(() => store.get(key));
      // Somebody may have connected it again since it was listed.
      const isOver = known !== undefined && (state === 'connecting' || ['cleared', 'revoked'].includes(String(parseObject(known.value, 32)?.['ended'])));
      if (isOver && (await stored(() => store.delete(key, known.version)))) removed++;
    }
    return removed;
  }
}
