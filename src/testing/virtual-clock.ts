import { checkDuration, checkOptions, invalidOption } from '../core/check-option.js';
import type { Clock, SleepOptions } from '../core/clock.js';
import { Macrotasks } from './macrotasks.js';

/** A clock that moves only when a test moves it. */
export interface VirtualClock extends Clock {
  /**
   * Lets `ms` milliseconds pass: ends the sleeps that become due, in the order of their instants, and lets the work that
   * each of them sets free settle before the next. `advance(0)` only settles.
   */
  advance(ms: number): Promise<void>;
  /** Goes to the instant of the next sleep and ends that one sleep, synchronously. False when nobody sleeps. */
  step(): boolean;
  /** Sets the wall clock forward, or back with a negative number. Monotonic time and sleeps take no notice. */
  jumpWall(ms: number): void;
  /** The machine slept for `ms`: the wall clock went on, monotonic time and sleeps stood still. */
  suspend(ms: number): void;
  /** Epoch milliseconds by the clocks of other machines: `advance` and `suspend` move it, `jumpWall` does not. */
  outsideNow(): number;
  /** Open sleeps, the idle ones included. */
  readonly pending: number;
  /** Open sleeps for which nobody waits ({@link SleepOptions.idle}). */
  readonly pendingIdle: number;
}

export interface VirtualClockOptions {
  /** Where the wall clock starts, in epoch milliseconds. @default 2026-01-01T00:00:00Z */
  readonly now?: number | undefined;
}

/** A clock for tests: time stands still until {@link VirtualClock.advance} or {@link VirtualClock.step}. */
export function virtualClock(options: VirtualClockOptions = {}): VirtualClock {
  checkOptions('virtualClock()', options, ['now']);
  return new ManualClock(checkDuration('now', options.now, Date.UTC(2026, 0, 1)));
}

interface Sleeper {
  readonly dueMs: number;
  readonly idle: boolean;
  readonly wake: () => void;
}

class ManualClock implements VirtualClock {
  // Far from zero and from the wall clock, so that code which mixes the two is found out.
  #monotonicMs = 5_000_000;
  #wallOffsetMs: number;
  #outsideOffsetMs: number;
  // By instant; equal instants in the order of the calls.
  readonly #sleepers: Sleeper[] = [];

  constructor(now: number) {
    this.#wallOffsetMs = now - this.#monotonicMs;
    this.#outsideOffsetMs = this.#wallOffsetMs;
  }

  now(): number {
    return this.#monotonicMs + this.#wallOffsetMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  outsideNow(): number {
    return this.#monotonicMs + this.#outsideOffsetMs;
  }

  get pending(): number {
    return this.#sleepers.length;
  }

  get pendingIdle(): number {
    return this.#sleepers.filter((sleeper) => sleeper.idle).length;
  }

  sleep(ms: number, signal?: AbortSignal, options?: SleepOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (!(ms > 0)) return resolve();
      const onAbort = () => {
        this.#sleepers.splice(this.#sleepers.indexOf(sleeper), 1);
        reject(signal?.reason);
      };
      const wake = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const sleeper = { dueMs: this.#monotonicMs + ms, idle: options?.idle === true, wake };
      this.#insert(sleeper);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  async advance(ms: number): Promise<void> {
    const target = this.#monotonicMs + checkDuration('ms', ms, 0);
    const turns = new Macrotasks();
    try {
      await settled(turns);
      for (let next = this.#next(target); next !== undefined; next = this.#next(target)) {
        this.#wake(next);
        // Sleeps of one instant only take turns: what one sets free may still end another.
        const sameInstant = this.#sleepers[0]?.dueMs === next.dueMs;
        await (sameInstant ? turns.next() : settled(turns));
      }
      this.#monotonicMs = Math.max(this.#monotonicMs, target);
    } finally {
      turns.close();
    }
  }

  step(): boolean {
    const next = this.#next(Number.MAX_VALUE);
    if (next !== undefined) this.#wake(next);
    return next !== undefined;
  }

  jumpWall(ms: number): void {
    if (!Number.isFinite(ms)) throw invalidOption('ms', 'a finite number of milliseconds', ms);
    this.#wallOffsetMs += ms;
  }

  suspend(ms: number): void {
    this.jumpWall(checkDuration('ms', ms, 0));
    this.#outsideOffsetMs += ms;
  }

  #next(latestMs: number): Sleeper | undefined {
    const first = this.#sleepers[0];
    return first !== undefined && first.dueMs <= latestMs ? first : undefined;
  }

  #wake(sleeper: Sleeper): void {
    this.#sleepers.shift();
    this.#monotonicMs = Math.max(this.#monotonicMs, sleeper.dueMs);
    sleeper.wake();
  }

  #insert(sleeper: Sleeper): void {
    let low = 0;
    let high = this.#sleepers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sleepers[middle]?.dueMs ?? 0) <= sleeper.dueMs) low = middle + 1;
      else high = middle;
    }
    this.#sleepers.splice(low, 0, sleeper);
  }
}

// Web Crypto answers from other threads, each answer in a turn of its own. A chain of them is let through: keys are imported, an
// assertion and a proof are signed, and the fake server verifies both.
async function settled(turns: Macrotasks): Promise<void> {
  for (let round = 0; round < 16; round++) {
    await globalThis.crypto?.subtle?.digest('SHA-256', oneByte);
    await turns.next();
  }
}

const oneByte: Uint8Array<ArrayBuffer> = new Uint8Array(1);
