/** A client's key for sender-constrained tokens (RFC 9449): an opaque value, made by `dpop()`. */
export interface Dpop {
  /** Whether a token that is not bound to the key is refused as a downgrade. */
  readonly required: boolean;
  /** A new proof for one request. `now`: epoch milliseconds by the server's clock. */
  prove(request: DpopProofRequest, now: number): Promise<string>;
  /** SHA-256 of the public key (RFC 7638), base64url: what tokens are bound to. */
  thumbprint(): Promise<string>;
}

/** What a proof is for. */
export interface DpopProofRequest {
  readonly method: string;
  readonly url: string | URL;
  readonly nonce?: string | undefined;
  /** Left out at the authorization server. */
  readonly accessToken?: string | undefined;
}
