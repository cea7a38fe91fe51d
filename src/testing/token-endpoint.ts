import { randomId } from '../core/random.js';
import { readClaims } from '../core/read-claims.js';
import { authenticateClient } from './client-authentication.js';
import { offerNonce, type ProvenKey, readProof } from './dpop-proof.js';
import type { FakeGrantSuccess, OAuthFault } from './fake-grant.js';
import { fakeJwt } from './fake-jwt.js';
import { type FakeSignIn, issueIdToken } from './id-token-issuer.js';
import type { RecordedRequest } from './recorded-request.js';
import { connectionLost, type Exchange, respond, respondJson, respondRaw, retryAfterHeader, serverNow, wait } from './server-context.js';
import type { ServerKnobs } from './server-knobs.js';
import { accessTokenMember, scopeMember, tokenResponse } from './token-response.js';

const jwtBearerType = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** The token endpoint (RFC 6749 §3.2): faults, client authentication, grant, commit, answer. */
export async function tokenEndpoint(request: RecordedRequest, exchange: Exchange): Promise<Response> {
  const { knobs } = exchange;
  await wait(exchange, knobs.latencyBeforeMs);
  if (knobs.connection === 'dropBeforeCommit') throw connectionLost();
  if (knobs.connection === 'hangBeforeCommit') return silence();
  const response = offerNonce(refusal(request, exchange) ?? (await decideBound(request, exchange)), request, exchange);
  await wait(exchange, knobs.latencyAfterMs);
  if (knobs.connection === 'dropAfterCommit') throw connectionLost();
  return knobs.connection === 'hangAfterCommit' ? silence() : response;
}

function silence(): Promise<never> {
  return new Promise(() => undefined);
}

function refusal(request: RecordedRequest, exchange: Exchange): Response | undefined {
  const { knobs, context } = exchange;
  if (knobs.answer !== undefined) return respondRaw(exchange, knobs.answer);
  if (knobs.redirect !== undefined)
    return respond(exchange, { status: knobs.redirect.status, headers: { location: knobs.redirect.location ?? `${context.trapOrigin}/token` } });
  if (request.method !== 'POST') return respondJson(exchange, 405, { error: 'invalid_request' }, { allow: 'POST' });
  return knobs.error === undefined ? undefined : respondFault(exchange, { error: knobs.error }, request);
}

async function decideBound(request: RecordedRequest, exchange: Exchange): Promise<Response> {
  const { dpop } = exchange.knobs;
  const key = dpop === 'ignored' ? undefined : await readProof(request, exchange);
  if (key && 'error' in key) return respondFault(exchange, key, request);
  if (!key && dpop === 'required') return respondFault(exchange, { error: 'invalid_dpop_proof', description: 'there is none' }, request);
  return decide(request, exchange, key);
}

async function decide(request: RecordedRequest, exchange: Exchange, key: ProvenKey | undefined): Promise<Response> {
  const { knobs, context } = exchange;
  const { params } = request;
  const repeated = [...params.keys()].find((name) => name !== 'resource' && name !== 'audience' && params.getAll(name).length > 1);
  if (repeated !== undefined) return respondFault(exchange, { error: 'invalid_request', description: `${repeated} is repeated` }, request);
  const type = params.get('grant_type');
  const client = selfAssured(request) ?? (await authenticateClient(request, exchange));
  if ('error' in client) return respondFault(exchange, client, request);
  const grant = type !== null && Object.hasOwn(context.grants, type) ? context.grants[type] : undefined;
  if (grant === undefined) return respondFault(exchange, { error: type === null ? 'invalid_request' : 'unsupported_grant_type' }, request);

  const now = context.now();
  const given = grant({
    clientId: client.clientId,
    params,
    request,
    requestedScope: params.get('scope')?.split(' ').filter(Boolean),
    refreshTokenForClientCredentials: knobs.refreshTokenForClientCredentials,
    newRefreshToken(scope) {
      const family = context.registry.newFamily(client.clientId, scope);
      return { family, refreshToken: context.registry.addRefreshToken(family, 0, now + knobs.replicationLagMs) };
    },
    refresh: (value) => context.registry.refresh(value, { clientId: client.clientId, jkt: key?.jkt }, knobs, now),
    issuer: context.issuer,
    knobs,
    now: serverNow(context, knobs),
    ownNow: now,
    jkt: key?.jkt,
  });
  const result = given instanceof Promise ? await given : given;
  return 'error' in result ? respondFault(exchange, result, request) : respondTokens(exchange, client.clientId, result, request, key);
}

// RFC 7521 §4.1: an assertion may be all that says who asks.
function selfAssured({ params, headers }: RecordedRequest): { readonly clientId: string } | undefined {
  if (params.get('grant_type') !== jwtBearerType || headers.has('authorization')) return undefined;
  if ([...params.keys()].some((name) => name.startsWith('client_'))) return undefined;
  return { clientId: readClaims(params.get('assertion') ?? '')?.iss ?? '' };
}

async function respondTokens(
  exchange: Exchange,
  clientId: string,
  result: FakeGrantSuccess,
  request: RecordedRequest,
  key: ProvenKey | undefined,
): Promise<Response> {
  const { knobs, context } = exchange;
  const { params, certificateThumbprint } = request;
  const scope = knobs.grantedScope?.split(' ').filter(Boolean) ?? result.scope;
  const expiresIn = knobs.expiresInRange === undefined ? knobs.expiresIn : drawn(knobs.expiresInRange, context.random());
  const accessToken = issueAccessToken(exchange, {
    clientId,
    scope,
    family: result.family,
    resource: params.getAll('resource'),
    audience: params.get('audience') ?? undefined,
    expiresIn,
    jkt: key?.jkt,
    certificateThumbprint: knobs.certificateBoundTokens ? certificateThumbprint : undefined,
  });
  const isSignIn = params.get('grant_type') === 'authorization_code';
  const signIn = knobs.idToken === 'always' || (knobs.idToken === 'atSignIn' && isSignIn) ? result.family?.signIn : undefined;
  const members = {
    access_token: accessToken,
    token_type: key ? 'DPoP' : knobs.tokenType,
    expires_in: expiresIn,
    refresh_token: result.refreshToken,
    scope: scopeMember(scope, knobs.scopeForm),
    ...(signIn && scope.includes('openid') && { id_token: await idTokenFor(exchange, signIn, clientId, accessToken, isSignIn) }),
    ...result.members,
    ...knobs.members,
  };
  return respond(exchange, { status: knobs.successStatus, ...tokenResponse(members, knobs.shape) });
}

// A refresh need not repeat the nonce (OIDC Core §12.2).
function idTokenFor({ knobs, context }: Exchange, signIn: FakeSignIn, clientId: string, accessToken: string, isSignIn: boolean): Promise<string> {
  const { issuer } = context;
  return issueIdToken({ ...signIn, nonce: isSignIn ? signIn.nonce : undefined, issuer, clientId, accessToken, now: serverNow(context, knobs) }, knobs);
}

/** What an access token is issued for. */
export interface AccessTokenRequest {
  readonly clientId: string;
  readonly scope: readonly string[];
  readonly resource: readonly string[];
  readonly audience?: string | undefined;
  readonly family?: FakeGrantSuccess['family'];
  readonly jkt?: string | undefined;
  readonly certificateThumbprint?: string | undefined;
  readonly expiresIn: unknown;
}

export function issueAccessToken({ knobs, context }: Pick<Exchange, 'knobs' | 'context'>, { expiresIn, ...token }: AccessTokenRequest): string {
  const lifetimeMs = knobs.lifetimeMs ?? plausibleLifetimeMs(expiresIn);
  const fresh =
    knobs.accessTokenFormat === 'opaque' ? `at-${randomId()}` : fakeJwt(jwtClaims(context.issuer, token, knobs, serverNow(context, knobs), lifetimeMs));
  const previous = context.registry.lastAccessTokenOf(token.clientId);
  const value = accessTokenMember(fresh, knobs.accessTokenForm, previous);
  if (value !== previous)
    context.registry.addAccessToken({ ...token, value, audience: token.audience, family: token.family, expiresAt: context.now() + lifetimeMs });
  return value;
}

function jwtClaims(
  issuer: string,
  token: Omit<AccessTokenRequest, 'expiresIn'>,
  knobs: ServerKnobs,
  now: number,
  lifetimeMs: number,
): Readonly<Record<string, unknown>> {
  const at = (inMs: number | null): number | undefined => (inMs === null ? undefined : Math.floor((now + inMs) / 1000));
  return {
    iss: issuer,
    sub: token.clientId,
    client_id: token.clientId,
    aud: token.audience ?? token.resource,
    scope: token.scope.join(' '),
    exp: at(knobs.jwtExpInMs === undefined ? lifetimeMs : knobs.jwtExpInMs),
    iat: at(knobs.jwtIatInMs),
    nbf: at(knobs.jwtNbfInMs),
    cnf: token.jkt || token.certificateThumbprint ? { jkt: token.jkt, 'x5t#S256': token.certificateThumbprint } : undefined,
  };
}

function plausibleLifetimeMs(expiresIn: unknown): number {
  const seconds = typeof expiresIn === 'string' && expiresIn.trim() !== '' ? Number(expiresIn) : expiresIn;
  return typeof seconds === 'number' && seconds >= 0 ? seconds * 1000 : 3_600_000;
}

function drawn([min, max]: readonly [number, number], fraction: number): number {
  return min + Math.floor(fraction * (max - min + 1));
}

/** An OAuth error as the knobs shape it. */
export function respondFault(exchange: Exchange, fault: OAuthFault, request: RecordedRequest): Response {
  const { knobs } = exchange;
  const status = knobs.errorStatus ?? (fault.error === 'invalid_client' ? 401 : 400);
  // RFC 6749 §5.2: the challenge matches the scheme that the client used.
  const challenge = status === 401 && request.headers.has('authorization') ? { 'www-authenticate': 'Basic realm="token"' } : {};
  const body = { error: fault.error, error_description: fault.description, ...fault.members, ...knobs.errorMembers };
  return respondJson(exchange, status, body, { ...challenge, ...retryAfterHeader(exchange) });
}

/** The revocation endpoint (RFC 7009): a refresh token takes its grant with it, an unknown token is no error. */
export async function revocationEndpoint(request: RecordedRequest, exchange: Exchange): Promise<Response> {
  const { knobs, context } = exchange;
  if (knobs.revocationAnswer !== undefined) return respondRaw(exchange, knobs.revocationAnswer);
  const client = await authenticateClient(request, exchange);
  if ('error' in client) return respondFault(exchange, client, request);
  const token = request.params.get('token');
  if (token === null) return respondFault(exchange, { error: 'invalid_request', description: 'token is missing' }, request);
  if (!context.registry.revokeAccessToken(token)) context.registry.revokeGrant(token);
  return respond(exchange, { status: 200 });
}
