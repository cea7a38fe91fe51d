import type { Clock, TokenManager, TokenSource, TokenStore } from 'tokenkeep';
import { createAuthFetch } from 'tokenkeep/http';
import { type VirtualClock, virtualClock } from 'tokenkeep/testing';
import { buildManager } from '../../../src/manager/kept-tokens.js';
import { renew } from '../../../src/manager/renew.js';
import { SimulatedServer } from './authorization-server.js';
import { type CountedClock, countedClock } from './clocks.js';
import { simulatedStore } from './hostile-store.js';
import { Oracle } from './oracle.js';
import { drawPlan, type Plan, type Weather } from './plan.js';
import { Random } from './random.js';
import { simulatedGrant } from './simulated-grant.js';

/** What is broken on purpose, to prove that the simulation finds it. */
export interface Mutation {
  readonly store?: ((store: TokenStore) => TokenStore) | undefined;
  readonly manager?: ((manager: TokenManager) => TokenManager) | undefined;
  readonly clock?: ((clock: Clock) => Clock) | undefined;
  readonly plan?: Partial<Plan> | undefined;
}

/** One manager of a schedule and what belongs to it. */
export interface Member {
  readonly index: number;
  readonly clock: CountedClock;
  readonly manager: TokenManager;
  readonly sources: readonly { readonly target: string; readonly source: TokenSource; readonly fetch: typeof fetch }[];
  disposed: boolean;
  /** By target: requests up to this one belong to an epoch that was ended. */
  readonly notBefore: Map<string, number>;
  /** Targets that it knows. */
  readonly asked: Set<string>;
}

/** Everything that one schedule consists of. All choices come from its seed. */
export class World {
  readonly plan: Plan;
  readonly random: Random;
  readonly clock: VirtualClock = virtualClock();
  readonly server: SimulatedServer;
  readonly oracle: Oracle;
  readonly store: TokenStore | undefined;
  readonly members: readonly Member[];
  readonly violations: string[] = [];
  readonly lines: string[] = [];
  readonly sessionEnds: string[] = [];
  weather: Weather;
  /** What was written last. */
  stored = '';
  #tracing: boolean;

  constructor(seed: number, schedule: number, tracing: boolean, mutation: Mutation = {}) {
    this.random = new Random(seed, schedule);
    this.plan = { ...drawPlan(this.random), ...mutation.plan };
    this.#tracing = tracing;
    this.weather = this.plan.weather;
    this.server = new SimulatedServer(this.plan, this.clock, this.random);
    this.oracle = new Oracle(this);
    const store = simulatedStore(this.plan, this.clock, this.random, {
      failed: () => {
        this.oracle.storeFailures++;
        this.trace(() => 'the store fails');
      },
      written: (value) => {
        this.stored = value;
      },
    });
    this.store = store && (mutation.store?.(store) ?? store);
    this.members = Array.from({ length: this.plan.managers }, (_, index) => this.#member(index, mutation));
    this.trace(() => `plan ${JSON.stringify(this.plan)}`);
  }

  violation(text: string): void {
    this.violations.push(text);
    this.trace(() => `VIOLATION ${text}`);
  }

  trace(line: () => string): void {
    if (this.#tracing) this.lines.push(`${(this.clock.monotonicMs() - 5_000_000).toFixed(1).padStart(10)} ${line()}`);
  }

  #member(index: number, mutation: Mutation): Member {
    const { plan } = this;
    const random = new Random(this.random.int(0, 2 ** 30), index);
    const clock = countedClock(mutation.clock?.(this.clock) ?? this.clock);
    const { tokens: made } = buildManager(
      {
        grant: simulatedGrant(this, index),
        clock,
        store: this.store,
        skewMs: plan.skewMs,
        minValidMs: plan.minValidMs,
        keepFresh: plan.keepFresh && index === 0,
        onEvent: (event) => {
          this.oracle.backOff.event(index, event);
          if (event.type === 'token' && event.source === 'server') this.oracle.stored(index, event.target === 'default' ? '' : event.target);
          if (event.type === 'session_ended' && !event.elsewhere) this.sessionEnds.push(event.reason);
          this.trace(
            () =>
              `m${index} event ${event.type} ${'code' in event ? event.code : ''}${'error' in event && typeof event.error === 'object' ? event.error.code : ''}${'source' in event ? event.source : ''}${'reason' in event ? ` ${event.reason}` : ''}`,
          );
        },
      },
      { renew, random: () => random.next(), digest: (text) => Promise.resolve(`digest of ${text}`) },
    );
    const manager = mutation.manager?.(made) ?? made;
    const sources = Array.from({ length: plan.targets }, (_, number) => {
      const target = number === 0 ? '' : `scope-${number}`;
      const source = number === 0 ? manager : manager.for({ scope: target });
      return { target, source, fetch: createAuthFetch(source, { allow: ['https://api.test'], fetch: this.#api, clock }) };
    });
    return { index, clock, manager, sources, disposed: false, notBefore: new Map(), asked: new Set(['']) };
  }

  readonly #api: typeof fetch = async (_input, init) => {
    const value = new Headers(init?.headers).get('authorization')?.slice('Bearer '.length) ?? '';
    await this.clock.sleep(this.random.between(1, 100));
    const accepted = this.server.accepts(value);
    if (!accepted) this.oracle.refused(value);
    await this.clock.sleep(this.random.between(1, 500));
    this.trace(() => `api: ${value} ${accepted ? 200 : 401}`);
    return new Response(null, accepted ? { status: 200 } : { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } });
  };
}
