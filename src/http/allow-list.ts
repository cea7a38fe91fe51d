import { invalidOption } from '../core/check-option.js';
import { isSecureUrl } from '../core/secure-url.js';
import { parseUrl } from './parse-url.js';
import type { ResourceRecord } from './resource-record.js';

/** One entry of the allow-list, with what is known about that resource. */
export interface AllowedResource extends ResourceRecord {
  readonly origin: string;
  /** Path prefix with a last slash. */
  readonly path: string;
}

/** Finds the entry that admits a URL, the most specific one first. */
export type AllowList = (url: URL | undefined) => AllowedResource | undefined;

/** Parses the `allow` option once; every request is then compared on parsed URLs (RFC 9700 §4.9). */
export function createAllowList(allow: unknown, insecureOrigins: ReadonlySet<string>, record: (resource: string) => ResourceRecord): AllowList {
  const list: unknown[] = Array.isArray(allow) ? allow : [];
  if (list.length === 0) throw invalidOption('allow', 'a list of origins or URL prefixes', allow);
  const entries = list
    .map((entry) => {
      const url = parseEntry(entry, insecureOrigins);
      return { origin: url.origin, path: url.pathname.replace(/\/*$/, '/'), ...record(url.href) };
    })
    .sort((a, b) => b.path.length - a.path.length);
  return (url) => url && entries.find((entry) => entry.origin === url.origin && isBelow(url.pathname, entry.path) && !url.username && !url.password);
}

function parseEntry(entry: unknown, insecureOrigins: ReadonlySet<string>): URL {
  // What the parser takes from the text must be what it says: no userinfo, query, fragment, wildcard, backslash, encoded slash or dot.
  const url = typeof entry === 'string' && /^https?:\/\/(?!.*%(?:2e|2f|5c))[^@?#*\\\s]+$/i.test(entry) ? parseUrl(entry) : undefined;
  if (!url || !isSecureUrl(url, insecureOrigins))
    throw invalidOption('allow', 'https origins or URL prefixes; http only on loopback or in "allowInsecureHttp"', entry);
  return url;
}

// An encoded slash may mean a slash to the server: a prefix must not be left through one.
function isBelow(pathname: string, prefix: string): boolean {
  return prefix === '/' || (`${pathname}/`.startsWith(prefix) && !/(?:\/|%(?:25)*(?:2f|5c))(?:\.|%(?:25)*2e){2}(?:[/;%]|$)/i.test(pathname));
}
