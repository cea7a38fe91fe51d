import type { Preset } from '../../core/preset.js';
import { isEndpointUrl, secureUrl } from '../issuer/server-metadata.js';

/** Who may say where endpoints are. */
export interface EndpointTrust {
  readonly issuer: string;
  readonly preset: Preset;
  readonly insecureOrigins: ReadonlySet<string>;
}

/**
 * Why secrets must not go to an endpoint that discovery named; undefined when they may. The issuer's own host is trusted
 * as it is; any other must be public and https, or be named by the configuration. (`standards.md` P2, S10)
 */
export function endpointRefusal(endpoint: string, { issuer, preset, insecureOrigins }: EndpointTrust): string | undefined {
  if (!isEndpointUrl(endpoint, insecureOrigins)) return `is not ${secureUrl}`;
  const { hostname, protocol, origin } = new URL(endpoint);
  const isTrusted =
    hostname === new URL(issuer).hostname ||
    insecureOrigins.has(origin) ||
    preset.endpointOrigins?.some((allowed) => new URL(allowed).origin === origin) ||
    (protocol === 'https:' && !isPrivateHost(hostname));
  return isTrusted ? undefined : 'is neither on the host of the issuer nor public; "preset.endpointOrigins" can name it';
}

const privateV4 = /^(0|10|127|169\.254|192\.168|192\.0\.0|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])|198\.1[89]|22[4-9]|2[34]\d|25[0-5])\./;

// The URL parser has already turned every spelling of an address into one. Of IPv6 only global unicast is public, less
// the prefixes that carry an IPv4 address (6to4, Teredo).
function isPrivateHost(hostname: string): boolean {
  if (hostname.startsWith('[')) return !/^\[[23][\da-f]{3}:/.test(hostname) || /^\[(2002:|2001:(0|):)/.test(hostname);
  if (/^[\d.]+$/.test(hostname)) return privateV4.test(hostname);
  return /(^|\.)(localhost|metadata\.google\.internal|metadata\.goog)\.?$/.test(hostname);
}
