import type { JournalEntry } from 'tokenkeep';
import type { Session, SessionSnapshot } from 'tokenkeep/browser';
import { CallCounter } from '../call-counter.ts';
import { History } from '../history.ts';
import type { Arrival, State, TokenFact, Tone } from '../page-messages.ts';
import type { TokenRequest } from '../user-server.ts';

/** Turns what happens to a session's tokens in this tab into the facts that the timeline shows. No token's value gets into them. */
export class SessionStory {
  readonly history = new History();
  readonly calls = new CallCounter(this.history);
  /** How many tokens other tabs brought. */
  adopted = 0;
  readonly #session: Session;
  /** What the history's zero is in epoch milliseconds. */
  readonly #zero = Date.now() - this.history.now;
  #token: TokenFact | undefined;
  #expiresAt: number | undefined;
  #state: SessionSnapshot['state'] = 'restoring';
  #last: JournalEntry | undefined;
  #tokens = 0;
  #lines = 0;
  #requests = new Set<number>();

  constructor(session: Session) {
    this.#session = session;
  }

  /** What is new in the journal since the last look, after it was told. */
  look(): readonly JournalEntry[] {
    const entries = this.#session.explain();
    const fresh = entries.slice(this.#last === undefined ? 0 : entries.indexOf(this.#last) + 1);
    this.#last = entries.at(-1);
    const snapshot = this.#session.snapshot();
    for (const entry of fresh) this.#happened(entry);
    const wasRestoring = this.#state === 'restoring';
    if (snapshot.state !== this.#state) this.#become(snapshot);
    if (snapshot.expiresAt !== this.#expiresAt) this.#turn(snapshot, fresh, wasRestoring);
    if (this.#token && snapshot.renewAt !== undefined) this.#token = this.history.set({ ...this.#token, renewFrom: snapshot.renewAt - this.#zero });
    return fresh;
  }

  /** The requests that the authorization server has counted. */
  requested(requests: readonly TokenRequest[]): void {
    for (const { id, from, to, isGood } of requests) {
      if (this.#requests.has(id)) continue;
      if (to !== undefined) this.#requests.add(id);
      const end = to === undefined ? {} : { to: to - this.#zero, isGood };
      this.history.set({ kind: 'request', id: `request-${id}`, from: from - this.#zero, ...end });
    }
  }

  /** A token was handed to a call. */
  served(): void {
    if (this.#token) this.#token = this.history.set({ ...this.#token, served: this.#token.served + 1 });
  }

  failed(error: unknown): void {
    this.calls.fails();
    this.#line('bad', 'A call failed', `${error instanceof Error ? error.message : 'for an unknown reason'}.`);
  }

  did(label: string): void {
    this.history.set({ kind: 'trouble', id: `did-${++this.#lines}`, from: this.history.now, isSpan: false, label });
  }

  get mood(): Pick<State, 'tone' | 'sentence'> {
    const { state, user, status } = this.#session.snapshot();
    if (state === 'restoring') return { tone: 'good', sentence: 'One moment …' };
    if (state === 'signed_out' || this.#token === undefined) return { tone: 'trouble', sentence: 'Nobody is signed in, so nothing is called.' };
    const name = `token #${this.#token.number}`;
    const left = Math.max(1, Math.ceil((this.#token.renewFrom - this.history.now) / 1000));
    if (this.#session.peek() === undefined) return { tone: 'trouble', sentence: 'The next token is being fetched, and calls wait for it.' };
    if (status === 'renewing') return { tone: 'good', sentence: `The successor of ${name} is being fetched behind the callers, who are served on.` };
    return {
      tone: 'good',
      sentence: `${user?.sub} is signed in. All calls are served by ${name}. In ${left} s it is renewed behind them, by whichever tab comes first.`,
    };
  }

  #happened(entry: JournalEntry): void {
    if (entry.type === 'session_ended') {
      const where = entry.elsewhere || entry.reason === 'storage_cleared' ? 'Another tab signed out' : 'Signed out';
      this.#line('yours', where, entry.reason === 'grant_revoked' ? 'The server has ended the session.' : 'All tabs have forgotten their tokens.');
    }
    if (entry.type === 'renewal_failed') this.#line('trouble', 'A renewal failed', `${entry.error.message}.`);
    if (entry.type === 'storage_error') this.#line('trouble', 'The store failed', `${entry.error.message}. The tokens are served from memory.`);
    if (entry.type === 'warning') this.#line('plain', 'Worth knowing', entry.message);
  }

  // Another token is in use.
  #turn({ expiresAt, renewAt }: SessionSnapshot, fresh: readonly JournalEntry[], wasRestoring: boolean): void {
    this.#expiresAt = expiresAt;
    const { now } = this.history;
    if (this.#token) this.history.set({ ...this.#token, to: now });
    this.#token = undefined;
    if (expiresAt === undefined) return;
    const arrival = arrivalOf(fresh, wasRestoring);
    const number = ++this.#tokens;
    const goodUntil = expiresAt - this.#zero;
    const renewFrom = renewAt === undefined ? goodUntil : renewAt - this.#zero;
    this.#token = this.history.set({ kind: 'token', id: `token-${number}`, number, from: now, arrival, renewFrom, goodUntil, served: 0 });
    if (arrival === 'adopted') this.adopted++;
    const [tone, title, text] = words[arrival];
    this.#line(tone, `Token #${number} ${title}`, text);
  }

  #become({ state, user }: SessionSnapshot): void {
    const before = this.#state;
    this.#state = state;
    if (state === 'signed_in')
      this.#line('good', `${user?.sub} is signed in`, before === 'restoring' ? 'This page was opened with a session.' : 'Another tab signed in.');
  }

  #line(tone: Tone, title: string, text: string): void {
    this.history.set({ kind: 'line', id: `line-${++this.#lines}`, from: this.history.now, tone, title, text, isNews: tone !== 'plain' });
  }
}

// Who brought a token is in the journal, if this tab did.
function arrivalOf(fresh: readonly JournalEntry[], wasRestoring: boolean): Arrival {
  const own = fresh.findLast((entry) => entry.type === 'token' && entry.source === 'server');
  if (own?.type === 'token' && own.reason === 'refused') return 'replaced';
  if (own?.type === 'token') return own.background ? 'renewed' : 'waited';
  if (fresh.some(({ type }) => type === 'signed_in')) return 'acquired';
  return wasRestoring ? 'restored' : 'adopted';
}

const words: Readonly<Record<Arrival, readonly [tone: Tone, title: string, text: string]>> = {
  acquired: ['good', 'came with the sign-in', 'The authorization code was redeemed once.'],
  restored: ['good', 'restored', 'It lay encrypted in this browser. No request was sent.'],
  renewed: ['plain', 'renewed behind the callers', 'This tab asked for it: one request for all tabs. Nobody waited.'],
  adopted: ['plain', 'brought by another tab', 'It asked for the one request for all; this tab sent none.'],
  waited: ['good', 'fetched', 'The last one had run out. Calls waited, and none failed because of it.'],
  replaced: ['good', 'replaced', 'The API had refused the last one. Each refused call was sent again.'],
};
