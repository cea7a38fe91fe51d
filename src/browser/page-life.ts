/**
 * Calls back whenever this page comes to light again: what it knows of the session may be old then. Returns its undo.
 * (`standards.md` X11)
 */
export function watchPage(returned: () => void): () => void {
  const stop = new AbortController();
  const { signal } = stop;
  const shown = (): void => {
    if (document.visibilityState === 'visible') returned();
  };
  const restored = ({ persisted }: PageTransitionEvent): void => {
    if (persisted) returned();
  };
  globalThis.document?.addEventListener('visibilitychange', shown, { signal });
  globalThis.document?.addEventListener('resume', returned, { signal });
  globalThis.addEventListener?.('pageshow', restored, { signal });
  globalThis.addEventListener?.('online', returned, { signal });
  return () => stop.abort();
}
