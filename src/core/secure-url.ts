import { invalidOption, isUri } from './check-option.js';

/** Whether a URL may carry secrets: https, http on loopback, or http on an origin that was named. (`standards.md` P2, H2) */
export function isSecureUrl({ protocol, hostname, origin }: URL, allowInsecureHttp: ReadonlySet<string>): boolean {
  // The URL parser has already turned every spelling of an IPv4 address into four decimal numbers.
  return protocol === 'https:' || (protocol === 'http:' && (/^(localhost|\[::1\]|127\.\d+\.\d+\.\d+)$/.test(hostname) || allowInsecureHttp.has(origin)));
}

/** An origin and nothing behind it. */
export function isOrigin(value: unknown): value is string {
  return isUri(value) && `${new URL(value).origin}/` === new URL(value).href;
}

/** The `allowInsecureHttp` option: a list of plain http origins. */
export function checkInsecureOrigins(value: unknown = []): ReadonlySet<string> {
  return new Set(
    [value].flat().map((entry) => {
      if (!isOrigin(entry) || !/^http:/i.test(entry)) throw invalidOption('allowInsecureHttp', 'a list of http origins', value);
      return new URL(entry).origin;
    }),
  );
}
