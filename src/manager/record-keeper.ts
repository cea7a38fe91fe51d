import type { Clock } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import type { TokenEvent } from '../core/events.js';
import { randomId } from '../core/random.js';
import type { Stored, TokenStore } from '../core/token-store.js';
import { withTimeLimit } from '../core/waiting.js';
import { type Commit, commit, type Outcome } from './commit.js';
import { formatRecord, NewerRecordError, parseRecord } from './record-format.js';
import { limits } from './retry.js';
import { emptyRecord, type GrantRecord, type Instant, type Windows } from './state.js';

export interface RecordKeeperOptions {
  readonly store: TokenStore | undefined;
  readonly clock: Clock;
  readonly windows: Windows;
  readonly report: (event: TokenEvent) => void;
}

const writesPerOutcome = 5;

/**
 * Keeps one grant's record in memory and, where there is a store, in step with it. Every change goes through
 * {@link commit}; a lost compare-and-swap applies it again to what the store holds by then.
 */
export class RecordKeeper {
  record: GrantRecord = emptyRecord;
  /** Version in the store that `record` is based on; undefined: nothing is stored. */
  #version: string | undefined;
  /** What could not be written: it is applied again to whatever the store holds when it answers again. */
  #unsaved: Outcome | undefined;
  /** The last sign-out, and how many there were: here, and in what the store has taken. Until it has all, reads repeat it. */
  #clear: Outcome | undefined;
  #cleared = 0;
  #clearedInStore = 0;
  /** Writes on their way, and how many sign-outs each takes along: a read may find one before its answer comes. */
  readonly #writing = new Map<string, number>();
  #forgotten: GrantRecord[] = [];
  readonly #key: () => Promise<string>;
  readonly #options: RecordKeeperOptions;

  constructor(key: () => Promise<string>, options: RecordKeeperOptions) {
    this.#key = key;
    this.#options = options;
  }

  /**
   * Takes over what the store holds, if it is newer.
   * @throws {TokenError} `store_unavailable`
   */
  async read(): Promise<void> {
    const { store } = this.#options;
    if (store === undefined) return;
    // Ages count from before the read: a slow answer must not make tokens younger.
    const began = this.#now();
    const { record: before } = this;
    const version = this.#version;
    const stored = await this.#limited(async () => store.get(await this.#key()));
    // What was written here meanwhile is newer than what was read.
    if (stored?.version === this.#version || this.record !== before || this.#version !== version) return;
    if (stored === undefined) {
      // The store forgot what it had; memory may go on with what it holds, and writes it anew.
      this.#version = undefined;
      return;
    }
    const record = this.#parse(stored, began);
    this.#version = stored.version;
    if (record === undefined) {
      this.#options.report({ type: 'warning', code: 'record_unreadable', message: 'the stored record could not be read; it counts as absent' });
      return;
    }
    this.#clearedInStore = Math.max(this.#clearedInStore, this.#writing.get(stored.version) ?? 0);
    const isClearing = this.#cleared > this.#clearedInStore;
    const missing = isClearing ? this.#clear : this.#unsaved;
    const unsaved = missing && commit(record, missing);
    if (unsaved?.do === 'write') {
      if (isClearing) this.#forgotten.push(record);
      this.record = unsaved.record;
      return;
    }
    this.#unsaved = undefined;
    this.record = record;
  }

  /** The records that sign-outs have replaced since the last call, here and in the store: what there is to revoke. */
  takeForgotten(): readonly GrantRecord[] {
    return this.#forgotten.splice(0);
  }

  /**
   * Applies an outcome, in memory and in the store.
   * @throws {TokenError} `store_unavailable`; memory then holds the outcome all the same, unless it is an intent.
   */
  async apply(outcome: Outcome): Promise<Commit['do']> {
    const clears = outcome.type === 'cleared';
    if (clears) {
      // What is to be forgotten is forgotten here first, whatever the store says, and in whatever is read meanwhile.
      this.#forgotten.push(this.record);
      const cleared = commit(this.record, outcome);
      if (cleared.do === 'write') this.record = cleared.record;
      this.#clear = outcome;
      this.#cleared++;
    }
    const mine = this.#cleared;
    for (let writes = 1; ; writes++) {
      // Another write has taken this sign-out along.
      if (clears && this.#clearedInStore >= mine) return 'write';
      const base = this.record;
      const included = this.#cleared;
      const step = clears ? ({ do: 'write', record: base } as const) : commit(base, outcome);
      if (step.do !== 'write') return step.do;
      // A sign-out came while the store was busy; it writes again over this.
      const overtaken = (): boolean => !clears && this.#cleared !== included;
      try {
        if (await this.#write(step.record, included)) {
          if (overtaken()) return 'drop';
          this.#unsaved = undefined;
          if (!clears) this.record = step.record;
          return 'write';
        }
        if (writes === writesPerOutcome) throw unavailable('the record keeps changing under this write');
        await this.read();
      } catch (error) {
        if (overtaken()) return 'drop';
        const kept = outcome.type === 'sending' || clears ? undefined : commit(this.record, outcome);
        if (kept?.do === 'write') {
          this.record = kept.record;
          this.#unsaved = outcome;
        }
        throw error;
      }
    }
  }

  // False: somebody else wrote first.
  async #write(record: GrantRecord, included: number): Promise<boolean> {
    const { store } = this.#options;
    const write = { expected: this.#version, next: randomId() };
    this.#writing.set(write.next, included);
    try {
      const written = store === undefined || (await this.#limited(async () => store.set(await this.#key(), formatRecord(record, this.#now()), write)));
      if (written) {
        this.#version = write.next;
        this.#clearedInStore = Math.max(this.#clearedInStore, included);
      }
      return written;
    } finally {
      this.#writing.delete(write.next);
    }
  }

  #now(): Instant {
    return { wall: this.#options.clock.now(), mono: this.#options.clock.monotonicMs() };
  }

  #parse(stored: Stored, began: Instant): GrantRecord | undefined {
    try {
      return parseRecord(stored, began, this.#options.windows);
    } catch (error) {
      if (error instanceof NewerRecordError) throw unavailable('the record was written by a newer version of tokenkeep');
      throw error;
    }
  }

  async #limited<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await withTimeLimit(this.#options.clock, limits.storeMs, call, () => unavailable(`the store did not answer within ${limits.storeMs} ms`));
    } catch (error) {
      // A store's own error may hold anything, a record too.
      throw error instanceof TokenError ? error : unavailable('the store failed');
    }
  }
}

function unavailable(message: string): TokenError {
  return new TokenError('store_unavailable', message, { phase: 'store' });
}
