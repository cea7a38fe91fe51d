/** Goes to another page. Resolves only if the user comes back to this one, out of the back/forward cache. */
export function leavePage(url: string): Promise<void> {
  return new Promise((resolve) => {
    globalThis.addEventListener?.('pageshow', ({ persisted }) => persisted && resolve());
    location.assign(url);
  });
}
