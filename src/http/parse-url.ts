/** What the text says as a URL; undefined when it says none. */
export function parseUrl(text: string, base?: string | URL): URL | undefined {
  // One parse per call; `canParse` would make it two.
  try {
    return new URL(text, base);
  } catch {
    return undefined;
  }
}
