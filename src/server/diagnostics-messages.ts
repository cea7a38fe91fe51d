import type { TokenError } from '../core/errors.js';
import type { HttpEvent, JournalEntry, RenewalReason } from '../core/events.js';
import type { AccountEvent } from './accounts.js';

/** The client that a message of `node:diagnostics_channel` is about. No message holds a token, a secret or a subject. */
export interface ClientMessage {
  readonly issuer: string;
  readonly clientId: string;
  /** The application's own name of the account, with `createAccounts`. */
  readonly accountId?: string | undefined;
}

/** `tokenkeep.wait`, a tracing channel: a caller that no token was at hand for, until it gets one or gives up. */
export interface WaitMessage extends ClientMessage {
  /** The API that the token is for. */
  readonly target: string;
  /** Why there is none; undefined as well when the caller's own signal ended the wait. */
  readonly error?: TokenError | undefined;
}

/** `tokenkeep.renewal`, a tracing channel: one renewal, from its begin to the stored result. */
export interface RenewalMessage extends WaitMessage {
  readonly reason: RenewalReason;
  /** Nobody waited for it when it began. */
  readonly background: boolean;
  /** At the end: requested from the server, or adopted from the store. */
  readonly source?: 'server' | 'store' | undefined;
  /** At the end: when the token was requested, by whomever, in epoch milliseconds. */
  readonly issuedAt?: number | undefined;
  readonly expiresAt?: number | undefined;
}

/** `tokenkeep.lock`: a renewal has the lock now, or does not get it. */
export interface LockMessage extends ClientMessage {
  readonly waitedMs: number;
  readonly acquired: boolean;
}

/** `tokenkeep.event`: what `onEvent` hears. */
export interface EventMessage extends ClientMessage {
  readonly event: JournalEntry | AccountEvent;
}

/** `tokenkeep.http`: what `onEvent` of a client's `http()` hears. */
export interface HttpMessage extends ClientMessage {
  readonly event: HttpEvent;
}
