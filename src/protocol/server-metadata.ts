import { invalidOption, isUri } from '../core/check-option.js';
import { isSecureUrl } from '../core/secure-url.js';
import { pickMembers } from './response-members.js';

/** Authorization server metadata (RFC 8414 §2). Members that are not named here are ignored. */
export interface ServerMetadata {
  readonly issuer: string;
  readonly token_endpoint?: string | undefined;
  readonly revocation_endpoint?: string | undefined;
  readonly token_endpoint_auth_methods_supported?: readonly string[] | undefined;
  readonly [member: string]: unknown;
}

const secureUrl = 'an https URL without fragment, query or user name (http on loopback, or on an origin of allowInsecureHttp)';

/** The `server` option: metadata that is given instead of discovered. */
export function checkServerMetadata(value: unknown, insecureOrigins: ReadonlySet<string>): ServerMetadata {
  if (typeof value !== 'object' || value === null) throw invalidOption('server', 'an object with the members of RFC 8414 (issuer, token_endpoint, …)', value);
  const { issuer } = pickMembers(value, ['issuer']);
  checkIssuer('server.issuer', issuer, insecureOrigins);
  return readMetadata(value, issuer, (name, endpoint) => {
    if (!isEndpointUrl(endpoint, insecureOrigins)) throw invalidOption(`server.${name}`, secureUrl.replace(', query', ''), endpoint);
  });
}

/** What this package reads of a document, in an object without a prototype. `check` throws for an endpoint that is missing or unfit. */
export function readMetadata(document: object, issuer: string, check: (name: string, endpoint: string | undefined) => void): ServerMetadata {
  const members = pickMembers(document, ['token_endpoint', 'revocation_endpoint', 'token_endpoint_auth_methods_supported']);
  const endpoint = (name: string): string | undefined => {
    const value = members[name];
    const url = typeof value === 'string' ? value : undefined;
    if (value !== undefined || name === 'token_endpoint') check(name, url);
    return url;
  };
  const methods = members['token_endpoint_auth_methods_supported'];
  return {
    issuer,
    token_endpoint: endpoint('token_endpoint'),
    revocation_endpoint: endpoint('revocation_endpoint'),
    token_endpoint_auth_methods_supported: Array.isArray(methods) ? methods.filter((method) => typeof method === 'string') : undefined,
  };
}

/** Whether secrets may be posted to a URL: a secure origin, no fragment, no user name; a query is kept (RFC 6749 §3.2). */
export function isEndpointUrl(value: unknown, insecureOrigins: ReadonlySet<string>): value is string {
  if (!isUri(value)) return false;
  const url = new URL(value);
  return isSecureUrl(url, insecureOrigins) && !value.includes('#') && !url.username && !url.password;
}

/** An issuer identifier: a secure URL without query or fragment (RFC 8414 §2). */
export function checkIssuer(option: string, value: unknown, insecureOrigins: ReadonlySet<string>): asserts value is string {
  if (!isEndpointUrl(value, insecureOrigins) || value.includes('?')) throw invalidOption(option, secureUrl, value);
}
