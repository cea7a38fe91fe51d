import { invalidOption } from '../../core/check-option.js';
import { TokenError } from '../../core/errors.js';
import type { GrantContext } from '../../core/grant.js';
import { digest, randomSecret } from '../../core/random.js';
import type { TokenParameters } from '../../core/token-parameters.js';
import { withTimeLimit } from '../../core/waiting.js';
import { type SignIn, type SignInOptions, checkSignIn } from './sign-in-options.js';
import { askEndpoint } from '../wire/ask-endpoint.js';
import type { AuthorizationServer } from '../issuer/authorization-server.js';
import type { AuthorizationTransaction } from './authorization-transaction.js';
import { requireEndpoint } from '../issuer/require-endpoint.js';
import { pickMembers } from '../wire/response-members.js';
import type { ServerMetadata } from '../issuer/server-metadata.js';
import { setParameters, withParameters } from './with-parameters.js';
import { parseExpiresIn } from '../wire/to-token-set.js';

/** A sign-in that is about to begin. */
export interface AuthorizationRequest {
  /** To be kept before the user is sent away. */
  readonly transaction: AuthorizationTransaction;
  /**
   * Where to send the user. A pushed request is pushed here, and once more when its reference has expired (RFC 9126 §2.2);
   * a reference is good for one visit.
   * @throws {TokenError} what a request to the server may end with, where the request is pushed.
   */
  url(context: GrantContext): Promise<string>;
}

/** What a sign-in depends on beside its options. */
export interface SignInContext {
  /** As registered, and as `checkRedirectUri` passed it. */
  readonly redirectUri: string;
  /** What the sign-in asks for unless its own options say otherwise. */
  readonly defaults?: TokenParameters | undefined;
  /** The application's own data: rides in the transaction, never in a URL. */
  readonly appState?: string | undefined;
  /** Ends the `state`, in public: tells whoever the callback comes to whether it is theirs. */
  readonly tag?: string | undefined;
}

/**
 * Begins an authorization code flow (RFC 6749 §4.1.1) with PKCE (RFC 7636), `state`, and a `nonce` where `openid` is asked
 * for. Sends nothing but discovery.
 * @throws {TokenError} `invalid_option`, `discovery_failed`, `request_rejected` where the server takes no S256; what discovery may end with.
 */
export async function authorizationRequest(
  server: AuthorizationServer,
  options: SignInOptions,
  given: SignInContext,
  context: GrantContext,
): Promise<AuthorizationRequest> {
  const signIn = checkSignIn(options, given.defaults);
  const metadata = await server.metadata(context);
  const endpoint = requireEndpoint(metadata, 'authorization_endpoint', 'authorization');
  const { target, responseMode, maxAgeMs, acrValues } = signIn;
  const transaction: AuthorizationTransaction = Object.freeze({
    state: given.tag === undefined ? randomSecret() : `${randomSecret()}.${given.tag}`,
    issuer: metadata.issuer,
    clientId: server.clientId,
    redirectUri: given.redirectUri,
    responseMode,
    isIssuerNamed: metadata.authorization_response_iss_parameter_supported === true,
    codeVerifier: usesPkce(server, metadata) ? randomSecret() : undefined,
    nonce: target.scope?.includes('openid') ? randomSecret() : undefined,
    scope: target.scope,
    resource: target.resource,
    audience: target.audience,
    maxAgeMs,
    acrValues,
    appState: given.appState,
    createdAt: context.clock.now(),
  });
  const parameters = await parametersOf(server, signIn, transaction);
  const isPushed = signIn.pushed || metadata.require_pushed_authorization_requests === true;
  const send = isPushed ? pusher(server, parameters, signIn.secrets) : () => Promise.resolve(parameters);
  return { transaction, url: async (now) => withParameters(endpoint, await send(now)) };
}

function usesPkce({ auth, preset }: AuthorizationServer, metadata: ServerMetadata): boolean {
  if (preset.pkce === 'unsupported') {
    if (auth.method === 'none') throw invalidOption('preset.pkce', 'PKCE: without a secret nothing else protects the code', preset.pkce);
    return false;
  }
  if (metadata.code_challenge_methods_supported?.includes('S256') !== false) return true;
  throw new TokenError('request_rejected', 'the server lists PKCE methods without S256, the only safe one', { phase: 'authorization' });
}

async function parametersOf({ dpop }: AuthorizationServer, { parameters }: SignIn, transaction: AuthorizationTransaction): Promise<URLSearchParams> {
  const { clientId, redirectUri, state, nonce, codeVerifier } = transaction;
  return setParameters(new URLSearchParams(parameters), {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    state,
    nonce,
    ...(codeVerifier !== undefined && { code_challenge: await digest(codeVerifier), code_challenge_method: 'S256' }),
    // Without the key the code is worth nothing (RFC 9449 §10).
    dpop_jkt: await dpop?.thumbprint(),
  });
}

// A margin for the way to the server and back.
const marginMs = 5_000;
const limitMs = 10_000;

// Pushes the request, and again when what came back is about to expire: gives the parameters that are left for the URL.
function pusher(server: AuthorizationServer, body: URLSearchParams, secrets: readonly string[]): (context: GrantContext) => Promise<URLSearchParams> {
  const phase = 'authorization';
  let pushed: { readonly uri: string; readonly deadMs: number } | undefined;
  return async (context) => {
    const sentMs = context.clock.monotonicMs();
    if (pushed === undefined || sentMs >= pushed.deadMs) {
      const question = { phase, endpoint: 'pushed_authorization_request_endpoint', body, secrets } as const;
      const timeout = (): TokenError => new TokenError('timeout', `the request was not taken within ${limitMs} ms`, { phase });
      const push = (signal: AbortSignal) => askEndpoint(server, question, { ...context, signal });
      const { object } = await withTimeLimit(context.clock, limitMs, push, timeout, context.signal);
      const { request_uri: uri, expires_in: expiresIn } = pickMembers(object, ['request_uri', 'expires_in']);
      if (typeof uri !== 'string' || uri === '') throw new TokenError('invalid_response', 'the answer to the pushed request has no request_uri', { phase });
      pushed = { uri, deadMs: sentMs + (parseExpiresIn(expiresIn) ?? 0) - marginMs };
    }
    return new URLSearchParams({ client_id: server.clientId, request_uri: pushed.uri });
  };
}
