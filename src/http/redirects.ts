import { TokenError } from '../core/errors.js';
import { parseUrl } from './parse-url.js';

/** The request that follows a redirect. */
export interface NextRequest {
  readonly url: URL;
  readonly method: string;
  /** False: the redirect turned the request into one without a body. */
  readonly keepsBody: boolean;
}

/** True where fetch itself follows redirects and hides them, as pages and their workers must. */
export function hidesRedirects(): boolean {
  return 'document' in globalThis || 'importScripts' in globalThis;
}

/** Where a response sends the request on, by the rules of the Fetch standard ("HTTP-redirect fetch"); undefined: it is final. */
export function nextRequest(response: Response, from: URL, method: string): NextRequest | undefined {
  const { status } = response;
  if (response.type === 'opaqueredirect') throw redirectRefused('this runtime does not show redirects');
  const location = [301, 302, 303, 307, 308].includes(status) ? response.headers.get('location') : null;
  if (location === null) return undefined;
  const url = parseUrl(location, from);
  if (!url || !/^https?:$/.test(url.protocol)) throw redirectRefused('it leads to no http URL');
  // A redirect may turn the request into a GET.
  const turns = status === 303 ? !/^(?:GET|HEAD)$/i.test(method) : status < 303 && /^POST$/i.test(method);
  return { url, method: turns ? 'GET' : method, keepsBody: !turns };
}

export function redirectRefused(reason: string): TokenError {
  return new TokenError('redirect_refused', `The API's redirect was not followed: ${reason}`, { phase: 'http' });
}

/** The headers that go along to the next URL. The token is not among them: it is presented anew, or not at all. */
export function nextHeaders(sent: Headers, next: NextRequest, sameOrigin: boolean): Headers {
  const headers = new Headers(sent);
  const dropped = ['authorization'];
  if (!sameOrigin) dropped.push('cookie', 'proxy-authorization', 'host');
  if (!next.keepsBody) dropped.push('content-encoding', 'content-language', 'content-location', 'content-type', 'content-length');
  for (const name of dropped) headers.delete(name);
  return headers;
}

/** Makes the last of several responses look as if fetch had followed by itself. */
export function asRedirected(response: Response): Response {
  const clone = response.clone.bind(response);
  return Object.defineProperties(response, { redirected: { value: true }, clone: { value: () => asRedirected(clone()) } });
}
