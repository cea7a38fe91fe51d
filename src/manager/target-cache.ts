import { ageMs } from '../core/instant.js';
import { RecordKeeper } from './record-keeper.js';
import type { RenewalTools } from './renewal-tools.js';
import { TargetEntry } from './target-entry.js';

/** The targets of one manager, bounded: the least recently used goes first, but none that is in flight or cooling down. */
export interface TargetCache {
  /** The manager's own target; it stays. */
  readonly own: TargetEntry;
  entry(key: string): TargetEntry;
  all(): readonly TargetEntry[];
  /** Those whose tokens are in the same record. */
  sharing(entry: TargetEntry): readonly TargetEntry[];
}

export function targetCache(tools: RenewalTools): TargetCache {
  const { oneRecord, store, clock, maxTargets } = tools;
  const own = new TargetEntry('', new RecordKeeper('', tools), !store);
  // In the order of use: a Map keeps the order of insertion.
  const others = new Map<string, TargetEntry>();
  let latest = own;

  function makeRoom(): void {
    for (const [key, { flight, cooldown }] of others) {
      if (others.size < maxTargets) return;
      const cooling = cooldown && cooldown.blockedMs !== Infinity && ageMs(cooldown, clock) < cooldown.blockedMs;
      if (!flight && !cooling) others.delete(key);
    }
  }

  const all = (): readonly TargetEntry[] => [own, ...others.values()];
  return {
    own,
    entry(key) {
      if (key === '') return own;
      let entry = others.get(key);
      if (entry && entry === latest) return entry;
      if (!entry) {
        makeRoom();
        entry = oneRecord ? new TargetEntry(key, own.keeper, own.loaded) : new TargetEntry(key, new RecordKeeper(key, tools), !store);
      }
      others.delete(key);
      others.set(key, entry);
      latest = entry;
      return entry;
    },
    all,
    sharing: (entry) => (oneRecord ? all() : [entry]),
  };
}
