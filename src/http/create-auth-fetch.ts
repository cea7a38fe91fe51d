import { checkBoolean, checkFunction, checkOptions, checkPort, invalidOption } from '../core/check-option.js';
import { TokenError } from '../core/errors.js';
import { checkInsecureOrigins } from '../core/secure-url.js';
import { systemClock } from '../core/system-clock.js';
import type { TokenSource } from '../core/token-source.js';
import { createAllowList } from './allow-list.js';
import type { AuthFetch, AuthFetchOptions, AuthRequestInit } from './auth-fetch-options.js';
import { discard, type Call } from './call.js';
import { isolated } from '../core/isolated.js';
import { hasBody, keepInit, keepRequest } from './keep-body.js';
import { asRedirected, hidesRedirects, nextHeaders, nextRequest, redirectRefused } from './redirects.js';
import { parseUrl } from './parse-url.js';
import { createRefusalHandler } from './refusal-handler.js';
import { createTokenPresenter } from './token-presenter.js';

const mostRedirects = 5;
const mostReportedOrigins = 1000;

/**
 * A `fetch` that presents the source's token to the resources of `allow`, and sends a request once more when its token was
 * refused and another one is to be had (RFC 6750). Fits wherever a `fetch` fits: ky, generated clients, plain calls.
 *
 * A call that has an `Authorization` header of its own, or `auth: false` in its `init`, is sent as it is; `retryOn401: false`
 * leaves a 401 to the caller (see {@link AuthRequestInit}).
 * @throws {TokenError} `invalid_option` here. Calls reject with a `TokenError` when there is no token to send or a URL or
 * redirect is refused, with their signal's reason, and with the errors of the inner fetch; when only the renewal after a
 * 401 fails, they resolve with that 401.
 */
export function createAuthFetch(tokens: TokenSource, options: AuthFetchOptions): AuthFetch {
  checkOptions('createAuthFetch', options, [
    'allow',
    'allowOutside',
    'allowInsecureHttp',
    'fetch',
    'onChallenge',
    'isTokenRejected',
    'replayBody',
    'onEvent',
    'clock',
  ]);
  const { allowOutside = 'plain', replayBody, onEvent, clock = systemClock } = options;
  const innerFetch = options.fetch;
  checkPort('tokens', tokens ?? null, ['getToken']);
  checkPort('clock', clock, ['now', 'monotonicMs']);
  checkBoolean('replayBody', replayBody, false);
  for (const name of ['fetch', 'onChallenge', 'isTokenRejected', 'onEvent'] as const) checkFunction(name, options[name]);
  if (allowOutside !== 'plain' && allowOutside !== 'refuse') throw invalidOption('allowOutside', '"plain" or "refuse"', allowOutside);
  const allowed = createAllowList(options.allow, checkInsecureOrigins(options.allowInsecureHttp));
  const presenter = createTokenPresenter(tokens);
  const mayResend = createRefusalHandler(presenter, allowed, options, clock);
  const reported = new Set<string>();

  function leave(url: URL | undefined): void {
    const origin = url?.origin ?? 'null';
    if (allowOutside === 'refuse') throw new TokenError('url_refused', `A request to ${origin} is outside the "allow" list`, { phase: 'http' });
    if (reported.has(origin) || reported.size >= mostReportedOrigins) return;
    reported.add(origin);
    isolated(onEvent, { type: 'origin_not_allowed', origin });
  }

  // One URL: sent once, or twice when its first token was refused.
  async function exchange(call: Call, send: typeof fetch): Promise<Response> {
    for (let retried = false; ; retried = true) {
      const { resource, url } = call;
      const response = await send(call.target, call.init);
      if (retried) isolated(onEvent, { type: 'retried', origin: url.origin, status: response.status });
      if (resource === undefined) return response;
      if (response.ok) resource.accepted(call.token.value);
      if ((response.status !== 401 && response.status !== 403) || !(await mayResend(call, resource, response))) return response;
      discard(response);
    }
  }

  // The next URL of a call whose redirects are followed here; false when the response is the last one.
  function advance(call: Call, response: Response, hops: number): boolean {
    const next = nextRequest(response, call.url, call.method);
    if (next === undefined) return false;
    if (hops === mostRedirects) throw redirectRefused(`it is the ${mostRedirects + 1}th in a row`);
    if (!next.keepsBody) call.body = undefined;
    const body = call.body?.take();
    if (call.body && body === undefined) throw redirectRefused('the body cannot be sent again');
    const resource = call.resource && allowed(next.url);
    if (resource === undefined) leave(next.url);
    const headers = nextHeaders(call.init.headers, next, next.url.origin === call.url.origin);
    if (resource) presenter.present(headers, call.token);
    const { method, url } = next;
    // What a `Request` said stays said when only its URL goes on.
    const { cache, integrity } = typeof call.target === 'object' ? call.target : call.init;
    const init = { ...call.init, ...(cache && { cache }), ...(integrity && { integrity }), signal: call.signal ?? null };
    Object.assign(call, { resource, url, target: url.href, method, init: { ...init, method, headers, body: body ?? null } });
    return true;
  }

  return async (input: RequestInfo | URL, init?: AuthRequestInit) => {
    const send = innerFetch ?? globalThis.fetch;
    const { auth, retryOn401, ...rest } = init ?? {};
    const request = typeof input === 'object' && 'url' in input ? input : undefined;
    if (auth === false) return send(input, rest);
    const headers = new Headers(rest.headers ?? request?.headers);
    if (headers.has('authorization')) return send(input, rest);
    const url = resolve(request ? request.url : String(input));
    const resource = url && allowed(url);
    if (url === undefined || resource === undefined) {
      leave(url);
      return send(input, rest);
    }
    const signal = (rest.signal === undefined ? request?.signal : rest.signal) ?? undefined;
    const token = await presenter.obtain(signal);
    presenter.present(headers, token);
    const asked = rest.redirect ?? request?.redirect ?? 'follow';
    const byHand = asked === 'follow' && !hidesRedirects();
    // Fetch itself drops the header when it leaves the origin, and only then.
    const redirect = byHand ? 'manual' : asked !== 'follow' || (resource.path === '/' && token.type === 'Bearer' && allowOutside === 'plain') ? asked : 'error';
    const mayRetry = retryOn401 !== false;
    const given = rest.body ?? undefined;
    const call: Call = {
      signal,
      body: given !== undefined ? keepInit(given) : request && hasBody(request) ? keepRequest(request, mayRetry ? replayBody : false) : undefined,
      resource,
      token,
      url,
      target: request ?? (typeof input === 'string' ? input : url.href),
      init: { ...rest, headers, redirect },
      method: rest.method ?? request?.method ?? 'GET',
      mayRetry,
    };
    for (let hops = 0; ; hops++) {
      const response = await exchange(call, send);
      try {
        if (!byHand || !advance(call, response, hops)) return hops === 0 ? response : asRedirected(response);
      } catch (error) {
        discard(response);
        throw error;
      }
      discard(response);
    }
  };
}

// A backslash reads as a slash to a URL parser and not to everyone else.
function resolve(input: string): URL | undefined {
  return /^[^?#]*\\/.test(input) ? undefined : parseUrl(input, globalThis.document?.baseURI ?? globalThis.location?.href);
}
