import { stateOf, withoutResponse } from '../protocol/authorization/callback-url.js';

// Whichever session of this page it belongs to, and however many objects it has there.
let opened: URL | undefined;

/**
 * The answer of a sign-in that this page was opened with. It is taken out of the address bar and the history at once, before
 * anything is sent. Undefined when the URL carries none, and none waits to be finished. (`standards.md` A9)
 */
export function takeCallback(redirectUri: string): URL | undefined {
  // Servers render without one.
  if (globalThis.location === undefined) return undefined;
  const expected = new URL(redirectUri);
  const isExpected = ({ origin, pathname }: URL): boolean => origin === expected.origin && pathname === expected.pathname;
  const url = new URL(location.href);
  if (isExpected(url) && stateOf(url) !== undefined) {
    history.replaceState(history.state, '', withoutResponse(url));
    opened = url;
  }
  return opened && isExpected(opened) ? opened : undefined;
}

/** It is finished: who comes later restores. */
export function forgetCallback(state: string): void {
  if (opened && stateOf(opened) === state) opened = undefined;
}
