import type { RecordKeeper } from './record-keeper.js';
import type { Instant } from './state.js';
import { heldFor, type TargetEntry } from './target-entry.js';
import type { CanonicalTarget } from './target-key.js';

export interface TargetCacheOptions {
  readonly maxTargets: number;
  /** All targets live in one record. */
  readonly oneRecord: boolean;
  readonly hasStore: boolean;
  readonly newKeeper: (targetKey: string) => RecordKeeper;
  readonly ageMs: (since: Instant) => number;
}

/** The targets of one manager, bounded: the least recently used goes first, but none that is in flight or cooling down. */
export class TargetCache {
  /** The manager's own target; it stays. */
  readonly own: TargetEntry;
  readonly #options: TargetCacheOptions;
  // In the order of use: a Map keeps the order of insertion.
  readonly #others = new Map<string, TargetEntry>();
  #latest: TargetEntry | undefined;

  constructor(options: TargetCacheOptions) {
    this.#options = options;
    this.own = newEntry({ key: '', target: {} }, options.newKeeper(''), !options.hasStore);
  }

  entry(wanted: CanonicalTarget): TargetEntry {
    if (wanted.key === '') return this.own;
    let entry = this.#others.get(wanted.key);
    if (entry !== undefined && entry === this.#latest) return entry;
    if (entry === undefined) {
      const { oneRecord, hasStore, newKeeper } = this.#options;
      entry = oneRecord ? newEntry(wanted, this.own.keeper, this.own.loaded) : newEntry(wanted, newKeeper(wanted.key), !hasStore);
      if (oneRecord) entry.ended = this.own.ended;
      this.#makeRoom();
    } else this.#others.delete(wanted.key);
    this.#others.set(wanted.key, entry);
    this.#latest = entry;
    return entry;
  }

  all(): readonly TargetEntry[] {
    return [this.own, ...this.#others.values()];
  }

  keepers(): readonly RecordKeeper[] {
    return [...new Set(this.all().map((entry) => entry.keeper))];
  }

  #makeRoom(): void {
    for (const [key, { flight, cooldown }] of this.#others) {
      if (this.#others.size < this.#options.maxTargets) return;
      const blockedMs = cooldown?.blockedMs ?? 0;
      const cooling = cooldown !== undefined && blockedMs !== Infinity && this.#options.ageMs(cooldown) < blockedMs;
      if (flight === undefined && !cooling) this.#others.delete(key);
    }
  }
}

function newEntry({ key, target }: CanonicalTarget, keeper: RecordKeeper, loaded: boolean): TargetEntry {
  const entry: TargetEntry = {
    key,
    target,
    keeper,
    loaded,
    held: undefined,
    flight: undefined,
    cooldown: undefined,
    ended: undefined,
    loading: undefined,
    expiring: undefined,
    expired: undefined,
  };
  entry.held = heldFor(entry);
  return entry;
}
