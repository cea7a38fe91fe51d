import { checkOptions, checkString, hasControlCharacter, invalidOption } from '../../core/check-option.js';
import type { Preset } from '../../core/preset.js';
import { askFor } from '../wire/ask-for.js';

/** How a client proves who it is (RFC 6749 §2.3): an opaque value. What is secret in it lives in a closure. */
export interface ClientAuth {
  /** The method's registered name (RFC 8414 `token_endpoint_auth_methods_supported`). */
  readonly method: string;
  /** Adds the credentials to one request; answers with what must never be seen in a message. */
  authenticate(request: ClientAuthRequest): Promise<readonly string[]>;
  /** Carries the requests of a client that proves itself by a certificate (RFC 8705), to the endpoints that ask for one. */
  readonly mutualTls?: { readonly fetch: typeof fetch; thumbprint(): Promise<string | undefined> } | undefined;
}

/** The request that is about to be sent. */
export interface ClientAuthRequest {
  readonly clientId: string;
  readonly issuer: string;
  readonly tokenEndpoint: string;
  readonly preset: Preset;
  /** Epoch milliseconds as the server counts them, for what is signed. */
  readonly now: () => number;
  readonly body: URLSearchParams;
  readonly headers: Headers;
}

/** A client secret, or a function that is asked for it at every attempt, so that rotation needs no restart. */
export type ClientSecret = string | (() => string | Promise<string>);

export interface ClientSecretBasicOptions {
  /**
   * How id and secret are encoded before they are joined (RFC 6749 §2.3.1): `form` as the standard says, `raw` not at
   * all, for servers that do not decode, `strict` with every character but letters and digits escaped.
   * @default 'form'
   */
  readonly encoding?: 'form' | 'raw' | 'strict' | undefined;
}

/** A public client: sends its `client_id` and no secret (RFC 6749 §3.2.1). */
export function none(): ClientAuth {
  return Object.freeze({
    method: 'none',
    authenticate: ({ body, clientId }: ClientAuthRequest) => {
      body.set('client_id', clientId);
      return Promise.resolve([]);
    },
  });
}

/**
 * `client_secret_basic`: id and secret in the `Authorization` header (RFC 6749 §2.3.1).
 * @throws {TokenError} `invalid_option` when the secret is empty or has control characters.
 */
export function clientSecretBasic(secret: ClientSecret, options: ClientSecretBasicOptions = {}): ClientAuth {
  const read = secretReader(secret);
  checkOptions('clientSecretBasic', options, ['encoding']);
  const { encoding = 'form' } = options;
  if (!Object.hasOwn(encoders, encoding)) throw invalidOption('encoding', '"form", "raw" or "strict"', encoding);
  const encode = encoders[encoding];
  return Object.freeze({
    method: 'client_secret_basic',
    authenticate: async ({ clientId, headers }: ClientAuthRequest) => {
      if (encoding === 'raw' && clientId.includes(':')) throw invalidOption('clientId', 'no colon where the encoding is "raw"', clientId);
      const value = await read();
      const credentials = base64(`${encode(clientId)}:${encode(value)}`);
      headers.set('authorization', `Basic ${credentials}`);
      return [value, credentials];
    },
  });
}

/**
 * `client_secret_post`: id and secret in the body (RFC 6749 §2.3.1).
 * @throws {TokenError} `invalid_option` when the secret is empty or has control characters.
 */
export function clientSecretPost(secret: ClientSecret): ClientAuth {
  const read = secretReader(secret);
  return Object.freeze({
    method: 'client_secret_post',
    authenticate: async ({ clientId, body }: ClientAuthRequest) => {
      const value = await read();
      body.set('client_id', clientId);
      body.set('client_secret', value);
      return [value];
    },
  });
}

/** Reads the secret anew each time, and checks what a function gives. */
export function secretReader(secret: unknown): () => Promise<string> {
  if (typeof secret !== 'function') {
    const value = checkString('secret', secret);
    return () => Promise.resolve(value);
  }
  return async () => {
    const value: unknown = await askFor('the client secret', () => secret());
    if (typeof value !== 'string' || value === '' || hasControlCharacter(value))
      throw invalidOption('secret', 'a function that gives a string that is not empty and has no control characters', value);
    return value;
  };
}

const encoders: Record<'form' | 'raw' | 'strict', (value: string) => string> = {
  form: formEncode,
  raw: (value) => value,
  strict: (value) => formEncode(value).replace(/[*._-]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`),
};

// The WHATWG serializer (RFC 6749 App. B): leaves `*-._` alone, so that servers that do not decode still match most ids.
function formEncode(value: string): string {
  return new URLSearchParams([['', value]]).toString().slice(1);
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
