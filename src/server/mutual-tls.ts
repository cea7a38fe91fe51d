import { checkOptions, invalidOption } from '../core/check-option.js';
import { askFor } from '../protocol/wire/ask-for.js';
import { readCertificate, thumbprintOf } from '../protocol/client-auth/certificate.js';
import type { ClientAuth, ClientAuthRequest } from '../protocol/client-auth/client-auth.js';

export interface MutualTlsOptions {
  /** Presents the client's certificate. Carries every request to the authorization server, and should carry the calls to the API. */
  readonly fetch: typeof fetch;
  /** Whether an authority vouches for the certificate, or the server knows it by itself (RFC 8705 §2.1, §2.2). @default 'tls_client_auth' */
  readonly method?: 'tls_client_auth' | 'self_signed_tls_client_auth' | undefined;
  /**
   * The certificate in PEM, or a function that gives the current one. Tokens are bound to it (RFC 8705 §3): its thumbprint
   * keeps them apart from those of another certificate in a shared store.
   */
  readonly certificate?: string | (() => string | Promise<string>) | undefined;
}

/**
 * Mutual TLS: the client proves itself by the certificate that its connections present (RFC 8705). This package opens no
 * connections, so bring a `fetch` that presents it. Servers that list `mtls_endpoint_aliases` are called there.
 *
 * @throws {TokenError} `invalid_option`; a certificate that a function gives is checked at its use.
 */
export function mutualTls(options: MutualTlsOptions): ClientAuth {
  checkOptions('mutualTls', options, ['fetch', 'method', 'certificate']);
  const { fetch, method = 'tls_client_auth', certificate } = options;
  if (typeof fetch !== 'function') throw invalidOption('fetch', 'a function', fetch);
  if (method !== 'tls_client_auth' && method !== 'self_signed_tls_client_auth')
    throw invalidOption('method', '"tls_client_auth" or "self_signed_tls_client_auth"', method);
  if (certificate !== undefined && typeof certificate !== 'function') readCertificate('certificate', certificate);
  return Object.freeze({
    method,
    authenticate: ({ body, clientId }: ClientAuthRequest) => {
      body.set('client_id', clientId);
      return Promise.resolve([]);
    },
    mutualTls: Object.freeze({
      fetch,
      thumbprint: async () => {
        if (certificate === undefined) return undefined;
        const current = typeof certificate === 'function' ? await askFor('the certificate', certificate) : certificate;
        return thumbprintOf(readCertificate('certificate', current));
      },
    }),
  });
}
