import { checkOptions, invalidOption, isUri } from '../../core/check-option.js';
import { isSecureUrl } from '../../core/secure-url.js';
import { pickMembers } from '../wire/response-members.js';

/** Authorization server metadata (RFC 8414 §2). Members that are not named here are ignored. */
export interface ServerMetadata {
  readonly issuer: string;
  readonly token_endpoint?: string | undefined;
  readonly revocation_endpoint?: string | undefined;
  readonly introspection_endpoint?: string | undefined;
  readonly device_authorization_endpoint?: string | undefined;
  readonly authorization_endpoint?: string | undefined;
  readonly pushed_authorization_request_endpoint?: string | undefined;
  readonly jwks_uri?: string | undefined;
  readonly userinfo_endpoint?: string | undefined;
  readonly end_session_endpoint?: string | undefined;
  /** Where clients that present a certificate go instead (RFC 8705 §5). */
  readonly mtls_endpoint_aliases?: Endpoints | undefined;
  readonly token_endpoint_auth_methods_supported?: readonly string[] | undefined;
  readonly code_challenge_methods_supported?: readonly string[] | undefined;
  /** Requests have to be pushed first (RFC 9126 §5). */
  readonly require_pushed_authorization_requests?: boolean | undefined;
  /** Responses name their issuer (RFC 9207 §3). */
  readonly authorization_response_iss_parameter_supported?: boolean | undefined;
  readonly [member: string]: unknown;
}

type Endpoints = Readonly<Partial<Record<EndpointName, string | undefined>>>;

/** The endpoints that this package calls or sends users to. */
export type EndpointName = (typeof endpointNames)[number];

const endpointNames = [
  'token_endpoint',
  'revocation_endpoint',
  'introspection_endpoint',
  'device_authorization_endpoint',
  'authorization_endpoint',
  'pushed_authorization_request_endpoint',
  'jwks_uri',
  'userinfo_endpoint',
  'end_session_endpoint',
] as const;
const listNames = ['token_endpoint_auth_methods_supported', 'code_challenge_methods_supported'];
const flagNames = ['require_pushed_authorization_requests', 'authorization_response_iss_parameter_supported'];

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

/** What this package reads of a document. `check` gives an endpoint back, leaves it out, or throws where it is missing or unfit. */
export function readMetadata(document: object, issuer: string, check: (name: string, endpoint: unknown) => string | undefined): ServerMetadata {
  const aliases = pickMembers(document, ['mtls_endpoint_aliases'])['mtls_endpoint_aliases'];
  const endpoints = (source: object, prefix = ''): Endpoints =>
    Object.fromEntries(
      Object.entries(pickMembers(source, endpointNames))
        // Left out, but for the one that there has to be.
        .filter(([name, url]) => url !== undefined || name === 'token_endpoint')
        .map(([name, url]) => [name, check(prefix + name, url)]),
    );
  const read = <T>(names: readonly string[], as: (value: unknown) => T): Record<string, T> =>
    Object.fromEntries(Object.entries(pickMembers(document, names)).map(([name, value]) => [name, as(value)]));
  return {
    issuer,
    ...endpoints({ token_endpoint: undefined, ...document }),
    mtls_endpoint_aliases: endpoints(Object(aliases), 'mtls_endpoint_aliases.'),
    ...read(listNames, (value) => (Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : undefined)),
    ...read(flagNames, (value) => value === true),
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
