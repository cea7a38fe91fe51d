import type { RawAnswer } from './server-knobs.js';

/** How the fake server behaves where users sign in: RFC 6749 §4.1, RFC 9126, OpenID Connect. */
export interface SignInKnobs {
  // Authorization
  /** Who signs in, without being asked. */
  user: string;
  /** How long ago they did. */
  signedInAgoMs: number;
  /** What becomes of PKCE: asked for with S256, looked at where it was sent, or taken for nothing. */
  pkce: 'required' | 'checked' | 'ignored';
  /** Whether requests may, must or cannot be pushed. */
  pushedRequests: 'offered' | 'required' | 'absent';
  /** How long a pushed request is good for, in seconds. It is good for one visit. */
  requestUriExpiresIn: number;
  /** In place of the answer to a pushed request. */
  pushedAnswer: RawAnswer | undefined;
  /** How responses name their issuer (RFC 9207). */
  issParameter: 'right' | 'wrong' | 'absent';
  /** What becomes of `state`. */
  stateParameter: 'same' | 'altered' | 'absent';
  /** The error that every sign-in ends with. */
  authorizationError: string | undefined;
  /** Parameters that are added to an authorization response or replace its own; undefined: left out. */
  responseParameters: Readonly<Record<string, string | undefined>>;
  codeLifetimeMs: number;
  /** What a second use of a code costs (RFC 6749 §4.1.2). */
  codeReuse: 'refused' | 'revokes';

  // ID tokens, keys, UserInfo
  /** When there is an ID token, given the scope `openid`. */
  idToken: 'always' | 'atSignIn' | 'never';
  /** Claims that are added to ID tokens or replace their own; undefined: left out. */
  idTokenClaims: Readonly<Record<string, unknown>>;
  /** Header members, likewise. */
  idTokenHeader: Readonly<Record<string, unknown>>;
  idTokenAlgorithm: 'RS256' | 'PS256' | 'ES256' | 'EdDSA';
  /** `forged`: by a key that is not published; `none`: unsigned. */
  idTokenSignature: 'good' | 'forged' | 'none';
  /** The `kid` of the key in use. With another one there is another key, and the one before is not published any more. */
  signingKey: string;
  /** In place of the keys. */
  jwksAnswer: RawAnswer | undefined;
  /** Claims that are added to what the UserInfo endpoint tells or replace it; undefined: left out. */
  userInfoClaims: Readonly<Record<string, unknown>>;
  /** Plain, or signed as ID tokens are. */
  userInfoForm: 'json' | 'jwt';
  /** In place of the UserInfo endpoint's answer. */
  userInfoAnswer: RawAnswer | undefined;
}

export function defaultSignInKnobs(): SignInKnobs {
  return {
    user: 'alice',
    signedInAgoMs: 0,
    pkce: 'required',
    pushedRequests: 'offered',
    requestUriExpiresIn: 60,
    pushedAnswer: undefined,
    issParameter: 'right',
    stateParameter: 'same',
    authorizationError: undefined,
    responseParameters: {},
    codeLifetimeMs: 60_000,
    codeReuse: 'revokes',
    idToken: 'always',
    idTokenClaims: {},
    idTokenHeader: {},
    idTokenAlgorithm: 'RS256',
    idTokenSignature: 'good',
    signingKey: 'key-1',
    jwksAnswer: undefined,
    userInfoClaims: {},
    userInfoForm: 'json',
    userInfoAnswer: undefined,
  };
}
