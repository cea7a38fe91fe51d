import { checkOptions, invalidOption } from '../core/check-option.js';
import type { ChallengeForm } from './challenge-forms.js';
import { type ClientAuthKnobs, defaultClientAuthKnobs } from './client-auth-knobs.js';
import { defaultGrantKnobs, type GrantKnobs } from './grant-knobs.js';
import { defaultSignInKnobs, type SignInKnobs } from './sign-in-knobs.js';

/** Milliseconds, or a range over which one request after another is spread evenly. */
export type Latency = number | readonly [min: number, max: number];

/** An answer that the token endpoint gives in place of its own, before it looks at the request. */
export interface RawAnswer {
  readonly status: number;
  readonly body?: string | undefined;
  readonly contentType?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** How the fake server behaves. Every knob can be turned at any time; what is in flight keeps the settings it began with. */
export interface ServerKnobs extends GrantKnobs, ClientAuthKnobs, SignInKnobs {
  // Time
  /** The server's clock runs ahead by this much: `Date` header and JWT times. */
  clockOffsetMs: number;
  /** Whether answers carry a `Date` header. */
  sendDate: boolean;
  /** Time at the token endpoint before anything is looked at. */
  latencyBeforeMs: Latency;
  /** Time at the token endpoint between the commit of the new tokens and the answer. */
  latencyAfterMs: Latency;
  /** What becomes of the connection: it breaks, or stays silent for ever, before or after the new tokens are committed. */
  connection: 'normal' | 'dropBeforeCommit' | 'dropAfterCommit' | 'hangBeforeCommit' | 'hangAfterCommit';
  /** How the token endpoint's body arrives (other endpoints': `forNext`): `stalled` gives its first half and nothing more, `oversize` is 4 MiB long. */
  delivery: 'whole' | 'byteByByte' | 'stalled' | 'oversize' | 'endless';
  /** Pause before each byte of `byteByByte`. */
  byteDelayMs: number;

  // Lifetime
  /** `expires_in` as it stands in the answer, any JSON value; undefined: left out. */
  expiresIn: unknown;
  /** `expires_in` drawn anew for each token, in whole seconds; goes before `expiresIn`. */
  expiresInRange: readonly [minSeconds: number, maxSeconds: number] | undefined;
  /** How long the API really takes a token; undefined: as `expires_in` says, or an hour where it says nothing sensible. */
  lifetimeMs: number | undefined;
  /** Tokens without inner structure, or of the shape of a JWT (with a signature that is random). */
  accessTokenFormat: 'opaque' | 'jwt';
  /** The JWT's `exp` from the moment of issue; undefined: the lifetime; null: left out. */
  jwtExpInMs: number | null | undefined;
  /** The JWT's `iat` from the moment of issue; null: left out. */
  jwtIatInMs: number | null;
  /** The JWT's `nbf` from the moment of issue; null: left out. */
  jwtNbfInMs: number | null;

  // Refresh
  /** What a refresh returns: a new refresh token (the old one is spent), the same one again, or none. */
  rotation: 'rotate' | 'same' | 'omit';
  /** How long a spent refresh token is still taken. */
  graceMs: number;
  /** How many times it is still taken. */
  graceUses: number;
  /** Whether grace is for the last spent refresh token alone, or for every older one too. */
  graceFor: 'previous' | 'any';
  /** What dies when a spent refresh token is used outside its grace. */
  reuseRevokes: 'token' | 'family' | 'familyAndAccess';
  /** A refresh ends the access tokens that were issued before. */
  refreshEndsAccessTokens: boolean;
  /** A new refresh token is unknown for this long (replicas). */
  replicationLagMs: number;
  /** Answers to client credentials carry a refresh token, which they should not (RFC 6749 §4.4.3). */
  refreshTokenForClientCredentials: boolean;

  // Scope
  /** What is granted, whatever is asked for; undefined: what is asked for. */
  grantedScope: string | undefined;
  /** How the answer writes the scope. */
  scopeForm: 'string' | 'array' | 'comma' | 'absent' | 'empty' | 'reversed' | 'urls';

  // Shape
  /** What is wrong with a successful answer. The tokens in it are committed all the same. */
  shape:
    | 'json'
    | 'form'
    | 'wrongContentType'
    | 'noContentType'
    | 'bom'
    | 'html'
    | 'empty'
    | 'truncated'
    | 'array'
    | 'null'
    | 'proto'
    | 'deep'
    | 'camelCase'
    | 'nested';
  /** Status of a successful answer. */
  successStatus: number;
  /** What is wrong with the access token. `same` returns the one before it. */
  accessTokenForm: 'normal' | 'same' | 'empty' | 'space' | 'crlf' | 'nonAscii' | 'bang' | 'long' | 'tooLong';
  /** `token_type` as it stands in the answer, any JSON value; undefined: left out. */
  tokenType: unknown;
  /** Members that are added to a successful answer or replace its own; undefined: left out. */
  members: Readonly<Record<string, unknown>>;

  // Sender-constrained tokens (RFC 9449)
  /** Requests with a proof get a token that is bound to its key; proofs may also be required, or ignored (a downgrade). */
  dpop: 'supported' | 'required' | 'ignored';
  /** How far the date of a proof may be off. */
  dpopLeewayMs: number;
  /** Proofs at the token endpoint need a nonce, and there is a new one every so often (0: each is good for one request); undefined: none is needed. */
  dpopNonceMs: number | undefined;
  /** The same at the API, with nonces of its own. */
  apiDpopNonceMs: number | undefined;

  // Throttle and failure
  /** In place of the endpoint's own answer, before it looks at the request. */
  answer: RawAnswer | undefined;
  /** Sent with `answer` and with errors: seconds, an HTTP-date that far ahead of the server's clock, or the header's raw text. */
  retryAfter: number | { readonly dateInMs: number } | string | undefined;
  /** The OAuth error that every token request ends with, before anything is committed. */
  error: string | undefined;
  /** Status of OAuth errors; undefined: 400, and 401 for `invalid_client`. */
  errorStatus: number | undefined;
  /** Members beside `error`: `error_description`, `suberror`, `claims`, … */
  errorMembers: Readonly<Record<string, unknown>>;
  /** The token endpoint answers with this redirect. @see ServerOptions.trapOrigin */
  redirect: { readonly status: 301 | 302 | 303 | 307 | 308; readonly location?: string | undefined } | undefined;
  /** Redirects that are not followed look as they do in a browser: type `opaqueredirect`, status 0. */
  opaqueRedirects: boolean;
  /** Keeps `Authorization` on redirects to another origin, as careless HTTP clients do. */
  redirectsKeepAuthorization: boolean;

  // Discovery and revocation
  /** Which well-known documents there are. */
  discovery: 'both' | 'oauth' | 'oidc' | 'none';
  /** Members that are added to the metadata or replace its own; undefined: left out. */
  metadata: Readonly<Record<string, unknown>>;
  /** In place of the metadata document. */
  discoveryAnswer: RawAnswer | undefined;
  /** Whether there is a revocation endpoint. */
  revocation: boolean;
  /** In place of the revocation endpoint's answer; nothing is revoked. */
  revocationAnswer: RawAnswer | undefined;

  // The API
  /** Time before the API looks at the request. */
  apiLatencyMs: Latency;
  /** Time between the API's decision and its answer. */
  apiLatencyAfterMs: Latency;
  /** The API refuses every token. */
  apiRefuses: boolean;
  /** In place of the API's own answer, whatever token the request carries. */
  apiAnswer: RawAnswer | undefined;
  /** How a refused token is challenged: one of the named forms, or the raw header values. */
  challenge: ChallengeForm | readonly string[];
  /** Scope that the API asks for: without it the answer is 403 `insufficient_scope`. */
  requiredScope: string | undefined;
}

/** A server that does everything by the book. */
export function defaultKnobs(): ServerKnobs {
  return {
    ...defaultGrantKnobs(),
    ...defaultClientAuthKnobs(),
    ...defaultSignInKnobs(),
    clockOffsetMs: 0,
    sendDate: true,
    latencyBeforeMs: 0,
    latencyAfterMs: 0,
    connection: 'normal',
    delivery: 'whole',
    byteDelayMs: 0,
    expiresIn: 3600,
    expiresInRange: undefined,
    lifetimeMs: undefined,
    accessTokenFormat: 'opaque',
    jwtExpInMs: undefined,
    jwtIatInMs: 0,
    jwtNbfInMs: null,
    rotation: 'rotate',
    graceMs: 0,
    graceUses: Number.POSITIVE_INFINITY,
    graceFor: 'previous',
    reuseRevokes: 'family',
    refreshEndsAccessTokens: false,
    replicationLagMs: 0,
    refreshTokenForClientCredentials: false,
    grantedScope: undefined,
    scopeForm: 'string',
    shape: 'json',
    successStatus: 200,
    accessTokenForm: 'normal',
    tokenType: 'Bearer',
    members: {},
    dpop: 'supported',
    dpopLeewayMs: 60_000,
    dpopNonceMs: undefined,
    apiDpopNonceMs: undefined,
    answer: undefined,
    retryAfter: undefined,
    error: undefined,
    errorStatus: undefined,
    errorMembers: {},
    redirect: undefined,
    opaqueRedirects: false,
    redirectsKeepAuthorization: false,
    discovery: 'both',
    metadata: {},
    discoveryAnswer: undefined,
    revocation: true,
    revocationAnswer: undefined,
    apiLatencyMs: 0,
    apiLatencyAfterMs: 0,
    apiRefuses: false,
    apiAnswer: undefined,
    challenge: 'standard',
    requiredScope: undefined,
  };
}

/** Refuses misspelt knobs: a test that turns one would pass for the wrong reason. */
export function checkKnobs(changes: Partial<ServerKnobs>): Partial<ServerKnobs> {
  checkOptions('knobs', changes);
  const known = Object.keys(defaultKnobs());
  for (const name of Object.keys(changes)) {
    if (!known.includes(name)) throw invalidOption(`knobs.${name}`, `one of the knobs ${known.join(', ')}`, Reflect.get(changes, name));
  }
  return changes;
}
