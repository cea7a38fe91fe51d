import { TokenError, type TokenErrorCode, type TokenErrorDetails } from '../core/errors.js';
import type { RenewalReason, TokenEvent } from '../core/events.js';
import type { TokenSet } from '../core/token-set.js';
import type { TokenRequest } from '../manager/decide.js';
import type { AuthorizationTransaction } from '../protocol/authorization/authorization-transaction.js';
import type { SessionGrantOptions } from './session-grant.js';

/** Raised with every change of these messages that an older side would misread. The default worker's name holds it too. */
export const protocol = 1;

/** A session as the worker needs it: plain data, and no secret. */
export type WorkerSessionOptions = Omit<SessionGrantOptions, 'auth' | 'fetch'> & {
  readonly grantId: string;
  readonly skewMs: number;
  readonly minValidMs: number;
};

/** What a page asks its worker for. No refresh token but a sealed one is ever in it. */
export type WorkerOrder =
  /** Whether it is there and awake. `beat`: the same while an order of this id is open, which only says that it was heard. */
  | { readonly do: 'ping' | 'beat' }
  /** Renew as the page's manager has decided; answered with a {@link RenewedToken}. */
  | { readonly do: 'renew'; readonly target: string; readonly reason: RenewalReason; readonly background: boolean; readonly want: TokenRequest }
  /** Redeem the code of a sign-in; answered with nothing when it is in the store, else with the token set, its refresh token sealed. */
  | { readonly do: 'redeem'; readonly transaction: AuthorizationTransaction; readonly code: string }
  /** Revoke what a sign-out has removed: the refresh token is sealed. */
  | { readonly do: 'revoke'; readonly tokens: TokenSet };

/** What goes to the worker. `session`: {@link WorkerSessionOptions} as JSON, for all but a ping. */
export interface ToWorker {
  readonly id: number;
  readonly session: string;
  readonly order: WorkerOrder;
}

/** A renewed access token, for a page that cannot read it from the store. */
export type RenewedToken = Pick<TokenSet, 'accessToken' | 'tokenType' | 'sentAt' | 'lifetimeMs' | 'scope'>;

/** What comes from the worker. */
export type FromWorker =
  /** `alive`: a lock that is held as long as the worker lives. `keys`: it can read keys from IndexedDB. */
  | { readonly type: 'hello'; readonly protocol: number; readonly alive: string; readonly keys: boolean }
  | { readonly type: 'heard'; readonly id: number }
  | { readonly type: 'event'; readonly id: number; readonly event: EventData }
  | { readonly type: 'done'; readonly id: number; readonly result: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly error: FailureData };

type Plain<E> = E extends { readonly error: TokenError } ? Omit<E, 'error'> & { readonly error: FailureData } : E;

/** An event as plain data. */
export type EventData = Plain<TokenEvent>;

/** A failure as plain data, since an error loses its type and members on the way. Holds no secret, as no error does. */
export type FailureData = TokenErrorDetails & { readonly code: TokenErrorCode; readonly message: string };

export function failureData({ code, message, phase, oauthError, status, retryAfterMs, attempts, fromCache }: TokenError): FailureData {
  return { code, message, phase, oauthError, status, retryAfterMs, attempts, fromCache };
}

export function failureOf({ code, message, ...details }: FailureData): TokenError {
  return new TokenError(code, message, details);
}

/** Events of the worker's manager that a page's own has no equal for: that it is renewing, it knows itself. */
export function isNews({ type }: TokenEvent): boolean {
  return /^(token|attempt_failed|scope_narrowed|reauth_soon|warning|storage_error)$/.test(type);
}

export function eventData(event: TokenEvent): EventData {
  return 'error' in event ? { ...event, error: failureData(event.error) } : event;
}

/** An event again, after its way through {@link eventData}. */
export function eventOf(data: EventData): TokenEvent {
  return 'error' in data ? { ...data, error: failureOf(data.error) } : data;
}
