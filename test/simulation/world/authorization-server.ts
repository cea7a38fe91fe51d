import type { VirtualClock } from 'tokenkeep/testing';
import type { Plan } from './plan.js';
import type { Random } from './random.js';

/** An access token as the server knows it. */
export interface IssuedToken {
  readonly value: string;
  readonly target: string;
  readonly lifetimeMs: number | undefined;
  /** True time of issue. */
  readonly issuedAt: number;
  revoked: boolean;
  /** How often the server gave it. */
  copies: number;
}

export interface Issued {
  readonly token: IssuedToken;
  readonly refreshToken: string | undefined;
}

const graceMs = 60_000;

/** One grant at a server that rotates refresh tokens and detects their reuse, in true time. */
export class SimulatedServer {
  readonly initialRefreshToken = 'rt-0';
  readonly tokens = new Map<string, IssuedToken>();
  currentRefreshToken = 'rt-0';
  alive = true;
  /** Spent refresh tokens that came back outside the grace. */
  reuses = 0;
  readonly #plan: Plan;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #spentAt = new Map<string, number>();
  readonly #lastOfTarget = new Map<string, IssuedToken>();
  #issued = 0;

  constructor(plan: Plan, clock: VirtualClock, random: Random) {
    this.#plan = plan;
    this.#clock = clock;
    this.#random = random;
  }

  /** Spends the refresh token, if there is one, and issues; undefined is `invalid_grant`. */
  commit(target: string, refreshToken: string | undefined): Issued | undefined {
    if (refreshToken === undefined) return { token: this.#issue(target), refreshToken: undefined };
    if (!this.alive) return undefined;
    if (refreshToken === this.currentRefreshToken) {
      if (this.#plan.rotation === 'same') return { token: this.#issue(target), refreshToken: this.#random.chance(0.5) ? refreshToken : undefined };
      this.#spentAt.set(refreshToken, this.#clock.outsideNow());
      this.currentRefreshToken = `rt-${this.#spentAt.size}`;
      return { token: this.#issue(target), refreshToken: this.currentRefreshToken };
    }
    const spentAt = this.#spentAt.get(refreshToken);
    // Grace for the one before the current one: its successor is given again.
    const isPrevious = refreshToken === `rt-${this.#spentAt.size - 1}`;
    if (this.#plan.rotation === 'grace' && isPrevious && spentAt !== undefined && this.#clock.outsideNow() - spentAt <= graceMs) {
      return { token: this.#issue(target), refreshToken: this.currentRefreshToken };
    }
    this.reuses++;
    this.alive = false;
    for (const token of this.tokens.values()) token.revoked = true;
    return undefined;
  }

  /** Whether an API takes it. */
  accepts(value: string): boolean {
    const token = this.tokens.get(value);
    return token !== undefined && !token.revoked && (token.lifetimeMs === undefined || this.#clock.outsideNow() - token.issuedAt < token.lifetimeMs);
  }

  /** One token that an API stops to take, though it has not expired. */
  revokeLatest(): IssuedToken | undefined {
    const latest = [...this.tokens.values()].at(-1);
    if (latest !== undefined) latest.revoked = true;
    return latest;
  }

  #issue(target: string): IssuedToken {
    const before = this.#lastOfTarget.get(target);
    if (this.#plan.repeatsTokens && before !== undefined && this.accepts(before.value) && this.#random.chance(0.3)) {
      before.copies++;
      return before;
    }
    const [first, ...others] = this.#plan.lifetimesMs;
    const token = {
      value: `at-${++this.#issued}`,
      target,
      lifetimeMs: this.#random.pick(first, ...others),
      issuedAt: this.#clock.outsideNow(),
      revoked: false,
      copies: 1,
    };
    this.tokens.set(token.value, token);
    this.#lastOfTarget.set(target, token);
    return token;
  }
}
