import { checkCount, invalidOption } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import { ageMs, type Instant, instant } from '../core/instant.js';
import { localLock } from '../core/local-lock.js';
import type { Lock, LockOptions } from '../core/lock.js';
import { randomFraction } from '../core/random.js';
import { withTimeLimit } from '../core/waiting.js';

/** A lock that somebody else keeps for us for a while: a row, a key, a session. */
export interface Lease {
  /** Makes it last for another `leaseMs`. False: it is somebody else's by now. */
  extend(): Promise<boolean>;
  /** Frees it, if it is still ours. */
  release(): Promise<unknown>;
  /** Aborts when it is known to be lost before anybody has asked. */
  readonly lost?: AbortSignal | undefined;
}

export interface LeaseLockOptions {
  /** Takes the name if it is free; undefined: it is taken. */
  readonly take: (name: string) => Promise<Lease | undefined>;
  readonly leaseMs: number;
  readonly clock: Clock;
}

/** The `leaseMs` option. */
export function checkLease(value: unknown): number {
  const leaseMs = checkCount('leaseMs', value, 15_000);
  if (leaseMs < 100) throw invalidOption('leaseMs', 'at least 100 milliseconds', value);
  return leaseMs;
}

const answerMs = 5_000;
const releaseMs = 1_000;
const firstPauseMs = 5;
const longestPauseMs = 100;

/**
 * A lock across processes that rests on leases: one of a process asks for a name at a time, and asks again after a pause; what is
 * held is extended every third of `leaseMs`. Where the leases' keeper fails, `run` rejects with an error that is no
 * `TokenError`: the lock has failed, which is not the same as that it is taken.
 */
export function leaseLock({ take, leaseMs, clock }: LeaseLockOptions): Lock {
  const line = localLock({ clock });

  async function tryTake(name: string, signal: AbortSignal | undefined): Promise<Lease | undefined> {
    const taking = take(name);
    let late = false;
    // Nobody waits for it any more, and nobody else would free it.
    taking.then((lease) => (late ? freeLease(lease) : undefined)).catch(() => undefined);
    try {
      return await withTimeLimit(clock, answerMs, () => taking, failed, signal);
    } catch (error) {
      late = true;
      signal?.throwIfAborted();
      throw error instanceof TokenError ? failed() : error;
    }
  }

  async function takeInTurn(name: string, asked: Instant, { waitMs, signal }: LockOptions): Promise<readonly [Lease, Instant]> {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      const since = instant(clock);
      const lease = await tryTake(name, signal);
      if (lease) return [lease, since];
      const leftMs = waitMs - ageMs(asked, clock);
      if (!(leftMs > 0)) throw new TokenError('lock_timeout', `the lock was not free within ${waitMs} ms`, { phase: 'lock' });
      await clock.sleep(Math.min(leftMs, pauseMs * (0.5 + randomFraction())), signal);
    }
  }

  return {
    shared: true,
    async run(name, task, options) {
      const asked = instant(clock);
      return line.run(name, async () => runUnder(...(await takeInTurn(name, asked, options)), task), options);
    },
  };

  async function runUnder<T>(lease: Lease, since: Instant, task: (held: AbortSignal) => Promise<T>): Promise<T> {
    const held = new AbortController();
    const done = new AbortController();
    const lose = (): void => held.abort(new TokenError('lock_lost', 'the lock was lost while its task ran', { phase: 'lock' }));
    if (lease.lost?.aborted) lose();
    lease.lost?.addEventListener('abort', lose, { once: true, signal: done.signal });
    keep(lease, since, done.signal).then((kept) => kept || lose(), lose);
    try {
      return await task(held.signal);
    } finally {
      done.abort();
      await withTimeLimit(clock, releaseMs, () => lease.release(), failed).catch(() => undefined);
    }
  }

  // True when the task is done, false when the lease is lost. One that could not be extended in time counts as lost, whoever has it.
  async function keep(lease: Lease, taken: Instant, done: AbortSignal): Promise<boolean> {
    for (let since = taken; ; ) {
      const restMs = (): number => leaseMs - ageMs(since, clock);
      await clock.sleep(Math.max(0, Math.min(leaseMs / 3, restMs())), done, { idle: true }).catch(() => undefined);
      if (done.aborted) return true;
      if (restMs() <= 0) return false;
      const asked = instant(clock);
      const extended = await withTimeLimit(clock, restMs(), () => lease.extend(), failed, done).catch(() => undefined);
      if (done.aborted) return true;
      if (extended === false) return false;
      if (extended) since = asked;
    }
  }
}

/** Frees what was taken too late for anybody to use it. */
export async function freeLease(lease: Lease | undefined): Promise<void> {
  await lease?.release();
}

function failed(): Error {
  return new Error('the lock failed: who keeps it did not answer, or refused');
}
