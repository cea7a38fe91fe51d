import { stateOf, withoutResponse } from '../protocol/authorization/callback-url.js';

/**
 * The answer of a sign-in that this page was opened with. It is taken out of the address bar and the history at once, before
 * anything is sent. Undefined when the URL carries none. (`standards.md` A9)
 */
export function takeCallback(redirectUri: string): URL | undefined {
  // Servers render without one.
  if (globalThis.location === undefined) return undefined;
  const url = new URL(location.href);
  const expected = new URL(redirectUri);
  if (url.origin !== expected.origin || url.pathname !== expected.pathname || stateOf(url) === undefined) return undefined;
  history.replaceState(history.state, '', withoutResponse(url));
  return url;
}
