// The parameters of a response, of one that should not be, and what servers add to either.
const responseNames = [
  ...['code', 'state', 'iss', 'error', 'error_description', 'error_uri', 'session_state', 'scope', 'response'],
  ...['access_token', 'id_token', 'token_type', 'expires_in', 'refresh_token', 'token'],
];

/**
 * The `state` of a callback, by which its transaction is found; undefined for a URL that carries no response. Query or
 * fragment.
 */
export function stateOf(callback: string | URL): string | undefined {
  const url = parseCallback(callback);
  const found = [url?.searchParams, url && fragmentOf(url)].find(
    (part) => part?.has('state') && responseNames.some((name) => name !== 'state' && part.has(name)),
  );
  return found?.get('state') || undefined;
}

/** The URL without the response that it carries: what may stay in the address bar. (`standards.md` A9) */
export function withoutResponse(callback: URL): string {
  const url = new URL(callback);
  const fragment = fragmentOf(url);
  for (const name of responseNames) url.searchParams.delete(name);
  if (fragment.has('state')) url.hash = '';
  return url.href;
}

/** A callback as a URL; a path alone is one of the `base`. */
export function parseCallback(callback: string | URL, base?: string): URL | undefined {
  return URL.canParse(String(callback), base) ? new URL(String(callback), base) : undefined;
}

/** A fragment read as parameters. */
export function fragmentOf(url: URL): URLSearchParams {
  return new URLSearchParams(url.hash.slice(1));
}
