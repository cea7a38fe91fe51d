// What the page is told. Instants are milliseconds since the demo began; nothing here comes from a token's value.
import type { JournalEntry } from 'tokenkeep';

/** How a token came into use. */
export type Arrival = 'acquired' | 'renewed' | 'replaced' | 'waited' | 'restored' | 'adopted';

export type Tone = 'good' | 'plain' | 'trouble' | 'bad' | 'yours';

/** One token, from its arrival to its successor's. */
export interface TokenFact {
  readonly kind: 'token';
  readonly id: string;
  readonly number: number;
  readonly from: number;
  /** When it was replaced; undefined while it is in use. */
  readonly to?: number;
  readonly arrival: Arrival;
  readonly renewFrom: number;
  /** Until when it could be handed out. */
  readonly goodUntil: number;
  /** To how many calls it was handed out. */
  readonly served: number;
  /** A renewal failed then, and the token was served on. */
  readonly servedOnFrom?: number;
  /** The API refused it. */
  readonly refusedAt?: number;
}

/** One request to the token endpoint. */
export interface RequestFact {
  readonly kind: 'request';
  readonly id: string;
  readonly from: number;
  readonly to?: number;
  readonly isGood?: boolean;
}

/** What the visitor did; with `isSpan` it lasts until `to`. */
export interface TroubleFact {
  readonly kind: 'trouble';
  readonly id: string;
  readonly from: number;
  readonly to?: number;
  readonly isSpan: boolean;
  readonly label: string;
}

/** The calls of half a second. */
export interface CallsFact {
  readonly kind: 'calls';
  readonly id: string;
  readonly from: number;
  readonly answered: number;
  readonly failed: number;
}

/** While this lasts, calls wait for a token. */
export interface WaitFact {
  readonly kind: 'wait';
  readonly id: string;
  readonly from: number;
  readonly to?: number;
}

/** A line of the story. */
export interface LineFact {
  readonly kind: 'line';
  readonly id: string;
  readonly from: number;
  readonly tone: Tone;
  readonly title: string;
  readonly text: string;
  /** Out of the ordinary: also said to those who cannot see it. */
  readonly isNews: boolean;
}

export type Fact = TokenFact | RequestFact | TroubleFact | CallsFact | WaitFact | LineFact;

/** Everything at a glance. */
export interface State {
  readonly now: number;
  readonly tone: 'good' | 'trouble' | 'bad';
  /** What is going on, in one sentence. */
  readonly sentence: string;
  readonly answered: number;
  readonly failed: number;
  readonly sentAgain: number;
  readonly waited: number;
  readonly longestWaitMs: number;
  readonly tokenRequests: number;
  readonly isStopped: boolean;
  readonly isSlow: boolean;
  readonly clockOffsetMs: number;
}

/** One server-sent event. */
export interface Message {
  readonly state: State;
  /** New and changed ones; the first message has all that are remembered. */
  readonly facts: readonly Fact[];
  /** What `tokens.explain()` has that was not sent yet. */
  readonly journal: readonly JournalEntry[];
}
