import type { AccessToken } from '../core/access-token.js';
import { checkBoolean, checkFunction, checkOptions, checkPort, invalidOption } from '../core/check-option.js';
import { isTokenError, TokenError } from '../core/errors.js';
import { isolated } from '../core/isolated.js';
import { checkInsecureOrigins } from '../core/secure-url.js';
import { systemClock } from '../core/system-clock.js';
import type { TokenSource } from '../core/token-source.js';
import { isTokenValue } from '../core/token-value.js';
import { abortable } from '../core/waiting.js';
import { type AllowedResource, createAllowList } from './allow-list.js';
import type { AuthFetch, AuthFetchOptions, AuthRequestInit } from './auth-fetch-options.js';
import { keepBody } from './keep-body.js';
import { parseUrl } from './parse-url.js';
import { readRefusal, wantsNonce } from './read-refusal.js';
import { asRedirected, hidesRedirects, nextRequest, redirectRefused } from './redirects.js';
import { createResourceRecord } from './resource-record.js';

const functionOptions = ['fetch', 'onChallenge', 'isTokenRejected', 'onEvent'] as const;
const mostRedirects = 5;
const mostReportedOrigins = 1000;

/**
 * A `fetch` that presents the source's token to the resources of `allow`, and sends a request once more when its token was
 * refused and another one is to be had (RFC 6750). Fits wherever a `fetch` fits: ky, generated clients, plain calls.
 *
 * A token that is bound to a key goes with a proof for each send, and a call that lacks the API's nonce is sent once more
 * (RFC 9449 §7, §9).
 *
 * A call that has an `Authorization` header of its own, or `auth: false` in its `init`, is sent as it is; `retryOn401: false`
 * leaves a 401 to the caller (see {@link AuthRequestInit}).
 * @throws {TokenError} `invalid_option` here. Calls reject with a `TokenError` when there is no token to send or a URL or
 * redirect is refused, with their signal's reason, and with the errors of the inner fetch; when only the renewal after a
 * 401 fails, they resolve with that 401.
 */
export function createAuthFetch(tokens: TokenSource, options: AuthFetchOptions): AuthFetch {
  checkOptions('createAuthFetch', options, ['allow', 'allowOutside', 'allowInsecureHttp', 'alsoRejected', 'replayBody', 'clock', ...functionOptions]);
  const { allowOutside = 'plain', onChallenge, isTokenRejected, alsoRejected, replayBody, onEvent, clock = systemClock } = options;
  const innerFetch = options.fetch;
  checkPort('tokens', tokens ?? null, ['getToken']);
  checkPort('clock', clock, ['now', 'monotonicMs']);
  checkPort('alsoRejected', alsoRejected, ['concern', 'matches']);
  checkBoolean('replayBody', replayBody, false);
  for (const name of functionOptions) checkFunction(name, options[name]);
  if (allowOutside !== 'plain' && allowOutside !== 'refuse') throw invalidOption('allowOutside', '"plain" or "refuse"', allowOutside);
  const record = (resource: string) => createResourceRecord(resource, clock, onEvent);
  const allowed = createAllowList(options.allow, checkInsecureOrigins(options.allowInsecureHttp), record);
  const reported = new Set<string>();
  // Of the allowed origins alone; the authorization server's are none of these (RFC 9449 §9).
  const nonces = new Map<string, string>();
  let lastToken: AccessToken | undefined;
  let lastHeader = '';

  function leave(origin = 'null'): void {
    if (allowOutside === 'refuse') throw new TokenError('url_refused', `${origin} is outside the "allow" list`, { phase: 'http' });
    if (reported.has(origin) || reported.size >= mostReportedOrigins) return;
    reported.add(origin);
    isolated(onEvent, { type: 'origin_not_allowed', origin });
  }

  async function obtain<T extends object>(ask: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      const pending = ask();
      // A token that is at hand is not worth listening for an abort.
      return (await Promise.race([pending, undefined])) ?? (await abortable(pending, signal));
    } catch (error) {
      // A foreign error must not pass for one of the API's own: ky would send the call again.
      throw isTokenError(error) ? error : new TokenError('grant_failed', 'The token source failed', { phase: 'http' });
    } finally {
      signal?.throwIfAborted();
    }
  }

  // The one way a token leaves (RFC 6750 §2.1, `standards.md` H3).
  function present(headers: Headers, token: AccessToken): void {
    if (token !== lastToken) {
      if (!isTokenValue(token.value)) throw new TokenError('unacceptable_response', 'The access token does not fit into a header', { phase: 'http' });
      lastToken = token;
      lastHeader = `${token.type} ${token.value}`;
    }
    headers.set('authorization', lastHeader);
  }

  // Whether a response calls for another token, and the resource may have one.
  async function isRefused(response: Response, token: AccessToken, resource: AllowedResource, signal?: AbortSignal): Promise<boolean> {
    const { origin } = resource;
    // Where fetch followed redirects by itself, the header may have been lost, or never have been due.
    if (response.url && allowed(parseUrl(response.url))?.origin !== origin) return false;
    const refusal = readRefusal(response, token, origin);
    if (typeof refusal === 'object') {
      const { error, scopes, acrValues, maxAgeMs } = refusal;
      isolated(onEvent, { type: 'step_up', origin, error, scopes, acrValues, maxAgeMs });
      isolated(onChallenge, refusal);
    }
    if (refusal !== 'token_refused' && !(alsoRejected?.concern(response.status) && (await alsoRejected.matches(response, signal)))) {
      resource.answered(token.value, response.status);
      return false;
    }
    if (isTokenRejected) {
      const copy = response.clone();
      const confirmed = new Promise((resolve) => resolve(isTokenRejected(copy))).catch(() => true);
      try {
        if (!(await abortable(confirmed, signal))) return false;
      } finally {
        discard(copy);
      }
    }
    return resource.refused(token.value);
  }

  async function renew(resource: AllowedResource, refused: AccessToken, signal?: AbortSignal): Promise<AccessToken | undefined> {
    const token = await obtain(() => tokens.getToken({ signal, invalidToken: refused }), signal);
    if (token.value === refused.value) return undefined;
    resource.renewed(token.value);
    return token;
  }

  return async (input: RequestInfo | URL, init?: AuthRequestInit) => {
    const send = innerFetch ?? globalThis.fetch;
    const { auth, retryOn401, ...rest } = init ?? {};
    const request = typeof input === 'object' && 'url' in input ? input : undefined;
    let headers = new Headers(rest.headers ?? request?.headers);
    if (auth === false || headers.has('authorization')) return send(input, rest);
    const start = resolve(request?.url ?? String(input));
    let resource = allowed(start);
    if (!start || !resource) {
      leave(start?.origin);
      return send(input, rest);
    }
    let url = start;
    const signal = (rest.signal === undefined ? request?.signal : rest.signal) ?? undefined;
    let token = await obtain(() => tokens.getToken({ signal }), signal);
    let redirect = rest.redirect ?? request?.redirect ?? 'follow';
    const byHand = redirect === 'follow' && !hidesRedirects();
    if (byHand) redirect = 'manual';
    // Fetch itself drops the header when it leaves the origin, and only then.
    else if (redirect === 'follow' && (resource.path !== '/' || token.type !== 'Bearer' || allowOutside === 'refuse')) redirect = 'error';
    let method = rest.method ?? request?.method ?? 'GET';
    let mayRetry = retryOn401 !== false;
    let mayProve = mayRetry;
    let nonce: string | undefined;
    let body = keepBody(rest.body, request, (mayRetry || byHand) && replayBody);
    // What was compared is what is sent.
    let target = request ?? url.href;
    let sent: RequestInit = { ...rest, redirect, headers };
    let isSecond = false;
    let hops = 0;

    // Makes ready for a second send of the same request, if its body allows that.
    function repeats(response: Response): boolean {
      // Behind a redirect that fetch followed, a second send would repeat what was accepted before it.
      const again = !response.redirected || /^(?:GET|HEAD)$/i.test(method) ? body() : undefined;
      if (again === undefined) {
        isolated(onEvent, { type: 'not_replayable', origin: url.origin });
        return false;
      }
      headers = new Headers(headers);
      sent = { ...sent, headers, ...(again !== null && { body: again }) };
      return true;
    }

    // Makes ready for a second send with the nonce that was missing, or with another token, if the first one was refused.
    async function retries(response: Response): Promise<boolean> {
      const { origin } = url;
      if (!resource) return false;
      if (nonce && mayProve && wantsNonce(response)) {
        mayProve = false;
        return repeats(response);
      }
      if (!(await isRefused(response, token, resource, signal)) || !mayRetry) return false;
      mayRetry = false;
      if (!repeats(response)) {
        renew(resource, token).catch(() => undefined);
        return false;
      }
      try {
        const renewed = await renew(resource, token, signal);
        if (!renewed) return false;
        token = renewed;
      } catch (error) {
        signal?.throwIfAborted();
        if (isTokenError(error)) isolated(onEvent, { type: 'renewal_unavailable', origin, error });
        return false;
      }
      isSecond = true;
      return true;
    }

    // Makes ready for the URL that the response redirects to, if it does.
    function redirects(response: Response): boolean {
      const next = byHand && nextRequest(response, url, method, headers);
      if (!next) return false;
      if (hops++ === mostRedirects) throw redirectRefused(`more than ${mostRedirects} in a row`);
      if (next.dropsBody) body = () => null;
      const again = body();
      if (again === undefined) throw redirectRefused('the body cannot be sent again');
      ({ url, method, headers } = next);
      resource &&= allowed(url);
      if (!resource) leave(url.origin);
      target = url.href;
      mayProve = retryOn401 !== false;
      nonce = undefined;
      sent = { ...sent, signal: signal ?? null, method, headers, body: again };
      return true;
    }

    for (;;) {
      if (resource) present(headers, token);
      // A proof is good for one send (RFC 9449 §7.1).
      const proof = resource && token.type === 'DPoP' && (await obtain(() => token.headers({ method, url, nonce: nonce ?? nonces.get(url.origin) }), signal));
      if (proof) for (const [name, value] of proof) headers.set(name, value);
      const response = await send(target, sent);
      const { status } = response;
      if (proof) {
        nonce = response.headers.get('dpop-nonce') ?? undefined;
        if (nonce) nonces.set(url.origin, nonce);
      }
      if (isSecond) isolated(onEvent, { type: 'retried', origin: url.origin, status });
      isSecond = false;
      const isTelling = status === 401 || status === 403 || alsoRejected?.concern(status);
      if (!isTelling) resource?.answered(token.value, status);
      let isLast = false;
      try {
        isLast = !(isTelling && (await retries(response))) && !redirects(response);
        if (isLast) return hops === 0 ? response : asRedirected(response);
      } finally {
        if (!isLast) discard(response);
      }
    }
  };
}

// Lets go of a response that nobody will read, so that its connection is free again.
function discard(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}

// A backslash reads as a slash to a URL parser and not to everyone else.
function resolve(input: string): URL | undefined {
  return /^[^?#]*\\/.test(input) ? undefined : parseUrl(input, globalThis.document?.baseURI ?? globalThis.location?.href);
}
