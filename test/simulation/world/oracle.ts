import type { AccessToken } from 'tokenkeep';
import type { IssuedToken } from './authorization-server.js';
import { BackOffRule } from './back-off-rule.js';
import { elapsedSince, type Moment, momentOf } from './clocks.js';
import type { World } from './world.js';

/** A token request on its way. */
export interface SentRequest {
  readonly manager: number;
  readonly target: string;
  readonly refreshToken: string | undefined;
  readonly at: Moment;
  readonly order: number;
}

/** A token as some client got it from the server. */
interface Delivery extends Moment {
  readonly token: IssuedToken;
  readonly order: number;
  readonly manager: number;
  /** When callers first got it. */
  servedAt: number | undefined;
  /** The wall clock was set since: managers may differ about its age. */
  clocksMoved: boolean;
}

const followUpMs = 61_000;
// A token out of a store counts as older than it is by the time that the read took.
const readMs = 100;

/** Sees everything, and objects to what must never happen. */
export class Oracle {
  readonly backOff: BackOffRule;
  /** Requests that reached the server, or may still reach it, and whose answers no client gets. */
  lost = 0;
  /** Store calls that failed, or answered otherwise than they did. */
  storeFailures = 0;
  refusals = 0;
  requests = 0;
  administratorEnded = false;
  /** How often a manager forgot everything. */
  forgets = 0;
  order = 0;
  #forgottenAt = 0;
  #movedAt = -1;
  #unanswered: Moment = { wall: -Infinity, mono: -Infinity };
  readonly #world: World;
  readonly #inFlight = new Map<string, number>();
  readonly #deliveries = new Map<string, Delivery>();
  /** Latest token of each scope of sharing and target. */
  readonly #latest = new Map<string, Delivery>();
  readonly #landed = new Map<string, Delivery>();
  readonly #refused = new Set<string>();
  readonly #wishes = new Set<string>();
  readonly #served = new Map<string, Delivery>();

  constructor(world: World) {
    this.#world = world;
    this.backOff = new BackOffRule(world);
  }

  requestSent(manager: number, target: string, refreshToken: string | undefined): SentRequest {
    const { clock, plan } = this.#world;
    const request = { manager, target, refreshToken, at: momentOf(clock), order: ++this.order };
    this.requests++;
    const key = this.#exclusive(request);
    const parallel = (this.#inFlight.get(key) ?? 0) + 1;
    this.#inFlight.set(key, parallel);
    if (parallel > 1) this.#world.violation(`${parallel} requests at once for ${key}`);
    this.backOff.requestSent(request);
    const scope = this.#scope(manager, target);
    const latest = this.#latest.get(scope);
    if (latest !== undefined && this.storeFailures === 0) this.#checkJustified(latest, request.at, this.#wishes.has(scope));
    if (plan.renews === 'refreshToken' && this.refusals > 0 && this.storeFailures === 0 && this.forgets === 0)
      this.#world.violation('a request after the grant was refused for good');
    return request;
  }

  requestEnded(request: SentRequest): void {
    const key = this.#exclusive(request);
    this.#inFlight.set(key, (this.#inFlight.get(key) ?? 1) - 1);
  }

  requestFailed(request: SentRequest, retryAfterMs: number | undefined): void {
    this.#unanswered = momentOf(this.#world.clock);
    if (retryAfterMs !== undefined) this.backOff.askedToWait(request.manager, retryAfterMs);
  }

  delivered(request: SentRequest, token: IssuedToken): void {
    const delivery = {
      token,
      wall: request.at.wall,
      mono: request.at.mono,
      order: request.order,
      manager: request.manager,
      servedAt: undefined,
      clocksMoved: this.#movedAt >= request.order,
    };
    this.#deliveries.set(token.value, delivery);
    this.#landed.set(`${request.manager} ${request.target}`, delivery);
    this.backOff.succeeded(request.manager, request.target);
  }

  /** A manager says that it has a token in use, and has stored it if it could. */
  stored(manager: number, target: string): void {
    const delivery = this.#landed.get(`${manager} ${target}`);
    if (delivery !== undefined && delivery.order > this.#forgottenAt) this.#latest.set(this.#scope(manager, target), delivery);
  }

  /** The wall clock was set, or the machine slept. */
  clocksMoved(): void {
    this.#movedAt = this.order;
    for (const delivery of this.#deliveries.values()) delivery.clocksMoved = true;
    this.backOff.clocksMoved();
  }

  answerLost(): void {
    this.lost++;
  }

  refusalDelivered(_request: SentRequest): void {
    this.refusals++;
  }

  /** An API refused it, or a caller says so. */
  refused(value: string): void {
    this.#refused.add(value);
  }

  /** Somebody would like a token that lives longer. */
  wished(manager: number, target: string): void {
    this.#wishes.add(this.#scope(manager, target));
  }

  /** The manager forgot everything; others that share its store do so when they look. */
  forgotten(manager: number): void {
    this.forgets++;
    this.#forgetUntilNow();
    this.backOff.forgotten(manager);
  }

  /** That has come to the store. What others drew and shared while it was on its way there may end with it. */
  forgottenByAll(): void {
    if (this.#world.plan.managers > 1) this.#forgetUntilNow();
  }

  #forgetUntilNow(): void {
    this.#forgottenAt = this.order;
    this.#latest.clear();
    this.#served.clear();
  }

  /** Whether a call without wishes must be answered without waiting. */
  mustServeAtOnce(manager: number, target: string): boolean {
    const served = this.#served.get(`${manager} ${target}`);
    if (served === undefined || this.storeFailures > 0) return false;
    const { managers, lifetimesMs, store } = this.#world.plan;
    // Another manager's later token may be the shorter-lived one, and reads that take seconds make tokens older.
    if (managers > 1 && (lifetimesMs.length > 1 || store === 'hostile')) return false;
    // One that came later may have been given less time.
    const latest = this.#latest.get(this.#scope(manager, target)) ?? served;
    return served.order > this.#forgottenAt && this.#isGood(served) && this.#isGood(latest);
  }

  handedOut(manager: number, target: string, token: AccessToken, asked: { readonly notBefore: number; readonly invalid: string | undefined }): void {
    const delivery = this.#deliveries.get(token.value);
    if (delivery === undefined) {
      this.#world.violation(`${token.value} was handed out and never delivered`);
      return;
    }
    if (delivery.token.target !== target) this.#world.violation(`${token.value} is for another target`);
    if (delivery.order <= asked.notBefore) this.#world.violation(`${token.value} of an old epoch was handed out`);
    if (asked.invalid === token.value && delivery.token.copies === 1) this.#world.violation(`${token.value} was refused and handed out again`);
    const now = momentOf(this.#world.clock);
    const age = elapsedSince(delivery, now);
    // Those who waited for this very answer get it, however old it is by then.
    const waited = delivery.manager === manager && (delivery.servedAt ?? now.mono) === now.mono;
    delivery.servedAt ??= now.mono;
    // A value's age in the store begins when the write arrives there; clocks that were set meanwhile go unnoticed.
    const unknowable = delivery.clocksMoved && (delivery.token.copies > 1 || this.#writeMs() > 0);
    if (!waited && !unknowable && age >= this.#refuseAgeMs(delivery.token) + this.#writeMs())
      this.#world.violation(`${token.value} was handed out at the age of ${age} ms`);
    this.#served.set(`${manager} ${target}`, delivery);
  }

  #isGood(delivery: Delivery): boolean {
    return (
      !delivery.clocksMoved &&
      delivery.token.copies === 1 &&
      !this.#refused.has(delivery.token.value) &&
      elapsedSince(delivery, momentOf(this.#world.clock)) < this.#refuseAgeMs(delivery.token) - readMs
    );
  }

  #checkJustified(latest: Delivery, now: Moment, wished: boolean): void {
    const { plan } = this.#world;
    const { lifetimeMs, value } = latest.token;
    if (latest.clocksMoved || this.#refused.has(value) || latest.token.copies > 1) return;
    // A sign-out that is still on its way to a slow store takes along what others write there meanwhile.
    if (plan.managers > 1 && plan.endings && (plan.store === 'slow' || plan.store === 'hostile')) return;
    // A refresh token that was sent and never answered is followed up while a grace window may be open.
    if (plan.renews === 'refreshToken' && elapsedSince(this.#unanswered, now) < followUpMs) return;
    const age = elapsedSince(latest, now);
    // A wish for a longer life counts up to half of it.
    const aheadMs = (life: number): number => Math.max(Math.min(plan.skewMs, life / 2) * 1.1, wished ? life / 2 : 0);
    const softMs = lifetimeMs === undefined ? Infinity : lifetimeMs === 0 ? 5_000 : lifetimeMs - aheadMs(lifetimeMs);
    if (age < Math.min(softMs, this.#refuseAgeMs(latest.token)) - readMs) this.#world.violation(`a request though ${value} is ${age} ms old and good`);
  }

  #refuseAgeMs({ lifetimeMs }: IssuedToken): number {
    if (lifetimeMs === undefined) return Infinity;
    if (lifetimeMs === 0) return 5_000;
    return lifetimeMs - Math.min(this.#world.plan.minValidMs, lifetimeMs / 4);
  }

  #writeMs(): number {
    const { store } = this.#world.plan;
    return store === 'hostile' ? 8_100 : store === 'slow' ? 100 : 0;
  }

  #exclusive({ manager, target, refreshToken }: SentRequest): string {
    return refreshToken ?? this.#scope(manager, target);
  }

  #scope(manager: number, target: string): string {
    return `${this.#world.plan.store === 'none' ? manager : 'all'} ${target}`;
  }
}
