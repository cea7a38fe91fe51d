/** Goes to another page. Resolves only if the user comes back to this one, out of the back/forward cache. */
export function leavePage(url: string): Promise<void> {
  return new Promise((resolve) => {
    const shown = ({ persisted }: PageTransitionEvent): void => {
      if (!persisted) return;
      globalThis.removeEventListener('pageshow', shown);
      resolve();
    };
    globalThis.addEventListener?.('pageshow', shown);
    location.assign(url);
  });
}
