import { hasControlCharacter, invalidOption } from '../core/check-option.js';
import { isSecureUrl } from '../core/secure-url.js';

/** Authorization server metadata (RFC 8414 §2). Members that are not named here are ignored. */
export interface ServerMetadata {
  readonly issuer: string;
  readonly token_endpoint?: string | undefined;
  readonly revocation_endpoint?: string | undefined;
  readonly token_endpoint_auth_methods_supported?: readonly string[] | undefined;
  readonly [member: string]: unknown;
}

/** The members that requests are sent to. */
export const endpointNames: readonly ['token_endpoint', 'revocation_endpoint'] = ['token_endpoint', 'revocation_endpoint'];

/** The `server` option: metadata that is given instead of discovered. */
export function checkServerMetadata(value: unknown, insecureOrigins: ReadonlySet<string>): ServerMetadata {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidOption('server', 'an object with the members of RFC 8414 (issuer, token_endpoint, …)', value);
  const issuer: unknown = Reflect.get(value, 'issuer');
  checkIssuer('server.issuer', issuer, insecureOrigins);
  for (const name of endpointNames) {
    const endpoint: unknown = Reflect.get(value, name);
    if (endpoint === undefined && name !== 'token_endpoint') continue;
    if (typeof endpoint !== 'string' || !isEndpointUrl(endpoint, insecureOrigins)) throw invalidOption(`server.${name}`, secureEndpoint, endpoint);
  }
  return pickMetadata(value, String(issuer));
}

/** Only what this package reads, into an object without a prototype. */
export function pickMetadata(document: object, issuer: string): ServerMetadata {
  const endpoint = (name: string): string | undefined => {
    const value: unknown = Object.hasOwn(document, name) ? Reflect.get(document, name) : undefined;
    return typeof value === 'string' ? value : undefined;
  };
  const methods: unknown = Object.hasOwn(document, methodsMember) ? Reflect.get(document, methodsMember) : undefined;
  return Object.freeze({
    __proto__: null,
    issuer,
    token_endpoint: endpoint('token_endpoint'),
    revocation_endpoint: endpoint('revocation_endpoint'),
    [methodsMember]: Array.isArray(methods) ? methods.filter((method) => typeof method === 'string') : undefined,
  });
}

const methodsMember = 'token_endpoint_auth_methods_supported';
const secureEndpoint = 'an https URL without a fragment or user name (http on loopback, or on an origin of allowInsecureHttp)';

/** Whether secrets may be posted to a URL: a secure origin, no fragment, no user name; a query is kept (RFC 6749 §3.2). */
export function isEndpointUrl(value: string, insecureOrigins: ReadonlySet<string>): boolean {
  if (!URL.canParse(value) || hasControlCharacter(value)) return false;
  const url = new URL(value);
  return isSecureUrl(url, insecureOrigins) && !value.includes('#') && url.username === '' && url.password === '';
}

/** An issuer identifier: a secure URL without query or fragment (RFC 8414 §2). */
export function checkIssuer(option: string, value: unknown, insecureOrigins: ReadonlySet<string>): asserts value is string {
  if (typeof value !== 'string' || !isEndpointUrl(value, insecureOrigins) || value.includes('?')) throw invalidOption(option, `${secureEndpoint}, without a query`, value);
}
