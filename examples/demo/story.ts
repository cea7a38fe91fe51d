import type { AccessToken, JournalEntry, TokenManager } from 'tokenkeep';
import { CallCounter } from './call-counter.ts';
import { History } from './history.ts';
import type { Arrival, RequestFact, TokenFact, Tone, TroubleFact } from './page-messages.ts';
import type { ServiceClock } from './service-clock.ts';
import type { ServiceWatcher } from './service.ts';

type Event<T extends JournalEntry['type']> = Extract<JournalEntry, { readonly type: T }>;

/** Turns what happens to the service's tokens into the facts that the page shows. No token's value gets into them. */
export class Story implements ServiceWatcher {
  readonly history = new History();
  readonly calls = new CallCounter(this.history);
  readonly #clock: ServiceClock;
  readonly #minValidMs: number;
  #tokens: TokenManager | undefined;
  #token: TokenFact | undefined;
  #tokenRequests = 0;
  #lines = 0;
  #troubles = 0;
  /** What the calls that failed since the last answer have in common. */
  #outage: { count: number; readonly id: string; readonly reason: string } | undefined;

  constructor(clock: ServiceClock, minValidMs: number) {
    this.#clock = clock;
    this.#minValidMs = minValidMs;
  }

  get tokens(): TokenManager | undefined {
    return this.#tokens;
  }

  /** The token that is in use, or was last. */
  get token(): TokenFact | undefined {
    return this.#token;
  }

  get tokenRequests(): number {
    return this.#tokenRequests;
  }

  get hasOutage(): boolean {
    return this.#outage !== undefined;
  }

  starts(tokens: TokenManager): void {
    this.#tokens = tokens;
  }

  asks(again: boolean): (token: AccessToken) => void {
    if (again) this.calls.sentAgain++;
    const handedOut = again || this.#tokens?.peek() === undefined ? this.calls.waits() : undefined;
    return () => {
      handedOut?.();
      if (this.#token) this.#token = this.history.set({ ...this.#token, served: this.#token.served + 1 });
    };
  }

  answered(): void {
    this.calls.answers();
    if (this.#outage === undefined) return;
    const { count } = this.#outage;
    this.#outage = undefined;
    this.line('good', 'Calls are answered again', `${count} had failed meanwhile. Nobody had to restart the service.`);
  }

  failed(error: unknown): void {
    this.calls.fails();
    const cause = this.#tokens?.snapshot().lastError ?? error;
    const reason = cause instanceof Error ? cause.message : 'for an unknown reason';
    this.#outage ??= { count: 0, id: this.#nextLine(), reason };
    this.#outage.count++;
    const text = `There is no token that the API takes. They fail at once and say why: ${this.#outage.reason}`;
    this.line('bad', `${this.#outage.count === 1 ? '1 call fails' : `${this.#outage.count} calls fail`}`, text, true, this.#outage.id);
  }

  happened(entry: JournalEntry): void {
    if (entry.type === 'token') this.#arrived(entry);
    if (entry.type === 'refused') this.#refused();
    if (entry.type === 'expired') this.line('trouble', `Token #${this.#token?.number} has run out`, 'Calls wait for the next one rather than be refused.');
    if (entry.type === 'renewal_failed') this.#renewalFailed(entry);
    if (entry.type === 'warning') this.line('plain', 'Worth knowing', entry.message);
  }

  /** A fetch that keeps an eye on token requests. */
  readonly fetch: typeof fetch = async (input, init) => {
    if ((init?.method ?? 'GET') !== 'POST') return fetch(input, init);
    const request: RequestFact = this.history.set({ kind: 'request', id: `request-${++this.#tokenRequests}`, from: this.history.now });
    let isGood = false;
    try {
      const response = await fetch(input, init);
      isGood = response.ok;
      return response;
    } finally {
      this.#lastRequestMs = this.history.now - request.from;
      this.history.set({ ...request, to: this.history.now, isGood });
    }
  };
  #lastRequestMs = 0;

  /** Notes what the visitor did. Gives the way to note its end. */
  trouble(label: string, isSpan = false): () => void {
    const fact: TroubleFact = this.history.set({ kind: 'trouble', id: `trouble-${++this.#troubles}`, from: this.history.now, isSpan, label });
    return () => void this.history.set({ ...fact, to: this.history.now });
  }

  line(tone: Tone, title: string, text: string, isNews = tone !== 'plain', id = this.#nextLine()): void {
    this.history.set({ kind: 'line', id, from: this.history.now, tone, title, text, isNews });
  }

  #nextLine(): string {
    return `line-${++this.#lines}`;
  }

  #arrived(entry: Event<'token'>): void {
    const { now } = this.history;
    const before = this.#token;
    if (before) this.history.set({ ...before, to: now });
    const arrival: Arrival = before === undefined ? 'acquired' : before.refusedAt !== undefined ? 'replaced' : entry.background ? 'renewed' : 'waited';
    const number = (before?.number ?? 0) + 1;
    const goodUntil = now + (entry.expiresAt ?? Infinity) - entry.at - this.#minValidMs;
    this.#token = this.history.set({ kind: 'token', id: `token-${number}`, number, from: now, arrival, renewFrom: goodUntil, goodUntil, served: 0 });
    // What the manager says about itself is up to date once it has reported.
    setImmediate(() => this.#noteRenewal(number));
    this.#tell(arrival, number);
  }

  #noteRenewal(number: number): void {
    const renewAt = this.#tokens?.snapshot().renewAt;
    if (renewAt === undefined || this.#token?.number !== number) return;
    this.#token = this.history.set({ ...this.#token, renewFrom: this.history.now + renewAt - this.#clock.now() });
  }

  #tell(arrival: Arrival, number: number): void {
    const request = `One request, ${seconds(this.#lastRequestMs)}`;
    const waiting = this.calls.waiting === 1 ? '1 call' : `${this.calls.waiting} calls`;
    if (arrival === 'acquired') this.line('good', `Token #${number} acquired`, `${request}, for the ${waiting} that waited for it.`, false);
    if (arrival === 'renewed') this.line('plain', `Token #${number} renewed behind the callers`, `${request}. Nobody waited.`);
    if (arrival === 'waited') this.line('good', `Token #${number} acquired`, `${request}, for the ${waiting} that waited. None failed because of it.`);
    if (arrival === 'replaced')
      this.line('good', `Token #${number - 1} replaced by #${number}`, `${request}. Each refused call was sent again, and its caller saw no 401.`);
  }

  // Also reported at each further try while no other token is to be had.
  #refused(): void {
    if (this.#token === undefined || this.#token.refusedAt !== undefined) return;
    this.#token = this.history.set({ ...this.#token, refusedAt: this.history.now });
    this.line('trouble', `The API answers 401 to token #${this.#token.number}`, 'The calls concerned wait while one request replaces it.');
  }

  #renewalFailed({ error, background }: Event<'renewal_failed'>): void {
    if (!background || this.#token === undefined) return;
    const { now } = this.history;
    this.#token = this.history.set({ ...this.#token, servedOnFrom: this.#token.servedOnFrom ?? now });
    this.line('trouble', `A renewal failed; token #${this.#token.number} is served on`, `No call notices: ${error.message}.`);
  }
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 1000 ? 2 : 1)} s`;
}
