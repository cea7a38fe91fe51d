import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { TLSSocket } from 'node:tls';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { Agent } from 'undici';
import { close, listen, startAuthorizationServer } from '../../../examples/demo/authorization-server.js';
import { memoryAdapter } from '../../../examples/demo/memory-adapter.js';
import { type Certificate, issueCertificate } from '../../support/certificates.js';

export const invoices = 'https://invoices.example';

export interface AuthenticatingServerOptions {
  /** Over https, with certificates of clients: those of the authority are trusted. */
  readonly tls?: { readonly authority: Certificate; readonly mtlsIssuer?: string } | undefined;
  readonly tokenLifetimeS?: number;
}

export interface AuthenticatingServer extends AsyncDisposable {
  readonly issuer: string;
  /** Registers a client, or registers it anew (RFC 7591 §2). */
  register(clientId: string, metadata: object): Promise<void>;
  /** What the server said about refused requests. */
  readonly refusals: string[];
  readonly tokenRequests: () => number;
}

/** An authorization server (oidc-provider) whose clients come and change while it runs. */
export async function startAuthenticatingServer({ tls, tokenLifetimeS = 60 }: AuthenticatingServerOptions = {}): Promise<AuthenticatingServer> {
  const Adapter = memoryAdapter();
  const clients = new Adapter('Client');
  const refusals: string[] = [];
  const secured = tls && { ...issueCertificate({ name: 'localhost', issuer: tls.authority }), ca: tls.authority.cert };
  const server = await startAuthorizationServer({
    clients: [],
    resources: { [invoices]: { scope: 'api:read' } },
    tokenLifetimeS,
    configuration: {
      adapter: Adapter,
      clientAuthMethods: [
        'client_secret_basic',
        'client_secret_post',
        'client_secret_jwt',
        'private_key_jwt',
        ...(tls ? ['tls_client_auth', 'self_signed_tls_client_auth'] : []),
      ],
      discovery: tls?.mtlsIssuer && { mtls_endpoint_aliases: { token_endpoint: `${tls.mtlsIssuer}/token` } },
      features: {
        mTLS: {
          enabled: tls !== undefined,
          certificateBoundAccessTokens: true,
          tlsClientAuth: true,
          selfSignedTlsClientAuth: true,
          getCertificate: ({ socket }: { socket: TLSSocket }) => socket.getPeerX509Certificate(),
          certificateAuthorized: ({ socket }: { socket: TLSSocket }) => socket.authorized,
          certificateSubjectMatches: ({ socket }: { socket: TLSSocket }, _property: string, expected: string) =>
            `CN=${socket.getPeerCertificate().subject.CN}` === expected,
        },
      },
    },
    createServer: (listener) => (secured ? createHttpsServer({ ...secured, requestCert: true, rejectUnauthorized: false }, listener) : createServer(listener)),
  });
  server.provider.on('grant.error', (_context, error) => refusals.push(error.error_detail ?? error.message));
  return {
    issuer: server.issuer,
    tokenRequests: () => server.tokenRequests(),
    refusals,
    async register(clientId, metadata) {
      await Reflect.get(clients, 'upsert').call(clients, clientId, { client_id: clientId, grant_types: ['client_credentials'], ...metadata });
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

export interface CertificateApi extends AsyncDisposable {
  readonly url: string;
}

/** An API over https that takes a token only over the certificate that it is bound to (RFC 8705 §3.1). */
export async function startCertificateApi(issuer: string, authority: Certificate): Promise<CertificateApi> {
  const dispatcher = new Agent({ connect: { ca: authority.cert } });
  const init: RequestInit = {};
  const keys = createLocalJWKSet(JSON.parse(await (await fetch(`${issuer}/jwks`, Object.assign({}, init, { dispatcher }))).text()));
  const tls = { ...issueCertificate({ name: 'localhost', issuer: authority }), ca: authority.cert, requestCert: true, rejectUnauthorized: false };
  const isGood = async (authorization: string, socket: unknown): Promise<boolean> => {
    const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
    if (certificate === undefined) return false;
    const { payload } = await jwtVerify(authorization.replace('Bearer ', ''), keys, { issuer, audience: invoices });
    const thumbprint = Buffer.from(await crypto.subtle.digest('SHA-256', Uint8Array.from(certificate.raw))).toString('base64url');
    return Reflect.get(Object(payload['cnf']), 'x5t#S256') === thumbprint;
  };
  const answer: RequestListener = (request, response) => {
    isGood(request.headers.authorization ?? '', request.socket).then(
      (good) => response.writeHead(good ? 200 : 401, good ? {} : { 'www-authenticate': 'Bearer error="invalid_token"' }).end(),
      () => response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end(),
    );
  };
  const server = createHttpsServer(tls, answer);
  const url = `https://127.0.0.1:${await listen(server)}`;
  return {
    url,
    async [Symbol.asyncDispose]() {
      await dispatcher.close();
      await close(server);
    },
  };
}
