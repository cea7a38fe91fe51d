import { type Instant, instant } from '../core/instant.js';
import { randomId } from '../core/random.js';
import { askStore } from './ask-store.js';
import { type Commit, commit, type Outcome } from './commit.js';
import { unavailable } from '../core/unavailable.js';
import { formatRecord } from './format-record.js';
import { parseRecord } from './parse-record.js';
import type { RenewalTools } from './renewal-tools.js';
import { emptyRecord, type GrantRecord } from './state.js';

/** What all keepers of a manager share. */
export type KeeperTools = Pick<RenewalTools, 'store' | 'clock' | 'windows' | 'report' | 'nameOf' | 'endsWithStore' | 'indexOf'>;

const writesPerOutcome = 5;
const mostForgotten = 10;
// Shared: a manager may have many keepers, and few of them ever have anything else.
const none: readonly never[] = [];

/**
 * Keeps one grant's record in memory and, where there is a store, in step with it. Every change goes through
 * {@link commit}; a lost compare-and-swap applies it again to what the store holds by then.
 */
export class RecordKeeper {
  record: GrantRecord = emptyRecord;
  readonly #targetKey: string;
  readonly #tools: KeeperTools;
  #name: string | undefined;
  /** Version in the store that `record` is based on; undefined: nothing is stored. */
  #version: string | undefined;
  /** What memory has and the store has not: the last sign-out, and the last outcome after it. Reads apply it again. */
  #unsaved: readonly Outcome[] = none;
  #forgotten: readonly GrantRecord[] = none;
  #isRead = false;
  /** Reads and writes take turns: a read never sees a write that does not know yet whether it succeeded. */
  #turn: Promise<void> | undefined;
  #nextRead: Promise<void> | undefined;

  constructor(targetKey: string, tools: KeeperTools) {
    this.#targetKey = targetKey;
    this.#tools = tools;
  }

  /** What the record is called in the store, and its lock. */
  async name(): Promise<string> {
    this.#name ??= await this.#tools.nameOf(this.#targetKey);
    return this.#name;
  }

  /** Memory has what the store has not. */
  get isUnsaved(): boolean {
    return this.#unsaved.length > 0;
  }

  /**
   * Takes over what the store holds, if it is newer.
   * @throws {TokenError} `store_unavailable`
   */
  read(): Promise<void> {
    // One that has not begun yet is as good for all who ask.
    this.#nextRead ??= this.#inTurn(() => {
      this.#nextRead = undefined;
      return this.#read().then(() => this.#saveWhatIsLeft());
    });
    return this.#nextRead;
  }

  /** The records that sign-outs have replaced since the last call, here and in the store: what there is to revoke. */
  takeForgotten(): readonly GrantRecord[] {
    const forgotten = this.#forgotten;
    this.#forgotten = none;
    return forgotten;
  }

  /**
   * Applies an outcome, in memory and in the store.
   * @throws {TokenError} `store_unavailable`; memory then holds the outcome all the same, unless it is an intent. It can be applied again.
   */
  apply(outcome: Outcome): Promise<Commit['do']> {
    // What is to be forgotten is forgotten here first, whatever the store says, and in whatever is read meanwhile.
    if (outcome.type === 'cleared') {
      this.#unsaved = [outcome];
      this.#replay(this.record);
    }
    return this.#inTurn(() => this.#save(outcome));
  }

  async #read(): Promise<void> {
    const { store, clock, windows, report, endsWithStore } = this.#tools;
    if (!store) return;
    // Ages count from before the read: a slow answer must not make tokens younger.
    const began: Instant = instant(clock);
    const before = this.record;
    const stored = await askStore(clock, async () => store.get(await this.name()));
    this.#isRead = true;
    // What was forgotten here meanwhile is newer than what was read.
    if (stored?.version === this.#version || this.record !== before) return;
    const record = stored && parseRecord(stored, began, windows);
    this.#version = stored?.version;
    if (stored && !record) report({ type: 'warning', code: 'record_unreadable', message: 'the stored record could not be read; it counts as absent' });
    if (record) this.#replay(record);
    // Else, where the store forgot what it had, memory goes on with what it holds, and writes it anew.
    else if (endsWithStore) this.#replay({ ...emptyRecord, epoch: before.epoch + 1, ended: before.ended ?? 'storage_cleared' });
    const { ended } = this.record;
    // No news to somebody who finds it so.
    if (ended && ended !== before.ended && before !== emptyRecord) report({ type: 'session_ended', reason: ended, elsewhere: true });
  }

  #replay(stored: GrantRecord): void {
    this.record = stored;
    this.#unsaved = this.#unsaved.flatMap((outcome, place) => {
      const { epoch } = this.record;
      // A sign-in after a sign-out that was not saved either replaces what that leaves, whatever it ends.
      const step = commit(this.record, outcome.type === 'signedIn' && place > 0 ? { ...outcome, replaced: epoch } : outcome);
      if (step.do !== 'write') return [];
      if (outcome.type === 'cleared') this.#forgotten = [...this.#forgotten, this.record].slice(-mostForgotten);
      this.record = step.record;
      return outcome.type === 'signedIn' ? { ...outcome, replaced: epoch } : outcome;
    });
  }

  async #save(outcome: Outcome): Promise<Commit['do']> {
    const clears = outcome.type === 'cleared';
    try {
      for (let writes = 0; writes < writesPerOutcome; writes++) {
        if (writes > 0) await this.#read();
        const { epoch } = this.record;
        // Without one to save, another write has taken this sign-out along. What memory has already is written as it is.
        const step: Commit = clears || this.#unsaved.includes(outcome) ? { do: 'write', record: this.record } : commit(this.record, outcome);
        if (step.do !== 'write' || (clears && this.#unsaved.length === 0)) return step.do;
        if (!(await this.#write(step.record))) continue;
        // A sign-out came while the store was busy; it writes again over this.
        if (this.record.epoch !== epoch) return clears ? 'write' : 'drop';
        this.#unsaved = none;
        this.record = step.record;
        return 'write';
      }
      throw unavailable('the record keeps changing under this write');
    } catch (error) {
      if (clears || this.#unsaved.includes(outcome)) throw error;
      const kept = commit(this.record, outcome);
      if (kept.do !== 'write') return kept.do;
      if (outcome.type !== 'sending') {
        // What the store held by then nobody knows who never read it.
        const replaced = this.#isRead ? this.record.epoch : undefined;
        this.record = kept.record;
        this.#unsaved = [...this.#unsaved.filter(({ type }) => type === 'cleared'), outcome.type === 'signedIn' ? { ...outcome, replaced } : outcome];
      }
      throw error;
    }
  }

  // Whoever reads the store meanwhile sends a refresh token that was spent. That it could not be saved was reported when it happened.
  async #saveWhatIsLeft(): Promise<void> {
    const { record } = this;
    if (!this.isUnsaved || !(await this.#write(record).catch(() => false))) return;
    // A sign-out that came meanwhile writes again over this.
    if (this.record === record) this.#unsaved = none;
  }

  // False: somebody else wrote first.
  async #write(record: GrantRecord): Promise<boolean> {
    const { store, clock, indexOf } = this.#tools;
    // Without a store nobody compares versions.
    if (!store) return true;
    const write = { expected: this.#version, next: randomId(), ...(indexOf && { index: indexOf(record) }) };
    const written = await askStore(clock, async () => store.set(await this.name(), formatRecord(record, instant(clock)), write));
    if (written) this.#version = write.next;
    return written;
  }

  async #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    try {
      await before;
      return await task();
    } finally {
      resolve();
      if (this.#turn === promise) this.#turn = undefined;
    }
  }
}
