import { connectionLost } from './server-context.js';

/** One request on its way to the fake server. */
export interface Hop {
  readonly request: Request;
  /** The body's bytes, once the request was read: a redirect may send them again. */
  readonly bytes: Uint8Array;
}

export interface RedirectRules {
  readonly opaqueRedirects: boolean;
  readonly redirectsKeepAuthorization: boolean;
}

const redirectStatuses: readonly number[] = [301, 302, 303, 307, 308];
const longestChain = 20;

/** Treats redirects as the Fetch standard does (§4.4), with the request's own `redirect` mode. */
export async function followRedirects(
  first: Request,
  send: (request: Request) => Promise<{ hop: Hop; response: Response }>,
  rules: () => RedirectRules,
): Promise<Response> {
  const { redirect } = first;
  let request = first;
  for (let hops = 0; hops <= longestChain; hops++) {
    const { hop, response } = await send(request);
    const location = redirectStatuses.includes(response.status) ? response.headers.get('location') : null;
    if (location === null || redirect === 'manual')
      return location !== null && rules().opaqueRedirects ? opaqueRedirect(request.url) : placed(response, request.url, hops > 0);
    if (redirect === 'error') throw connectionLost();
    request = nextRequest(hop, new URL(location, request.url), response.status, rules());
  }
  throw connectionLost();
}

function nextRequest({ request, bytes }: Hop, url: URL, status: number, rules: RedirectRules): Request {
  const becomesGet = status === 303 ? request.method !== 'HEAD' : (status === 301 || status === 302) && request.method === 'POST';
  const headers = new Headers(request.headers);
  if (new URL(request.url).origin !== url.origin && !rules.redirectsKeepAuthorization) headers.delete('authorization');
  if (becomesGet) for (const name of ['content-type', 'content-length', 'content-encoding', 'content-language', 'content-location']) headers.delete(name);
  const withBody = !becomesGet && request.body !== null;
  return new Request(url, { method: becomesGet ? 'GET' : request.method, headers, ...(withBody ? { body: Uint8Array.from(bytes) } : {}) });
}

// A response that a program makes has no URL of its own.
function placed(response: Response, url: string, redirected: boolean): Response {
  const clone = response.clone.bind(response);
  return Object.defineProperties(response, {
    url: { value: url },
    // As of a real response, whoever wraps fetch may say more.
    redirected: { value: redirected, configurable: true },
    clone: { value: () => placed(clone(), url, redirected), configurable: true },
  });
}

function opaqueRedirect(url: string): Response {
  return Object.defineProperties(Response.error(), { type: { value: 'opaqueredirect' }, url: { value: url } });
}
