/** Whether nobody sees this page. */
export function isHidden(): boolean {
  return globalThis.document?.visibilityState === 'hidden';
}

/**
 * Calls back whenever this page comes to light again: what it knows of the session may be old then. `isOnline`: since the network
 * is back. Returns its undo. (`standards.md` X11)
 */
export function watchPage(returned: (isOnline?: boolean) => void): () => void {
  const stop = new AbortController();
  const { signal } = stop;
  const shown = (): void => {
    if (!isHidden()) returned();
  };
  const restored = ({ persisted }: PageTransitionEvent): void => {
    if (persisted) returned();
  };
  globalThis.document?.addEventListener('visibilitychange', shown, { signal });
  globalThis.document?.addEventListener('resume', () => returned(), { signal });
  globalThis.addEventListener?.('pageshow', restored, { signal });
  globalThis.addEventListener?.('online', () => returned(true), { signal });
  return () => stop.abort();
}
