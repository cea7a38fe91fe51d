import type { JWK } from 'jose';
import { checkOptions, checkString, invalidOption } from '../core/check-option.js';
import { readCertificate, thumbprintOf } from '../protocol/client-auth/certificate.js';

/** How a client is registered. It may use any of the ways that it is registered for. */
export interface FakeClient {
  /** For `client_secret_basic`, `_post` and `_jwt`; several while a new one takes the place of an old one. */
  readonly secret?: string | readonly string[] | undefined;
  /** Public keys for `private_key_jwt`. With a `kid` they are taken for that id alone. */
  readonly keys?: readonly JWK[] | undefined;
  /** Certificates in PEM: for mutual TLS, and for `private_key_jwt` with `x5t#S256` or `x5t`. */
  readonly certificates?: readonly string[] | undefined;
  /** An issuer whose assertions are taken for this client: federated credentials. */
  readonly federated?: FederatedIssuer | undefined;
}

export interface FederatedIssuer {
  readonly issuer: string;
  /** The `sub` of its assertions. */
  readonly subject: string;
  /** @default as for the client's own assertions */
  readonly audience?: string | undefined;
  readonly keys: readonly JWK[];
}

/** The client that a request comes from. */
export interface ClientIdentity {
  readonly clientId: string;
}

/** Clients by their ids; undefined: every client, whatever it proves itself with, is known. */
export type ClientRegistry = Map<string, RegisteredClient> | undefined;

/** A client as the endpoints ask for it. */
export interface RegisteredClient extends Pick<FakeClient, 'keys' | 'federated'> {
  readonly secrets: readonly string[];
  readonly registered: FakeClient;
  readonly isConfidential: boolean;
  readonly hasCertificates: boolean;
  readonly certificates: readonly string[];
  certificateThumbprints(hash?: 'SHA-256' | 'SHA-1'): Promise<readonly string[]>;
}

export function registerClient(clientId: string, client: string | FakeClient): RegisteredClient {
  const name = `clients.${clientId}`;
  if (typeof client === 'string') return registerClient(clientId, { secret: client });
  checkOptions(name, client, ['secret', 'keys', 'certificates', 'federated']);
  const { secret, keys, certificates = [], federated } = client;
  const secrets = secret === undefined ? [] : [secret].flat();
  for (const each of secrets) if (each !== '') checkString(`${name}.secret`, each);
  if (!Array.isArray(certificates)) throw invalidOption(`${name}.certificates`, 'a list of certificates in PEM', certificates);
  if (keys !== undefined && !Array.isArray(keys)) throw invalidOption(`${name}.keys`, 'a list of public keys, each a JWK', keys);
  const decoded = certificates.map((certificate) => readCertificate(`${name}.certificates`, certificate));
  return {
    registered: client,
    secrets,
    keys,
    federated,
    certificates,
    isConfidential: Boolean(secrets.some(Boolean) || keys || federated || decoded.length > 0),
    hasCertificates: decoded.length > 0,
    certificateThumbprints: (hash) => Promise.all(decoded.map((certificate) => thumbprintOf(certificate, hash))),
  };
}
