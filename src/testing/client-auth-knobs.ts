/** Ways in which clients prove themselves to the fake server. */
export type FakeAuthMethod =
  | 'client_secret_basic'
  | 'client_secret_post'
  | 'client_secret_jwt'
  | 'private_key_jwt'
  | 'tls_client_auth'
  | 'self_signed_tls_client_auth'
  | 'none';

/** What the fake server asks of clients. */
export interface ClientAuthKnobs {
  /** What the server reads in an `Authorization: Basic` header: form-encoded parts (RFC 6749 §2.3.1), or what was typed. */
  basicDecoding: 'form' | 'raw';
  /** Refuses a request that authenticates in two ways (RFC 6749 §2.3). */
  rejectDoubleAuthentication: boolean;
  /** Methods that the server takes and lists in its metadata. */
  authMethods: readonly FakeAuthMethod[];
  /** Whom assertions of clients must be for: the issuer, the token endpoint's URL, or either. */
  assertionAudience: 'issuer' | 'token_endpoint' | 'either';
  /** Whether their header needs the `typ` `client-authentication+jwt`, or must not have it. */
  assertionTyp: 'any' | 'required' | 'refused';
  /** Header parameters that they need. */
  assertionHeaders: readonly ('kid' | 'x5t' | 'x5t#S256')[];
  /** What becomes of an assertion that comes again. */
  assertionReplay: 'refused' | 'accepted';
  /** Tokens for requests with a certificate are bound to it (RFC 8705 §3). */
  certificateBoundTokens: boolean;
  /** Clients with certificates have endpoints of their own, on another host (RFC 8705 §5); the others see no certificate. */
  mtlsEndpoints: boolean;
  /** Every client is refused with `invalid_client`, until this is switched off again. */
  rejectClients: boolean;
}

export function defaultClientAuthKnobs(): ClientAuthKnobs {
  return {
    basicDecoding: 'form',
    rejectDoubleAuthentication: true,
    authMethods: [
      'client_secret_basic',
      'client_secret_post',
      'client_secret_jwt',
      'private_key_jwt',
      'tls_client_auth',
      'self_signed_tls_client_auth',
      'none',
    ],
    assertionAudience: 'issuer',
    assertionTyp: 'any',
    assertionHeaders: [],
    assertionReplay: 'refused',
    certificateBoundTokens: true,
    mtlsEndpoints: false,
    rejectClients: false,
  };
}
