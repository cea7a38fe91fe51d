import { TokenError } from '../core/errors.js';
import { parseUrl } from './parse-url.js';

const originHeaders = /^(?:cookie|host|proxy-authorization)$/;
const bodyHeaders = /^content-/;

/** The request that follows a redirect. */
export interface NextRequest {
  readonly url: URL;
  readonly method: string;
  /** The token is not among them: it is presented anew, or not at all. */
  readonly headers: Headers;
  /** The redirect turned the request into one without a body. */
  readonly dropsBody: boolean;
}

/** True where fetch itself follows redirects and hides them, as pages and their workers must. */
export function hidesRedirects(): boolean {
  return 'document' in globalThis || 'importScripts' in globalThis;
}

/** Where a response sends the request on, by the rules of the Fetch standard ("HTTP-redirect fetch"); undefined: it is final. */
export function nextRequest(response: Response, from: URL, method: string, sent: Headers): NextRequest | undefined {
  if (response.type === 'opaqueredirect') throw redirectRefused('this runtime hides it');
  const line = `${response.status} ${method}`;
  const location = /^30[12378] /.test(line) ? response.headers.get('location') : null;
  if (location === null) return undefined;
  const url = parseUrl(location, from);
  if (!url || !/^https?:$/.test(url.protocol)) throw redirectRefused('no http URL');
  const dropsBody = /^(?:303 (?!GET$|HEAD$)|30[12] POST$)/i.test(line);
  const headers = new Headers(sent);
  for (const name of sent.keys()) {
    if (name === 'authorization' || name === 'dpop' || (dropsBody && bodyHeaders.test(name)) || (url.origin !== from.origin && originHeaders.test(name)))
      headers.delete(name);
  }
  return { url, method: dropsBody ? 'GET' : method, headers, dropsBody };
}

export function redirectRefused(reason: string): TokenError {
  return new TokenError('redirect_refused', `Redirect not followed: ${reason}`, { phase: 'http' });
}

/** Makes the last of several responses look as if fetch had followed by itself. */
export function asRedirected(response: Response): Response {
  const clone = response.clone.bind(response);
  return Object.defineProperties(response, { redirected: { value: true }, clone: { value: () => asRedirected(clone()) } });
}
