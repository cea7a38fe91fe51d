import type { TokenEvent } from 'tokenkeep';
import { elapsedSince, type Moment, momentOf } from './clocks.js';
import type { SentRequest } from './oracle.js';
import type { World } from './world.js';

interface Failures extends Moment {
  readonly inARow: number;
  readonly pauseMs: number;
}

// Fractions of milliseconds come and go.
const toleranceMs = 1;

/** How many requests are allowed, and when: R20 to R24 as seen from outside. */
export class BackOffRule {
  readonly #world: World;
  readonly #failures = new Map<string, Failures>();
  readonly #attempts = new Map<string, number>();
  readonly #asked = new Map<number, Moment & { readonly ms: number }>();

  constructor(world: World) {
    this.#world = world;
  }

  requestSent({ manager, target, at }: SentRequest): void {
    const key = keyOf(manager, target);
    const failures = this.#failures.get(key);
    if (failures !== undefined && elapsedSince(failures, at) < failures.pauseMs - toleranceMs)
      this.#world.violation(`m${manager} "${target}" asks ${elapsedSince(failures, at)} ms after failure ${failures.inARow}, due after ${failures.pauseMs}`);
    const attempts = (this.#attempts.get(key) ?? 0) + 1;
    this.#attempts.set(key, attempts);
    const { oracle, plan } = this.#world;
    // What was forgotten meanwhile, or stored by somebody else, makes a flight look again, three times at most.
    const rounds = oracle.forgets > 0 || oracle.storeFailures > 0 ? 3 + oracle.forgets : 1;
    const most = (plan.renews === 'refreshToken' ? 2 : 3) * rounds;
    if (attempts > most) this.#world.violation(`${attempts} attempts in one flight of m${manager} "${target}"`);
    const asked = this.#asked.get(manager);
    if (asked !== undefined && elapsedSince(asked, at) < asked.ms - toleranceMs)
      this.#world.violation(`m${manager} asks ${elapsedSince(asked, at)} ms after the endpoint asked for ${asked.ms} ms of rest`);
  }

  askedToWait(manager: number, ms: number): void {
    const now = momentOf(this.#world.clock);
    const asked = this.#asked.get(manager);
    if (asked === undefined || asked.ms - elapsedSince(asked, now) < ms) this.#asked.set(manager, { ...now, ms });
  }

  /** Any success shows that the endpoint is there again. */
  succeeded(manager: number, target: string): void {
    this.#asked.delete(manager);
    for (let other = 0; other < this.#world.plan.managers; other++) this.#failures.delete(keyOf(other, target));
  }

  /** Pauses may be over by a clock that was set forward, even if it is set back by the time of the request. */
  clocksMoved(): void {
    this.#asked.clear();
    for (const [key, failures] of this.#failures) this.#failures.set(key, { ...failures, pauseMs: 0 });
  }

  event(manager: number, event: TokenEvent): void {
    if (event.type === 'token') {
      this.#attempts.delete(keyOf(manager, event.target));
      // All targets of a refresh token live in one record, and good news for one may be news for the others.
      const oneRecord = this.#world.plan.renews === 'refreshToken';
      for (const key of this.#failures.keys()) {
        if (oneRecord ? key.startsWith(`${manager} `) : key === keyOf(manager, event.target)) this.#failures.delete(key);
      }
    }
    if (event.type !== 'renewal_failed') return;
    const key = keyOf(manager, event.target);
    const inARow = (this.#failures.get(key)?.inARow ?? 0) + 1;
    const { plan } = this.#world;
    // Where clocks are set, what is found in a store may begin the count anew; a store that fails makes its own rules.
    const counted = plan.clockJumps ? 1 : inARow;
    const transientMs = Math.max(Math.min(30_000, 1_000 * 2 ** (counted - 1)), event.error.code === 'invalid_response' ? 5_000 : 0);
    const { kind } = event.error;
    const configurationMs = event.background ? transientMs : 60_000;
    const knownMs = kind === 'transient' ? transientMs : kind === 'configuration' ? configurationMs : 0;
    const pauseMs = plan.store === 'hostile' ? 0 : knownMs;
    this.#failures.set(key, { ...momentOf(this.#world.clock), inARow, pauseMs });
    this.#attempts.delete(key);
  }

  forgotten(manager: number): void {
    for (const key of this.#failures.keys()) if (key.startsWith(`${manager} `)) this.#failures.delete(key);
    for (const key of this.#attempts.keys()) if (key.startsWith(`${manager} `)) this.#attempts.delete(key);
  }
}

function keyOf(manager: number, target: string): string {
  return `${manager} ${target === 'default' ? '' : target}`;
}
