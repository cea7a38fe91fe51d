import type { RecordedRequest } from './recorded-request.js';
import type { ServerKnobs } from './server-knobs.js';
import type { GrantFamily, Refreshed } from './token-registry.js';

/** What a grant comes to: an access token for these, or an OAuth error. */
export type FakeGrantResult = FakeGrantSuccess | OAuthFault;

export interface FakeGrantSuccess {
  readonly scope: readonly string[];
  readonly family?: GrantFamily | undefined;
  readonly refreshToken?: string | undefined;
  /** Further members of the answer. */
  readonly members?: Readonly<Record<string, unknown>> | undefined;
}

/** An OAuth error (RFC 6749 §5.2). */
export interface OAuthFault {
  readonly error: string;
  readonly description?: string | undefined;
  /** Further members of the answer. */
  readonly members?: Readonly<Record<string, unknown>> | undefined;
}

/** Decides about one token request of an authenticated client. */
export type FakeGrant = (request: FakeGrantRequest) => FakeGrantResult | Promise<FakeGrantResult>;

export interface FakeGrantRequest {
  readonly clientId: string;
  readonly params: URLSearchParams;
  readonly request: RecordedRequest;
  /** The scope parameter, split; undefined when there is none. */
  readonly requestedScope: readonly string[] | undefined;
  /** A refresh token of a new sign-in. */
  newRefreshToken(scope: readonly string[]): Refreshed;
  /** Spends a refresh token by the server's rules; undefined is `invalid_grant`. */
  refresh(value: string): Refreshed | undefined;
  readonly refreshTokenForClientCredentials: boolean;
  readonly issuer: string;
  /** The settings of this request. */
  readonly knobs: ServerKnobs;
  /** Epoch milliseconds as the server believes. */
  readonly now: number;
  /** Epoch milliseconds, whatever the server believes: by this it counts its own lifetimes. */
  readonly ownNow: number;
  /** The key that the request proves to hold (RFC 9449). */
  readonly jkt: string | undefined;
}

/** The grants of RFC 6749 that need no user. */
export const standardGrants: Readonly<Record<string, FakeGrant>> = {
  client_credentials(request) {
    const scope = request.requestedScope ?? [];
    return { scope, ...(request.refreshTokenForClientCredentials ? request.newRefreshToken(scope) : {}) };
  },

  refresh_token(request) {
    const value = request.params.get('refresh_token');
    if (value === null) return { error: 'invalid_request', description: 'refresh_token is missing' };
    const refreshed = request.refresh(value);
    if (refreshed === undefined) return { error: 'invalid_grant', description: 'Unknown or invalid refresh token.' };
    const { scope } = refreshed.family;
    const wanted = request.requestedScope ?? scope;
    if (!wanted.every((token) => scope.includes(token))) return { error: 'invalid_scope', description: 'more than was granted' };
    return { ...refreshed, scope: wanted };
  },
};
