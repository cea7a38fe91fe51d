import { digest, randomId } from '../core/random.js';
import { authenticateClient } from './client-authentication.js';
import type { FakeGrant } from './fake-grant.js';
import { type FakeSignIn, publishedKeys } from './id-token-issuer.js';
import type { RecordedRequest } from './recorded-request.js';
import { type Exchange, respond, respondJson, respondRaw, serverNow } from './server-context.js';
import { respondFault } from './token-endpoint.js';
import type { GrantFamily } from './token-registry.js';
import { userInfoEndpoint } from './user-info-endpoint.js';

interface IssuedCode extends FakeSignIn {
  readonly clientId: string;
  readonly redirectUri: string | null;
  readonly challenge: string | null;
  readonly jkt: string | null;
  readonly scope: readonly string[];
  /** By the server's own clock. */
  readonly expiresAt: number;
  used: boolean;
  family: GrantFamily | undefined;
}

interface PushedRequest {
  readonly clientId: string;
  readonly params: URLSearchParams;
  readonly expiresAt: number;
}

/** Where users sign in, and the grant that takes the codes back (RFC 6749 §4.1). Everybody signs in at once. */
export class SignIns {
  readonly #codes = new Map<string, IssuedCode>();
  readonly #pushed = new Map<string, PushedRequest>();

  /** The endpoints of sign-in; undefined for any other. */
  handle(request: RecordedRequest, exchange: Exchange): Response | Promise<Response> | undefined {
    const { knobs } = exchange;
    switch (request.endpoint) {
      case 'authorization':
        return this.#authorize(request, exchange);
      case 'pushedAuthorization':
        return knobs.pushedRequests === 'absent' ? respond(exchange, { status: 404 }) : this.#push(request, exchange);
      case 'jwks':
        return knobs.jwksAnswer ? respondRaw(exchange, knobs.jwksAnswer) : publishedKeys(knobs).then((keys) => respondJson(exchange, 200, { keys }));
      case 'userInfo':
        return userInfoEndpoint(request, exchange);
      case 'endSession':
        return this.#endSession(request, exchange);
      default:
        return undefined;
    }
  }

  // RFC 9126 §2.
  async #push(request: RecordedRequest, exchange: Exchange): Promise<Response> {
    const { knobs, context } = exchange;
    if (knobs.pushedAnswer) return respondRaw(exchange, knobs.pushedAnswer);
    const client = await authenticateClient(request, exchange);
    if ('error' in client) return respondFault(exchange, client, request);
    const uri = `urn:ietf:params:oauth:request_uri:${randomId()}`;
    const { requestUriExpiresIn } = knobs;
    this.#pushed.set(uri, { clientId: client.clientId, params: request.params, expiresAt: context.now() + requestUriExpiresIn * 1000 });
    return respondJson(exchange, 201, { request_uri: uri, expires_in: requestUriExpiresIn });
  }

  async #authorize(request: RecordedRequest, exchange: Exchange): Promise<Response> {
    const { knobs, context } = exchange;
    const query = new URL(request.url).searchParams;
    const params = this.#paramsOf(query, exchange);
    // What cannot be trusted is not followed back (RFC 6749 §4.1.2.1).
    const redirectUri = params?.get('redirect_uri') ?? '';
    if (params === undefined || !URL.canParse(redirectUri)) return respondJson(exchange, 400, { error: 'invalid_request_uri' });
    const answer = (members: Readonly<Record<string, string | undefined>>): Response => {
      const state = { same: params.get('state') ?? undefined, altered: `${params.get('state')}x`, absent: undefined }[knobs.stateParameter];
      const iss = { right: context.issuer, wrong: `${context.issuer}/`, absent: undefined }[knobs.issParameter];
      const location = new URL(redirectUri);
      const part = params.get('response_mode') === 'fragment' ? new URLSearchParams() : location.searchParams;
      for (const [name, value] of Object.entries({ ...members, state, iss, ...knobs.responseParameters })) if (value !== undefined) part.set(name, value);
      if (part !== location.searchParams) location.hash = part.toString();
      return respond(exchange, { status: 303, headers: { location: location.href } });
    };
    if (knobs.authorizationError !== undefined) return answer({ error: knobs.authorizationError });
    if (params.get('response_type') !== 'code') return answer({ error: 'unsupported_response_type' });
    const challenge = params.get('code_challenge');
    if (knobs.pkce === 'required' && (challenge === null || params.get('code_challenge_method') !== 'S256')) return answer({ error: 'invalid_request' });
    const code = `code-${randomId()}`;
    this.#codes.set(code, {
      clientId: params.get('client_id') ?? '',
      redirectUri: params.get('redirect_uri'),
      challenge: knobs.pkce === 'ignored' ? null : challenge,
      jkt: params.get('dpop_jkt'),
      scope: params.get('scope')?.split(' ').filter(Boolean) ?? [],
      expiresAt: context.now() + knobs.codeLifetimeMs,
      user: knobs.user,
      nonce: params.get('nonce') ?? undefined,
      authTime: serverNow(context, knobs) - knobs.signedInAgoMs,
      used: false,
      family: undefined,
    });
    return answer({ code });
  }

  #paramsOf(query: URLSearchParams, { knobs, context }: Exchange): URLSearchParams | undefined {
    const uri = query.get('request_uri');
    if (uri === null) return knobs.pushedRequests === 'required' ? undefined : query;
    const pushed = this.#pushed.get(uri);
    this.#pushed.delete(uri);
    return pushed && pushed.clientId === query.get('client_id') && context.now() < pushed.expiresAt ? pushed.params : undefined;
  }

  #endSession(request: RecordedRequest, exchange: Exchange): Response {
    const query = new URL(request.url).searchParams;
    const back = query.get('post_logout_redirect_uri');
    if (back === null || !URL.canParse(back)) return respondJson(exchange, 200, { signedOut: true });
    const location = new URL(back);
    const state = query.get('state');
    if (state !== null) location.searchParams.set('state', state);
    return respond(exchange, { status: 303, headers: { location: location.href } });
  }

  /** The grant (RFC 6749 §4.1.3, RFC 7636 §4.6). */
  readonly grant: FakeGrant = async ({ params, clientId, knobs, jkt, ownNow, newRefreshToken }) => {
    const fault = (description: string) => ({ error: 'invalid_grant', description });
    const code = this.#codes.get(params.get('code') ?? '');
    const verifier = params.get('code_verifier');
    const challenge = verifier === null ? null : await digest(verifier);
    if (code === undefined || code.clientId !== clientId) return fault('unknown code');
    if (code.used) {
      if (knobs.codeReuse === 'revokes' && code.family) code.family.revoked = true;
      return fault('the code was used before');
    }
    if (ownNow >= code.expiresAt) return fault('the code has expired');
    if (code.redirectUri !== params.get('redirect_uri')) return fault('another redirect_uri');
    if (code.challenge !== null && code.challenge !== challenge) return fault('wrong code_verifier');
    if (code.jkt !== null && code.jkt !== jkt) return fault('another DPoP key');
    code.used = true;
    const { scope, user, nonce, authTime } = code;
    const issued = newRefreshToken(scope);
    code.family = issued.family;
    issued.family.signIn = { user, nonce, authTime };
    return { scope, ...issued };
  };
}
