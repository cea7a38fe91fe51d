import type { JWTPayload } from 'jose';
import type { ProofRequest } from './grant.js';
import { readClaims } from './read-claims.js';
import type { TokenSet, TokenType } from './token-set.js';

/** An access token as callers get it: frozen, and its value absent from JSON, spread, string conversion and inspection. */
export interface AccessToken {
  /** The secret itself, for what cannot use {@link AccessToken.headers}. */
  readonly value: string;
  readonly type: TokenType;
  /** Epoch milliseconds by the local clock; undefined when neither the server nor the token names a lifetime. */
  readonly expiresAt: number | undefined;
  /** Granted scope; the requested one when the server names none. */
  readonly scope: readonly string[];
  /** The claims of a JWT access token, decoded and NOT verified; undefined for an opaque or encrypted token. */
  claims(): JWTPayload | undefined;
  /**
   * The headers that present this token to a resource server, for clients that do not go through `createAuthFetch`
   * (WebSocket, gRPC, axios). Those of a token of type DPoP are good for one send of this one request (RFC 9449 §7): ask
   * again for the next, with the last `DPoP-Nonce` of that server's answers.
   * @throws {TokenError} `invalid_option` for a URL that is not absolute, where a proof is needed; `key_lost`, `store_unavailable`.
   */
  headers(request: TokenRequestLine): Promise<Headers>;
}

/** The request that a token is to be presented with. */
export interface TokenRequestLine {
  readonly method: string;
  readonly url: string | URL;
  /** The resource server's DPoP nonce (RFC 9449 §9). */
  readonly nonce?: string | undefined;
}

/** The access token of a token set, as callers get it. */
export function createAccessToken(tokens: PresentedTokens, prove?: Prove): AccessToken {
  return new HeldAccessToken(tokens, prove);
}

/** Makes a DPoP proof for one request. */
export type Prove = (request: ProofRequest) => Promise<string>;

type PresentedTokens = Pick<TokenSet, 'accessToken' | 'tokenType' | 'sentAt' | 'lifetimeMs' | 'scope'>;

// Shared: a manager may hold tokens for many targets.
const noScope: readonly string[] = /* @__PURE__ */ Object.freeze([]);

// Private fields with prototype getters: nothing that walks an object's properties meets the value.
// Marked as pure, since a bundler cannot know that of a class with a computed name in it, and would keep it for those who import none.
const HeldAccessToken: new (tokens: PresentedTokens, prove: Prove | undefined) => AccessToken = /* @__PURE__ */ (() =>
  class implements AccessToken {
    readonly #value: string;
    readonly #facts: Pick<AccessToken, 'type' | 'expiresAt' | 'scope'>;
    readonly #prove: Prove | undefined;

    constructor({ accessToken, tokenType, sentAt, lifetimeMs, scope }: PresentedTokens, prove: Prove | undefined) {
      this.#value = accessToken;
      this.#prove = prove;
      this.#facts = {
        type: tokenType,
        expiresAt: lifetimeMs === undefined ? undefined : sentAt + lifetimeMs,
        scope: scope.length === 0 ? noScope : Object.isFrozen(scope) ? scope : Object.freeze([...scope]),
      };
      Object.freeze(this);
    }

    get value(): string {
      return this.#value;
    }

    get type(): TokenType {
      return this.#facts.type;
    }

    get expiresAt(): number | undefined {
      return this.#facts.expiresAt;
    }

    get scope(): readonly string[] {
      return this.#facts.scope;
    }

    claims(): JWTPayload | undefined {
      return readClaims(this.#value);
    }

    async headers({ method, url, nonce }: TokenRequestLine): Promise<Headers> {
      const headers = new Headers({ authorization: `${this.type} ${this.#value}` });
      if (this.type === 'DPoP' && this.#prove) headers.set('dpop', await this.#prove({ method, url, nonce, accessToken: this.#value }));
      return headers;
    }

    toString(): string {
      return `[AccessToken ${this.type}]`;
    }

    toJSON(): Pick<AccessToken, 'type' | 'expiresAt' | 'scope'> {
      return { ...this.#facts };
    }

    // What Node prints.
    [Symbol.for('nodejs.util.inspect.custom')](): unknown {
      return { AccessToken: '[redacted]', ...this.#facts };
    }
  })();
