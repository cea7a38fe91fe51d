import { invalidOption } from './check-option.js';

/** Whether a URL may carry secrets: https, http on loopback, or http on an origin that was named. (`standards.md` P2, H2) */
export function isSecureUrl(url: URL, allowInsecureHttp: ReadonlySet<string>): boolean {
  if (url.protocol === 'https:') return true;
  return url.protocol === 'http:' && (isLoopback(url.hostname) || allowInsecureHttp.has(url.origin));
}

// The URL parser has already turned every spelling of an IPv4 address into four decimal numbers.
function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** The `allowInsecureHttp` option: a list of plain http origins. */
export function checkInsecureOrigins(value: unknown): ReadonlySet<string> {
  if (value === undefined) return new Set();
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return new Set(
    list.map((entry) => {
      const url = typeof entry === 'string' && URL.canParse(entry) ? new URL(entry) : undefined;
      if (url === undefined || url.protocol !== 'http:' || `${url.origin}/` !== url.href)
        throw invalidOption('allowInsecureHttp', 'a list of http origins such as "http://tokens.internal:8080"', value);
      return url.origin;
    }),
  );
}
