import { checkOptions, invalidOption, isUri } from '../core/check-option.js';
import { isSecureUrl } from '../core/secure-url.js';
import { pickMembers } from './response-members.js';

/** Authorization server metadata (RFC 8414 §2). Members that are not named here are ignored. */
export interface ServerMetadata {
  readonly issuer: string;
  readonly token_endpoint?: string | undefined;
  readonly revocation_endpoint?: string | undefined;
  readonly introspection_endpoint?: string | undefined;
  readonly device_authorization_endpoint?: string | undefined;
  /** Where clients that present a certificate go instead (RFC 8705 §5). */
  readonly mtls_endpoint_aliases?: Readonly<Partial<Record<EndpointName, string>>> | undefined;
  readonly token_endpoint_auth_methods_supported?: readonly string[] | undefined;
  readonly [member: string]: unknown;
}

/** The endpoints that this package calls. */
export type EndpointName = (typeof endpointNames)[number];

const endpointNames = ['token_endpoint', 'revocation_endpoint', 'introspection_endpoint', 'device_authorization_endpoint'] as const;

/** What is expected where a URL is refused. */
export const secureUrl = 'an https URL without fragment or user name (http on loopback or in allowInsecureHttp)';

/** The `server` option: metadata that is given instead of discovered. */
export function checkServerMetadata(value: unknown, insecureOrigins: ReadonlySet<string>): ServerMetadata {
  checkOptions('server', value);
  const issuer = checkIssuer('server.issuer', pickMembers(value, ['issuer'])['issuer'], insecureOrigins);
  return readMetadata(value, issuer, (name, endpoint) => {
    if (!isEndpointUrl(endpoint, insecureOrigins)) throw invalidOption(`server.${name}`, secureUrl, endpoint);
    return endpoint;
  });
}

/** What this package reads of a document. `check` gives an endpoint back, or throws where it is missing or unfit. */
export function readMetadata(document: object, issuer: string, check: (name: string, endpoint: unknown) => string): ServerMetadata {
  const { token_endpoint_auth_methods_supported: methods, mtls_endpoint_aliases: aliases } = pickMembers(document, [
    'token_endpoint_auth_methods_supported',
    'mtls_endpoint_aliases',
  ]);
  const endpoints = (source: object, prefix = ''): Partial<Record<EndpointName, string>> =>
    Object.fromEntries(
      Object.entries(pickMembers(source, endpointNames))
        // Left out, but for the one that there has to be.
        .filter(([name, url]) => url !== undefined || name === 'token_endpoint')
        .map(([name, url]) => [name, check(prefix + name, url)]),
    );
  return {
    issuer,
    ...endpoints({ token_endpoint: undefined, ...document }),
    mtls_endpoint_aliases: endpoints(Object(aliases), 'mtls_endpoint_aliases.'),
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
export function checkIssuer(option: string, value: unknown, insecureOrigins: ReadonlySet<string>): string {
  if (!isEndpointUrl(value, insecureOrigins) || value.includes('?')) throw invalidOption(option, `${secureUrl} or query`, value);
  return value;
}
