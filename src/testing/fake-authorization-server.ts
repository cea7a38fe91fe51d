import { checkFunction, checkOptions, checkPort, invalidOption } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import { randomFraction } from '../core/random.js';
import { systemClock } from '../core/system-clock.js';
import { abortable } from '../core/waiting.js';
import { readCertificate, thumbprintOf } from '../protocol/client-auth/certificate.js';
import { DeviceCodes } from './device-codes.js';
import { discoveryEndpoint, mtlsAlias, mtlsAliases, serverPaths, signInMetadata } from './discovery-endpoint.js';
import { DpopNonces } from './dpop-nonces.js';
import { registerClient } from './fake-client.js';
import { standardGrants } from './fake-grant.js';
import { jwtBearerGrant, tokenExchangeGrant } from './further-grants.js';
import { introspectionEndpoint } from './introspection-endpoint.js';
import type { FakeAuthorizationServer, FakeAuthorizationServerOptions } from './fake-server-api.js';
import { followRedirects } from './follow-redirects.js';
import { protectedResource } from './protected-resource.js';
import { type Endpoint, type RecordedRequest, recordRequest, signInEndpoints } from './recorded-request.js';
import { type Exchange, respond, respondJson, type ServerContext } from './server-context.js';
import { checkKnobs, defaultKnobs, type ServerKnobs } from './server-knobs.js';
import { SignIns } from './sign-ins.js';
import { issueAccessToken, revocationEndpoint, tokenEndpoint } from './token-endpoint.js';
import { TokenRegistry } from './token-registry.js';
import type { VirtualClock } from './virtual-clock.js';

function isVirtual(clock: Clock): clock is VirtualClock {
  return 'outsideNow' in clock;
}

const optionNames = ['issuer', 'apiOrigins', 'trapOrigin', 'clock', 'clients', 'grants', 'assertionIssuers', 'knobs', 'random'];

/**
 * A fake authorization server for tests: in this process, without a port, given as a `fetch`. Every way in which real
 * servers misbehave is a knob, to be turned while the test runs, and every request is on record.
 */
export function fakeAuthorizationServer(options: FakeAuthorizationServerOptions = {}): FakeAuthorizationServer {
  checkOptions('fakeAuthorizationServer()', options, optionNames);
  checkPort('clock', options.clock, ['now', 'monotonicMs', 'sleep']);
  const { issuer = 'https://as.test', apiOrigins = ['https://api.test'], trapOrigin = 'https://trap.test', clock = systemClock } = options;
  for (const [name, url] of Object.entries({ issuer, trapOrigin })) if (!URL.canParse(url)) throw invalidOption(name, 'a URL', url);
  if (!Array.isArray(apiOrigins) || !apiOrigins.every((origin) => URL.canParse(origin) && new URL(origin).origin === origin))
    throw invalidOption('apiOrigins', 'a list of origins such as "https://api.test"', apiOrigins);
  checkOptions('clients', options.clients ?? {});
  checkOptions('grants', options.grants ?? {});
  checkOptions('assertionIssuers', options.assertionIssuers ?? {});
  for (const [type, grant] of Object.entries(options.grants ?? {})) checkFunction(`grants.${type}`, grant);
  checkFunction('random', options.random);
  const paths = serverPaths(issuer);
  const knobs: ServerKnobs = { ...defaultKnobs(), ...checkKnobs(options.knobs ?? {}) };
  const registry = new TokenRegistry();
  const clients = options.clients && new Map(Object.entries(options.clients).map(([id, client]) => [id, registerClient(id, client)]));
  const requests: RecordedRequest[] = [];
  const devices = new DeviceCodes();
  const signIns = new SignIns();
  const overrides: { left: number; readonly changes: Partial<ServerKnobs>; readonly endpoint: Endpoint }[] = [];
  const refreshing = new Map<string, number>();
  let parallelRefreshes = 0;

  const context: ServerContext = {
    issuer,
    trapOrigin,
    clock,
    now: isVirtual(clock) ? () => clock.outsideNow() : () => clock.now(),
    random: options.random ?? randomFraction,
    registry,
    clients,
    grants: {
      ...standardGrants,
      authorization_code: signIns.grant,
      'urn:ietf:params:oauth:grant-type:device_code': devices.grant,
      'urn:ietf:params:oauth:grant-type:jwt-bearer': jwtBearerGrant(options.assertionIssuers),
      'urn:ietf:params:oauth:grant-type:token-exchange': tokenExchangeGrant,
      ...options.grants,
    },
    tokenNonces: new DpopNonces(),
    apiNonces: new DpopNonces(),
    proofs: new Set(),
    assertions: new Set(),
    deliveries: { bytes: 0, cancelled: 0 },
    waits: 0,
  };

  const mtlsUrls = new Map<string, Endpoint>([
    [mtlsAlias(paths.token), 'token'],
    [mtlsAlias(paths.revocation), 'revocation'],
  ]);

  const endpointOf = (href: string): Endpoint => {
    const { origin, pathname } = new URL(href);
    const url = `${origin}${pathname}`;
    if (knobs.mtlsEndpoints && mtlsUrls.has(url)) return mtlsUrls.get(url) ?? 'unknown';
    if (url === paths.token) return 'token';
    if (url === paths.revocation) return 'revocation';
    if (url === paths.introspection) return 'introspection';
    if (url === paths.device) return 'device';
    for (const name of signInEndpoints) if (url === paths[name]) return name;
    if (url === paths.oauthMetadata || url === paths.oidcMetadata) return 'discovery';
    if (apiOrigins.includes(origin)) return 'api';
    return origin === new URL(issuer).origin ? 'unknown' : 'trap';
  };

  const settingsFor = (endpoint: Endpoint): ServerKnobs => {
    const override = overrides.find((entry) => entry.endpoint === endpoint && entry.left > 0);
    // Odd bodies are the token endpoint's, unless another one is asked for by name: else nothing would get past discovery.
    const settings: ServerKnobs = endpoint === 'token' ? { ...knobs } : { ...knobs, delivery: 'whole' };
    if (override === undefined) return settings;
    override.left--;
    return { ...settings, ...override.changes };
  };

  const handle = (request: RecordedRequest, exchange: Exchange): Response | Promise<Response> => {
    switch (request.endpoint) {
      case 'token':
        return countParallel(request, abortable(tokenEndpoint(request, exchange), exchange.signal));
      case 'revocation':
        return exchange.knobs.revocation ? revocationEndpoint(request, exchange) : respond(exchange, { status: 404 });
      case 'introspection':
        return exchange.knobs.introspection ? introspectionEndpoint(request, exchange) : respond(exchange, { status: 404 });
      case 'device':
        return exchange.knobs.deviceAuthorization ? devices.endpoint(request, exchange) : respond(exchange, { status: 404 });
      case 'discovery':
        return discoveryEndpoint(request.url.startsWith(paths.oauthMetadata) ? 'oauth' : 'oidc', exchange);
      case 'api':
        return protectedResource(request, exchange);
      case 'trap':
        return respondJson(exchange, 200, { trap: true });
      default:
        return signIns.handle(request, exchange) ?? respondJson(exchange, 404, { error: 'not_found' });
    }
  };

  // In flight is what the client still waits for: after an abort it may try again.
  const countParallel = async (request: RecordedRequest, answer: Promise<Response>): Promise<Response> => {
    const value = request.params.get('refresh_token');
    if (value === null) return answer;
    const inFlight = (refreshing.get(value) ?? 0) + 1;
    refreshing.set(value, inFlight);
    parallelRefreshes = Math.max(parallelRefreshes, inFlight);
    try {
      return await answer;
    } finally {
      refreshing.set(value, (refreshing.get(value) ?? 1) - 1);
    }
  };

  const send = async (
    request: Request,
    signal: AbortSignal | undefined,
    certificate: Promise<string> | undefined,
  ): Promise<{ hop: { request: Request; bytes: Uint8Array }; response: Response }> => {
    const endpoint = endpointOf(request.url);
    const exchange: Exchange = { context, knobs: settingsFor(endpoint), signal };
    // Where clients with certificates have a host of their own, the other one asks for none.
    const isSeen = endpoint === 'api' || knobs.mtlsEndpoints === mtlsUrls.has(request.url);
    const recorded = await recordRequest(request, endpoint, clock.now(), isSeen ? await certificate : undefined);
    requests.push(recorded);
    return { hop: { request, bytes: recorded.bytes }, response: await handle(recorded, exchange) };
  };

  const carry = async (input: Parameters<typeof fetch>[0], init: RequestInit | undefined, certificate?: Promise<string>): Promise<Response> => {
    const signal = (init?.signal === undefined && input instanceof Request ? input.signal : init?.signal) ?? undefined;
    signal?.throwIfAborted();
    // Without the signal: a request of its own for each of thousands of calls would hang on it.
    const request = new Request(input, { ...init, signal: null });
    const answered = followRedirects(
      request,
      (hop) => send(hop, signal, certificate),
      () => knobs,
    );
    answered.catch(() => undefined);
    return abortable(answered, signal);
  };

  return {
    issuer,
    get metadata() {
      return {
        issuer,
        token_endpoint: paths.token,
        revocation_endpoint: knobs.revocation ? paths.revocation : undefined,
        introspection_endpoint: knobs.introspection ? paths.introspection : undefined,
        device_authorization_endpoint: knobs.deviceAuthorization ? paths.device : undefined,
        token_endpoint_auth_methods_supported: knobs.authMethods,
        mtls_endpoint_aliases: mtlsAliases(issuer, knobs),
        ...signInMetadata(issuer, knobs),
      };
    },
    fetch: (input, init) => carry(input, init),
    fetchWithCertificate(certificate) {
      const thumbprint = thumbprintOf(readCertificate('certificate', certificate));
      return (input, init) => carry(input, init, thumbprint);
    },
    visit: async (url) => (await carry(url, { redirect: 'manual' })).headers.get('location') ?? undefined,
    knobs,
    set(changes) {
      Object.assign(knobs, checkKnobs(changes));
    },
    forNext(count, changes, endpoint = 'token') {
      overrides.push({ left: count, changes: checkKnobs(changes), endpoint });
    },
    requests,
    requestsTo: (endpoint) => requests.filter((request) => request.endpoint === endpoint),
    get tokenRequests() {
      return requests.reduce((count, request) => count + (request.endpoint === 'token' ? 1 : 0), 0);
    },
    get stats() {
      return {
        issued: registry.issued,
        reuses: registry.reuses,
        parallelRefreshes,
        streamedBytes: context.deliveries.bytes,
        cancelledBodies: context.deliveries.cancelled,
      };
    },
    clearRequests() {
      requests.length = 0;
    },
    issueRefreshToken({ clientId = 'client', scope = '', jkt } = {}) {
      const family = registry.newFamily(clientId, scope.split(' ').filter(Boolean), jkt);
      return registry.addRefreshToken(family, 0, Number.NEGATIVE_INFINITY);
    },
    issueAccessToken({ clientId = 'client', scope = '', jkt } = {}) {
      return issueAccessToken({ context, knobs }, { clientId, scope: scope.split(' ').filter(Boolean), resource: [], expiresIn: knobs.expiresIn, jkt });
    },
    revokeAccessToken: (value) => registry.revokeAccessToken(value),
    revokeAllAccessTokens() {
      for (const token of registry.accessTokens) registry.revokeAccessToken(token.value);
    },
    revokeGrant: (value) => registry.revokeGrant(value),
    isLiveRefreshToken: (value) => registry.isLiveRefreshToken(value),
    setSecret(clientId, secret) {
      if (clients === undefined) throw invalidOption('clients', 'a list of clients, before one of them can get another secret', undefined);
      clients.set(clientId, registerClient(clientId, { ...clients.get(clientId)?.registered, secret }));
    },
    setClient(clientId, client) {
      if (clients === undefined) throw invalidOption('clients', 'a list of clients, before one of them can be registered anew', undefined);
      clients.set(clientId, registerClient(clientId, client));
    },
  };
}
