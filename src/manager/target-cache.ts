import type { TokenError } from '../core/errors.js';
import type { TokenSet } from '../core/token-set.js';
import type { TokenTarget } from '../core/token-source.js';
import type { TargetState } from './decide.js';
import type { Flight } from './flight.js';
import type { RecordKeeper } from './record-keeper.js';
import type { Cooldown, HeldToken } from './state.js';
import type { CanonicalTarget } from './target-key.js';

/** One API that tokens are for, and what is known about its token. */
export interface TargetEntry extends TargetState {
  readonly key: string;
  readonly target: TokenTarget;
  readonly keeper: RecordKeeper;
  held: HeldToken | undefined;
  flight: Flight | undefined;
  cooldown: Cooldown | undefined;
  ended: TokenError | undefined;
  loaded: boolean;
  loading: Promise<void> | undefined;
  /** The token whose end was announced last, so that each is announced once. */
  expiring: HeldToken | undefined;
  expired: HeldToken | undefined;
}

export interface TargetCacheOptions {
  readonly maxTargets: number;
  readonly renews: 'refreshToken' | 'regrant' | 'never';
  readonly hasStore: boolean;
  readonly newKeeper: (targetKey: string) => RecordKeeper;
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
    this.own = this.#create({ key: '', target: {} }, options.newKeeper(''));
  }

  entry(wanted: CanonicalTarget): TargetEntry {
    if (wanted.key === '') return this.own;
    let entry = this.#others.get(wanted.key);
    if (entry !== undefined && entry === this.#latest) return entry;
    if (entry === undefined) {
      // All access tokens of one refresh token live in one record.
      entry = this.#create(wanted, this.#options.renews === 'refreshToken' ? this.own.keeper : this.#options.newKeeper(wanted.key));
      this.#makeRoom();
    } else this.#others.delete(wanted.key);
    this.#others.set(wanted.key, entry);
    this.#latest = entry;
    return entry;
  }

  all(): readonly TargetEntry[] {
    return [this.own, ...this.#others.values()];
  }

  /** Everything that a revocation would have to name: one set per record. */
  tokenSets(): readonly TokenSet[] {
    const keepers = new Set(this.all().map((entry) => entry.keeper));
    return [...keepers].flatMap(({ record }) => {
      const [held, ...others] = record.tokens;
      if (held === undefined && record.refreshToken === undefined) return [];
      const set = (token: HeldToken | undefined, refreshToken: string | undefined): TokenSet => ({
        accessToken: token?.token.value ?? '',
        tokenType: token?.token.type ?? 'Bearer',
        sentAt: token?.wall ?? 0,
        lifetimeMs: token?.lifetimeMs,
        scope: token?.token.scope ?? [],
        refreshToken,
      });
      return [set(held, record.refreshToken), ...others.map((other) => set(other, undefined))];
    });
  }

  #create({ key, target }: CanonicalTarget, keeper: RecordKeeper): TargetEntry {
    const held = keeper.record.tokens.find((token) => token.targetKey === key);
    return {
      key,
      target,
      keeper,
      held,
      flight: undefined,
      cooldown: undefined,
      ended: key === '' ? undefined : this.#options.renews === 'refreshToken' ? this.own.ended : undefined,
      loaded: !this.#options.hasStore || keeper === this.own?.keeper && this.own.loaded,
      loading: undefined,
      expiring: undefined,
      expired: undefined,
    };
  }

  #makeRoom(): void {
    if (this.#others.size < this.#options.maxTargets) return;
    for (const [key, entry] of this.#others) {
      if (entry.flight !== undefined || entry.cooldown !== undefined) continue;
      this.#others.delete(key);
      return;
    }
  }
}
