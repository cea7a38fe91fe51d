import { createHash, randomBytes } from 'node:crypto';
import type { AccessToken, JournalEntry } from 'tokenkeep';
import type { Paper } from './paper.ts';
import type { ServiceWatcher } from './service.ts';

/** What the service did, in numbers. */
export interface Totals {
  readonly answered: number;
  readonly failed: number;
  /** Renewals that ran behind the callers. */
  readonly behind: number;
  /** Renewals that a 401 forced. */
  readonly forced: number;
  /** The longest time a call waited for its token, by why it had to. */
  readonly longestWaitMs: Readonly<Record<Wait, number>>;
}

type Wait = 'first' | 'usual' | 'refused';

const callsPerMark = 2;
const salt = randomBytes(16);

/** Tells the life of the tokens while it happens, and keeps the books. */
export class Account implements ServiceWatcher {
  readonly #paper: Paper;
  readonly #onRenewalBehind: (totals: Totals) => void;
  readonly #began = performance.now();
  readonly #longestWaitMs = { first: 0, usual: 0, refused: 0 };
  #answered = 0;
  #failed = 0;
  #behind = 0;
  #forced = 0;
  /** How the next token came about, from the event to its first use. */
  #arrival: Extract<JournalEntry, { type: 'token' }> | undefined;
  #current = { tag: '', calls: 0, repeated: 0, generation: 0 };

  constructor(paper: Paper, onRenewalBehind: (totals: Totals) => void) {
    this.#paper = paper;
    this.#onRenewalBehind = onRenewalBehind;
  }

  get totals(): Totals {
    return { answered: this.#answered, failed: this.#failed, behind: this.#behind, forced: this.#forced, longestWaitMs: this.#longestWaitMs };
  }

  answered(): void {
    this.#answered++;
  }

  failed(error: unknown): void {
    this.#failed++;
    if (this.#failed <= 5) this.#line('', 'failed', `a call failed: ${error instanceof Error ? error.message : 'unknown'}`, 'bad');
  }

  /** A call asks for its token, `again` after a 401. To be told when it has it. */
  asks(again: boolean): (token: AccessToken) => void {
    const asked = performance.now();
    const wait: Wait = again ? 'refused' : this.#current.generation === 0 ? 'first' : 'usual';
    return (token) => {
      const waitedMs = performance.now() - asked;
      this.#longestWaitMs[wait] = Math.max(this.#longestWaitMs[wait], waitedMs);
      const tag = tagOf(token);
      if (tag !== this.#current.tag) this.#turnTo(tag, waitedMs);
      this.#current.calls++;
      if (again) this.#current.repeated++;
      this.#paper.status(this.#bar());
    };
  }

  happened(entry: JournalEntry): void {
    switch (entry.type) {
      case 'token':
        this.#arrival = entry;
        if (entry.reason === 'refused') this.#forced++;
        else if (entry.reason !== 'missing') {
          this.#behind++;
          this.#onRenewalBehind(this.totals);
        }
        return;
      case 'refused':
        this.#settle();
        this.#line(this.#current.tag, 'refused', 'the API answers 401: this token was revoked', 'bad');
        return;
      case 'renewal_failed':
      case 'attempt_failed':
        this.#line(this.#current.tag, 'trouble', entry.error.message, 'bad');
        return;
      case 'expired':
        this.#line(this.#current.tag, 'expired', 'calls wait for a new one', 'bad');
    }
  }

  /** Ends the story: what the last token has done so far. */
  close(): void {
    this.#settle();
  }

  #turnTo(tag: string, waitedMs: number): void {
    const reason = this.#arrival?.reason;
    const lives = this.#arrival?.expiresAt === undefined ? '' : `, lives ${((this.#arrival.expiresAt - this.#arrival.at) / 1000).toFixed(1)} s more`;
    this.#settle();
    this.#current = { tag, calls: 0, repeated: 0, generation: this.#current.generation + 1 };
    if (reason === 'refused') this.#line(tag, 'replaced', `one request, and all refused calls are sent again`, 'good');
    else if (reason === 'missing') this.#line(tag, 'acquired', `in ${waitedMs.toFixed(0)} ms, one request for all${lives}`, 'good');
    else this.#line(tag, 'renewed', `behind the callers: nobody waited${lives}`, 'good');
  }

  // What a token did stays on the paper when its time is over.
  #settle(): void {
    if (this.#current.calls > 0) this.#paper.line(this.#bar());
    this.#current.calls = 0;
    this.#current.repeated = 0;
  }

  #bar(): string {
    const { tag, calls, repeated } = this.#current;
    const marks = '▪'.repeat(Math.min(Math.ceil(calls / callsPerMark), 36));
    return `         ${this.#tag(tag)}  ${this.#paper.dim(marks)} ${calls} calls${repeated > 0 ? `, ${repeated} sent again` : ''}`;
  }

  #line(tag: string, what: string, text: string, mood: 'good' | 'bad'): void {
    const at = ((performance.now() - this.#began) / 1000).toFixed(1).padStart(5);
    this.#paper.line(`${this.#paper.dim(`${at} s`)}  ${this.#tag(tag)}  ${this.#paper[mood](what.padEnd(8))}  ${text.slice(0, 53)}`);
  }

  #tag(tag: string): string {
    return this.#paper.hue(tag.padEnd(4), this.#current.generation);
  }
}

// Tokens are secrets: what is shown tells them apart and nothing else.
function tagOf(token: AccessToken): string {
  return `#${createHash('sha256').update(salt).update(token.value).digest('hex').slice(0, 3)}`;
}
