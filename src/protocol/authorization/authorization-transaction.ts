import { parseObject } from '../../core/parse-object.js';
import { pickMembers } from '../wire/response-members.js';

/**
 * What has to be known of a sign-in until its callback comes: plain data for JSON. It is kept where only the one who
 * started the sign-in can get it, under its `state`, and removed at its first use whatever the result. (`standards.md` A3)
 */
export interface AuthorizationTransaction {
  /** Random; ties the callback to this transaction. */
  readonly state: string;
  /** The server that was asked. A callback never says who it comes from; it may only confirm. */
  readonly issuer: string;
  readonly clientId: string;
  /** As it was sent. */
  readonly redirectUri: string;
  readonly responseMode: 'query' | 'fragment';
  /** The server promises to name itself in every response (RFC 9207 §3). */
  readonly isIssuerNamed: boolean;
  /** The PKCE secret; undefined where the preset says that the server knows no PKCE. */
  readonly codeVerifier: string | undefined;
  /** What the ID token has to repeat; undefined where `openid` was not asked for. */
  readonly nonce: string | undefined;
  readonly scope: readonly string[] | undefined;
  readonly resource: readonly string[] | undefined;
  readonly audience: string | undefined;
  /** How old the user's sign-in may be. */
  readonly maxAgeMs: number | undefined;
  /** What was asked for; the server may answer with another one (OIDC Core §3.1.2.1). */
  readonly acrValues: readonly string[] | undefined;
  /** The application's own, uninterpreted. */
  readonly appState: string | undefined;
  /** Epoch milliseconds. */
  readonly createdAt: number;
}

/** How long a sign-in may take. */
export const transactionTtlMs = 600_000;
/** How many may be under way at once; one more ends the oldest. */
export const maxTransactions = 10;

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === 'string' && value !== '';
const list: Check = (value) => Array.isArray(value) && value.every(text);
const count: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

const shape: Readonly<Record<keyof AuthorizationTransaction, Check>> = {
  state: text,
  issuer: text,
  clientId: text,
  redirectUri: text,
  responseMode: (value) => value === 'query' || value === 'fragment',
  isIssuerNamed: (value) => typeof value === 'boolean',
  codeVerifier: optional(text),
  nonce: optional(text),
  scope: optional(list),
  resource: optional(list),
  audience: optional(text),
  maxAgeMs: optional(count),
  acrValues: optional(list),
  appState: optional((value) => typeof value === 'string'),
  createdAt: count,
};

/** A transaction from the JSON that it was kept as; undefined for anything else. */
export function parseTransaction(json: string): AuthorizationTransaction | undefined {
  const members = pickMembers(parseObject(json), Object.keys(shape));
  return isTransaction(members) ? Object.freeze({ ...members }) : undefined;
}

function isTransaction(members: object | undefined): members is AuthorizationTransaction {
  return members !== undefined && Object.entries(shape).every(([name, check]) => check(Reflect.get(members, name)));
}
