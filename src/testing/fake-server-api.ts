import type { Clock } from '../core/clock.js';
import type { FakeClient } from './fake-client.js';
import type { FakeGrant } from './fake-grant.js';
import type { AssertionIssuers } from './read-assertion.js';
import type { Endpoint, RecordedRequest } from './recorded-request.js';
import type { ServerKnobs } from './server-knobs.js';
import type { VirtualClock } from './virtual-clock.js';

export interface FakeAuthorizationServerOptions {
  /** @default 'https://as.test' */
  readonly issuer?: string | undefined;
  /** Origins of the protected API. @default ['https://api.test'] */
  readonly apiOrigins?: readonly string[] | undefined;
  /** Where the token endpoint's redirects go. Every origin that is none of the server's is recorded like it, as `trap`. @default 'https://trap.test' */
  readonly trapOrigin?: string | undefined;
  /** A virtual clock gives the server its `outsideNow()`. @default the system's clock */
  readonly clock?: Clock | VirtualClock | undefined;
  /** Clients by their ids: a secret (an empty one for a public client) or all that it is known by. @default every client, whatever it proves itself with */
  readonly clients?: Readonly<Record<string, string | FakeClient>> | undefined;
  /** Further grants, or other ones, by `grant_type`. */
  readonly grants?: Readonly<Record<string, FakeGrant>> | undefined;
  /** Whose assertions the JWT bearer grant takes: public keys by `iss`. @default everybody's, and no signature is verified */
  readonly assertionIssuers?: AssertionIssuers | undefined;
  /** How the server departs from the book. */
  readonly knobs?: Partial<ServerKnobs> | undefined;
  /** A number in [0, 1) for what is drawn. @default cryptographic randomness */
  readonly random?: (() => number) | undefined;
}

/** An authorization server and an API in memory, reached through {@link FakeAuthorizationServer.fetch} alone. */
export interface FakeAuthorizationServer {
  readonly issuer: string;
  /** Where its endpoints are, for the `server` option of clients that do without discovery. */
  readonly metadata: FakeServerMetadata;
  /** Give this wherever a `fetch` is asked for. It heeds the abort signal and the redirect mode as the real one does. */
  readonly fetch: typeof fetch;
  /** A `fetch` whose connections present this certificate (PEM), to the server and to the API. */
  fetchWithCertificate(certificate: string): typeof fetch;
  /**
   * Sends a user to a URL of the server: whoever the knobs name signs in at once. Gives the URL that the browser is sent on to, the
   * callback with its code; undefined where the server shows a page instead.
   */
  visit(url: string): Promise<string | undefined>;
  readonly knobs: ServerKnobs;
  /** Turns some knobs, for requests that begin from now on. */
  set(changes: Partial<ServerKnobs>): void;
  /** Turns some knobs for the next `count` requests to one endpoint. Calls add up, first come first served. */
  forNext(count: number, changes: Partial<ServerKnobs>, endpoint?: Endpoint): void;
  /** Every request so far, in the order of their arrival. */
  readonly requests: readonly RecordedRequest[];
  requestsTo(endpoint: Endpoint): readonly RecordedRequest[];
  /** How many requests the token endpoint got. */
  readonly tokenRequests: number;
  readonly stats: ServerStats;
  /** Forgets the requests recorded so far; tokens and knobs stay. */
  clearRequests(): void;
  /** The refresh token of a new sign-in. */
  issueRefreshToken(options?: IssueOptions): string;
  /** An access token that no request asked for. */
  issueAccessToken(options?: IssueOptions): string;
  /** The API refuses this access token from now on; false when it never was issued. */
  revokeAccessToken(value: string): boolean;
  revokeAllAccessTokens(): void;
  /** Ends the grant of a refresh or access token, with all that came from it; false when there is none. */
  revokeGrant(value: string): boolean;
  /** Whether this refresh token would be taken, grace apart. */
  isLiveRefreshToken(value: string): boolean;
  /** Gives a client another secret. */
  setSecret(clientId: string, secret: string): void;
  /** Registers a client anew: with other keys or certificates, or with old and new ones side by side. */
  setClient(clientId: string, client: string | FakeClient): void;
}

export interface IssueOptions {
  /** @default 'client' */
  readonly clientId?: string | undefined;
  readonly scope?: string | undefined;
  /** Thumbprint of the DPoP key that the token is bound to (RFC 9449 §6). @default a bearer token */
  readonly jkt?: string | undefined;
}

export interface FakeServerMetadata {
  readonly issuer: string;
  readonly token_endpoint: string;
  readonly revocation_endpoint: string | undefined;
  readonly introspection_endpoint: string | undefined;
  readonly device_authorization_endpoint: string | undefined;
  readonly token_endpoint_auth_methods_supported: readonly string[];
  readonly [member: string]: unknown;
}

export interface ServerStats {
  /** Access tokens that were issued, delivered or not. */
  readonly issued: number;
  /** Spent refresh tokens that came back outside their grace. */
  readonly reuses: number;
  /** The most requests with one and the same refresh token that a client waited for at a time. */
  readonly parallelRefreshes: number;
  /** Bytes that clients took of streamed bodies. */
  readonly streamedBytes: number;
  /** Streamed bodies that clients gave up. */
  readonly cancelledBodies: number;
}
