import { ageMs } from '../core/instant.js';
import { RecordKeeper } from './record-keeper.js';
import type { RenewalTools } from './renewal-tools.js';
import { TargetEntry } from './target-entry.js';

/** The targets of one manager, bounded: the least recently used goes first, but none that is in flight or cooling down. */
export class TargetCache {
  /** The manager's own target; it stays. */
  readonly own: TargetEntry;
  readonly #tools: RenewalTools;
  // In the order of use: a Map keeps the order of insertion.
  readonly #others = new Map<string, TargetEntry>();
  #latest: TargetEntry | undefined;

  constructor(tools: RenewalTools) {
    this.#tools = tools;
    this.own = new TargetEntry('', new RecordKeeper('', tools), tools.store === undefined);
  }

  entry(key: string): TargetEntry {
    const { own } = this;
    if (key === '') return own;
    let entry = this.#others.get(key);
    if (entry && entry === this.#latest) return entry;
    if (!entry) {
      const { oneRecord, store } = this.#tools;
      entry = oneRecord ? new TargetEntry(key, own.keeper, own.loaded) : new TargetEntry(key, new RecordKeeper(key, this.#tools), !store);
      if (oneRecord) entry.ended = own.ended;
      this.#makeRoom();
    }
    this.#others.delete(key);
    this.#others.set(key, entry);
    this.#latest = entry;
    return entry;
  }

  all(): readonly TargetEntry[] {
    return [this.own, ...this.#others.values()];
  }

  /** Those whose tokens are in the same record. */
  sharing(entry: TargetEntry): readonly TargetEntry[] {
    return this.#tools.oneRecord ? this.all() : [entry];
  }

  keepers(): readonly RecordKeeper[] {
    return [...new Set(this.all().map((entry) => entry.keeper))];
  }

  #makeRoom(): void {
    const { maxTargets, clock } = this.#tools;
    for (const [key, { flight, cooldown }] of this.#others) {
      if (this.#others.size < maxTargets) return;
      const cooling = cooldown && cooldown.blockedMs !== Infinity && ageMs(cooldown, clock) < cooldown.blockedMs;
      if (!flight && !cooling) this.#others.delete(key);
    }
  }
}
